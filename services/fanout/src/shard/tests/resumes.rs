//! What one call of `Resume` gives, and whom it gives nothing.

use std::time::Duration;

use fanfare_broker::Position;
use serde_json::{Value, json};

use super::{Limits, OneShard, ReplayAnswer, answer, titles, user};
use crate::projection::{ConnectionEffect, Cursor, HubTag, ReadTimes, open_cursor, seal_cursor};
use crate::vocabulary::Membership;
use crate::vocabulary::name::GroupTemplate;

/// Methods that join and leave a group which the demo gives by roles alone.
const ADMINS: &str = r#"
[hub."/hubs/notifications".method.WatchAdmins]
allow = true
join = "admin"
[hub."/hubs/notifications".method.UnwatchAdmins]
leave = "admin"
"#;

/// Beyond the time within which two evictions are too many.
const LATER: Duration = Duration::from_secs(61);

/// Longer than a connection waits for a client that says nothing.
const LATE: Duration = Duration::from_secs(3);

impl OneShard {
    /// The same cursor as another hub gives it.
    fn of_hub(&self, cursor: &str, path: &str) -> String {
        let position = open_cursor(&self.seal, cursor).expect("an own cursor").position;
        seal_cursor(&self.seal, &position, &ReadTimes::default(), HubTag::of(path), false)
    }

    /// What a call of `Cursor` has given.
    fn answered_cursor(&mut self, tab: super::Key, id: &str) -> Cursor {
        let heard = self.hear(tab);
        let cursor = answer(&heard, id)["result"].as_str().expect("a cursor").to_owned();
        open_cursor(&self.seal, &cursor).expect("an own cursor")
    }

    /// The log is recreated, and the node goes on at the begin of the new one.
    fn recreate(&mut self) {
        let start = Position::start(2);
        self.groups.fold(|known| known.renew(start.clone(), true));
        self.core.apply(&ConnectionEffect::Renewed(start.clone()));
        self.groups.pass(&start);
        self.settle();
    }
}

/// Resumes behind a cursor until nothing more is said to be there: what each call told, and its answer.
fn walk(shard: &mut OneShard, tab: super::Key, mut cursor: String) -> Vec<(Vec<String>, Value)> {
    let mut told = Vec::new();
    for call in 0..100 {
        let id = call.to_string();
        shard.call(tab, &id, "Resume", &json!([cursor]));
        let heard = shard.hear(tab);
        let result = answer(&heard, &id)["result"].clone();
        let has_more = result["more"] == true;
        cursor = result["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {heard:?}")).to_owned();
        told.push((titles(&heard), result));
        if !has_more {
            return told;
        }
        // What comes meanwhile waits until the tab has all that it missed.
        shard.alert(&format!("live{call}"));
        assert_eq!(titles(&shard.hear(tab)), Vec::<String>::new());
    }
    panic!("no end: {told:?}");
}

#[test]
fn a_resume_stops_at_its_bound_and_the_next_continues_from_there() {
    let by_number = Limits { resume_notifications: 3, ..Limits::default() };
    let by_bytes = Limits { resume_bytes: 700, ..Limits::default() };
    for (limits, most) in [(by_number, 3), (by_bytes, 4)] {
        let mut shard = OneShard::new(&limits);
        let cursor = shard.cursor();
        let missed: Vec<String> = (0..10).map(|n| format!("missed{n}")).collect();
        missed.iter().for_each(|title| shard.alert(title));
        let tab = shard.open(user("alice", &[]), None);
        let told = walk(&mut shard, tab, cursor);
        let cut = &told[..told.len() - 1];
        assert!(cut.len() >= 2, "{told:?}");
        for (titles, result) in cut {
            assert!((2..=most).contains(&titles.len()), "{told:?}");
            assert_eq!(result["complete"], false, "it has not all that it missed");
            assert_eq!(result["replayed"], titles.len());
        }
        assert_eq!(told.last().expect("an answer").1["complete"], true, "{told:?}");
        shard.alert("after");
        let mut all: Vec<String> = told.into_iter().flat_map(|(titles, _)| titles).collect();
        all.extend(titles(&shard.hear(tab)));
        let live = (0..all.len()).map(|n| format!("live{n}")).take_while(|title| all.contains(title));
        let expected: Vec<String> = missed.into_iter().chain(live).chain(["after".to_owned()]).collect();
        assert_eq!(all, expected, "each once, in order");
    }
}

/// Lets a tab of alice be evicted, as it takes nothing for its client timeout and says that it is there.
fn evicted(shard: &mut OneShard) {
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.set_room(tab, 0);
    shard.alert("not taken");
    for _ in 0..6 {
        shard.pass(Duration::from_secs(5));
        shard.say(tab, &json!({ "type": 6 }));
    }
    shard.pass(Duration::from_secs(1));
    assert_eq!(shard.core.len(), 0, "it is still there");
}

#[test]
fn two_evictions_within_a_minute_cost_a_user_the_replay_for_a_minute() {
    let mut shard = OneShard::new(&Limits::default());
    let cursor = shard.cursor();
    evicted(&mut shard);
    shard.answers_by_hand = true;
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "one eviction costs nothing");
    shard.core.link_lost(tab);
    shard.settle();
    evicted(&mut shard);
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Resume", &json!([cursor]));
    let heard = shard.hear(tab);
    let result = &answer(&heard, "1")["result"];
    assert_eq!((&result["replayed"], &result["complete"]), (&json!(0), &json!(false)), "{heard:?}");
    assert!(result["cursor"].is_string(), "it goes on from where it is");
    shard.alert("live");
    assert_eq!(titles(&shard.hear(tab)), ["live"]);
    let at_connect = shard.open(user("alice", &[]), Some(&cursor));
    shard.alert("live too");
    assert_eq!(titles(&shard.hear(at_connect)), ["live too"]);
    assert!(shard.asked.is_empty(), "the log is not read for any of them");
    let bob = shard.open(user("bob", &[]), None);
    shard.call(bob, "1", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "nobody else pays for it");
    shard.pass(LATER);
    shard.asked.clear();
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "a minute later she is as anybody");
}

/// Lines that are cut evict each of a user's tabs once, and none of them is slow.
#[test]
fn evictions_are_counted_against_the_tabs_that_a_user_has() {
    let mut shard = OneShard::new(&Limits::default());
    let cursor = shard.cursor();
    let others: Vec<_> = (0..2).map(|_| shard.open(user("alice", &[]), None)).collect();
    others.iter().for_each(|tab| shard.call(*tab, "1", "Cursor", &json!([])));
    for _ in 0..2 {
        let slow = shard.open(user("alice", &[]), None);
        shard.call(slow, "1", "Cursor", &json!([]));
        shard.set_room(slow, 0);
        shard.alert("not taken");
        for _ in 0..6 {
            shard.pass(Duration::from_secs(5));
            others.iter().chain([&slow]).for_each(|tab| shard.say(*tab, &json!({ "type": 6 })));
        }
        shard.pass(Duration::from_secs(1));
        assert_eq!(shard.core.len(), others.len(), "one is evicted");
    }
    shard.answers_by_hand = true;
    shard.call(others[0], "2", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "two of three tabs");
    others.iter().for_each(|tab| shard.core.link_lost(*tab));
    shard.settle();
    assert_eq!(shard.core.len(), 0);
    evicted(&mut shard);
    let tab = shard.open(user("alice", &[]), None);
    shard.asked.clear();
    shard.call(tab, "1", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "what three tabs had counts as that of three");
}

#[test]
fn with_a_cursor_of_another_hub_a_resume_is_not_complete() {
    let mut shard = OneShard::new(&Limits::default());
    let own = shard.cursor();
    let other = shard.of_hub(&own, "/hubs/other");
    for (cursor, complete) in [(own, true), (other, false)] {
        let tab = shard.open(user("alice", &[]), None);
        shard.call(tab, "1", "Resume", &json!([cursor]));
        assert_eq!(answer(&shard.hear(tab), "1")["result"]["complete"], complete);
    }
}

/// The node is behind the one that gave the cursor, and the cursor claims more than the client has heard.
#[test]
fn a_cursor_beside_an_incomplete_replay_claims_no_more_than_was_sent() {
    let mut shard = OneShard::new(&Limits::default());
    let here = shard.cursor();
    let here = open_cursor(&shard.seal, &here).expect("an own cursor").position;
    let mut ahead = here.clone();
    ahead.advance_to(0, here.offset(0).unwrap_or_default() + 5);
    let ahead = seal_cursor(&shard.seal, &ahead, &ReadTimes::default(), HubTag::of("/hubs/notifications"), true);
    shard.answers_by_hand = true;
    let at_connect = shard.open(user("alice", &[]), Some(&ahead));
    shard.call(at_connect, "1", "Cursor", &json!([]));
    let cursor = shard.answered_cursor(at_connect, "1");
    assert!(cursor.marked && cursor.position <= here, "nobody says that something is missing: {cursor:?}");
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });

    let again = shard.open(user("alice", &[]), None);
    shard.call(again, "1", "Resume", &json!([ahead]));
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });
    assert_eq!(answer(&shard.hear(again), "1")["result"]["complete"], false);
    let acme = GroupTemplate::parse("org:{org}").expect("sound").name(&["acme"]).expect("a name");
    shard.core.rejoined(again, &acme);
    shard.core.pump(again);
    shard.settle();
    assert_eq!(shard.asked.len(), 1, "the joined group is replayed");
    shard.call(again, "2", "Cursor", &json!([]));
    let cursor = shard.answered_cursor(again, "2");
    assert!(cursor.position <= here, "{cursor:?}");
}

/// The replay had passed what the group has missed, and ended before the group was live.
#[test]
fn a_group_that_is_joined_during_a_replay_is_replayed_behind_it() {
    let mut shard = OneShard::with(&Limits::default(), ADMINS);
    let to_admins = |shard: &mut OneShard, title: &str| {
        shard.publish("system.Alert", &json!({ "title": title, "message": "m" }));
    };
    let cursor = shard.cursor();
    to_admins(&mut shard, "before");
    shard.alert("missed");
    shard.answers_by_hand = true;
    let tab = shard.open(user("alice", &[]), Some(&cursor));
    shard.answer_next();
    shard.settle();
    assert_eq!(titles(&shard.hear(tab)), ["missed"]);
    to_admins(&mut shard, "meanwhile");
    shard.call(tab, "1", "WatchAdmins", &json!([]));
    assert_eq!(answer(&shard.hear(tab), "1")["result"], Value::Null);
    to_admins(&mut shard, "live");
    shard.answers_by_hand = false;
    shard.settle();
    assert_eq!(titles(&shard.hear(tab)), ["before", "meanwhile", "live"]);
}

/// What the replay had not passed yet comes with the rest of the group, and once.
#[test]
fn a_group_that_is_joined_during_a_replay_receives_nothing_twice() {
    let mut shard = OneShard::with(&Limits { queue_bytes: 1_024, ..Limits::default() }, ADMINS);
    let cursor = shard.cursor();
    (0..4).for_each(|n| shard.alert(&format!("missed{n}")));
    shard.publish("system.Alert", &json!({ "title": "to admins", "message": "m" }));
    shard.answers_by_hand = true;
    let tab = shard.open(user("alice", &[]), Some(&cursor));
    shard.set_room(tab, 0);
    shard.answer_next();
    shard.settle();
    shard.call(tab, "1", "WatchAdmins", &json!([]));
    shard.set_room(tab, 100_000);
    shard.answers_by_hand = false;
    shard.settle();
    assert_eq!(titles(&shard.hear(tab)), ["missed0", "missed1", "missed2", "missed3", "to admins"]);
}

/// The cursor of the last of them is beyond what the group has missed.
#[test]
fn a_group_that_is_joined_behind_resumes_that_went_on_is_replayed_from_the_first_cursor() {
    for (joins_between, is_late) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut shard = OneShard::with(&Limits { resume_notifications: 3, ..Limits::default() }, ADMINS);
        let cursor = shard.cursor();
        shard.publish("system.Alert", &json!({ "title": "before", "message": "m" }));
        (0..5).for_each(|n| shard.alert(&format!("missed{n}")));
        let tab = shard.open(user("alice", &[]), None);
        if is_late {
            shard.pass(LATE);
        }
        shard.call(tab, "1", "Resume", &json!([cursor]));
        let heard = shard.hear(tab);
        let result = &answer(&heard, "1")["result"];
        assert_eq!(result["more"], true);
        let join = |shard: &mut OneShard| shard.call(tab, "2", "WatchAdmins", &json!([]));
        if joins_between {
            join(&mut shard);
        }
        shard.call(tab, "3", "Resume", &json!([result["cursor"]]));
        if !joins_between {
            join(&mut shard);
        }
        let heard = shard.hear(tab);
        assert_eq!(answer(&heard, "3")["result"]["complete"], true);
        assert_eq!(titles(&heard), ["missed3", "missed4", "before"], "joined between them: {joins_between}, {is_late}");
    }
}

/// A page that first fetches another token, say, is quiet for longer than a connection waits.
#[test]
fn a_group_that_is_joined_behind_a_late_resume_is_replayed() {
    let mut shard = OneShard::with(&Limits::default(), ADMINS);
    let cursor = shard.cursor();
    let to_admins = json!({ "title": "before", "message": "m" });
    shard.publish("system.Alert", &to_admins);
    let join = |shard: &mut OneShard, tab, wait| {
        shard.pass(wait);
        shard.call(tab, "join", "WatchAdmins", &json!([]));
        titles(&shard.hear(tab))
    };
    for (wait, replayed) in [(Duration::ZERO, &["before"][..]), (Duration::from_secs(6), &[])] {
        let tab = shard.open(user("alice", &[]), None);
        shard.pass(LATE);
        shard.call(tab, "1", "Resume", &json!([cursor]));
        assert_eq!(answer(&shard.hear(tab), "1")["result"]["complete"], true);
        assert_eq!(join(&mut shard, tab, wait), replayed, "after {wait:?}");
    }
}

/// The join is answered by then; the next resume says so.
#[test]
fn a_group_that_cannot_be_replayed_in_full_is_counted_and_its_client_comes_back() {
    let mut shard = OneShard::with(&Limits::default(), ADMINS);
    let cursor = shard.cursor();
    let tab = shard.open(user("alice", &[]), None);
    shard.answers_by_hand = true;
    shard.call(tab, "1", "Resume", &json!([cursor]));
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });
    shard.call(tab, "2", "WatchAdmins", &json!([]));
    let incomplete = |shard: &OneShard| shard.metric("fanfare_resumes_total{outcome=\"incomplete\"}");
    assert_eq!(incomplete(&shard), "");
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: false });
    assert_eq!(incomplete(&shard), "1");
    let close = shard.hear(tab).pop().expect("a Close");
    assert_eq!((&close["type"], &close["allowReconnect"]), (&json!(7), &json!(true)));
}

/// Each join of a client that did not take the replay was noted, and each told all retained values again.
#[test]
fn a_client_that_joins_and_leaves_all_the_time_takes_no_more_memory() {
    let mut shard = OneShard::with(&Limits::default(), ADMINS);
    let cursor = shard.cursor();
    shard.answers_by_hand = true;
    let tab = shard.open(user("alice", &[]), Some(&cursor));
    for n in 0..100 {
        shard.call(tab, &n.to_string(), ["WatchAdmins", "UnwatchAdmins"][n % 2], &json!([]));
        shard.pass(Duration::from_millis(250));
    }
    shard.call(tab, "last", "WatchAdmins", &json!([]));
    assert_eq!(shard.core.noted_joins(tab), [1, 1, 0]);
}

#[test]
fn retained_values_wait_once_for_a_client_that_joins_their_group_again() {
    let mut shard = OneShard::new(&Limits::default());
    shard.turn_on("beta");
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.set_room(tab, 0);
    // More than may wait before the next is not sent yet.
    (0..100).for_each(|n| shard.alert(&format!("filling{n}")));
    let group = GroupTemplate::parse("org:{org}").expect("sound").name(&["acme"]).expect("a name");
    let joined = Membership { group, granted: None };
    (0..50).for_each(|_| shard.core.told_anew(tab, std::slice::from_ref(&joined)));
    assert_eq!(shard.core.noted_joins(tab), [0, 0, 1]);
}

/// A new log may repeat it, and a repeated event does not come live.
#[test]
fn retained_values_of_the_old_log_are_sent_to_connections_to_the_new_one() {
    let mut shard = OneShard::new(&Limits::default());
    shard.turn_on("beta");
    shard.recreate();
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    let heard = shard.hear(tab);
    assert!(heard.iter().any(|message| message["target"] == "featureFlag"), "{heard:?}");
}

/// The next call asks for the rest, and until then nothing live has a cursor beyond it.
#[test]
fn what_comes_live_between_resumes_that_go_on_does_not_pass_what_is_missed() {
    for is_late in [false, true] {
        let mut shard = OneShard::with(&Limits { resume_notifications: 3, ..Limits::default() }, ADMINS);
        let cursor = shard.cursor();
        (0..5).for_each(|n| shard.alert(&format!("missed{n}")));
        let tab = shard.open(user("alice", &[]), None);
        if is_late {
            shard.pass(LATE);
        }
        shard.call(tab, "1", "Resume", &json!([cursor]));
        let heard = shard.hear(tab);
        let more = answer(&heard, "1")["result"].clone();
        assert_eq!(more["more"], true);
        shard.alert("live");
        assert_eq!(titles(&shard.hear(tab)), [""; 0], "late: {is_late}");
        shard.call(tab, "2", "Resume", &json!([more["cursor"]]));
        assert_eq!(titles(&shard.hear(tab)), ["missed3", "missed4", "live"], "late: {is_late}");
    }
}
