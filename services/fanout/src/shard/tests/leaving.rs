//! What waits for a tab that may no longer hear it.

use serde_json::json;

use super::{Limits, OneShard, ReplayAnswer, titles, user};

/// An alert to the platform's admins, whatever their org.
fn alert_to_admins(shard: &mut OneShard, title: &str) {
    shard.publish("system.Alert", &json!({ "title": title, "message": "m" }));
}

/// Alice is an admin no more.
fn demote(shard: &mut OneShard) {
    shard.publish("auth.RolesChanged", &json!({ "user": "alice", "org": "acme", "roles": [], "revision": 2 }));
}

#[test]
fn what_waits_for_a_tab_that_catches_up_is_not_sent_once_it_has_left_the_group() {
    for (is_demoted, told) in [(false, vec!["secret"]), (true, vec!["Your roles changed"])] {
        let mut shard = OneShard::new(&Limits::default());
        let tab = shard.open(user("alice", &["admin"]), None);
        alert_to_admins(&mut shard, "secret");
        if is_demoted {
            demote(&mut shard);
        }
        assert_eq!(titles(&shard.hear(tab)), Vec::<String>::new(), "it has not said where it stands");
        shard.call(tab, "1", "Cursor", &json!([]));
        assert_eq!(titles(&shard.hear(tab)), told);
    }
}

#[test]
fn what_waits_for_a_replay_is_not_sent_once_the_tab_has_left_the_group() {
    let mut shard = OneShard::new(&Limits::default());
    let cursor = shard.cursor();
    let tab = shard.open(user("alice", &["admin"]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.answers_by_hand = true;
    shard.call(tab, "2", "Resume", &json!([cursor]));
    alert_to_admins(&mut shard, "secret");
    shard.alert("for all");
    demote(&mut shard);
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });
    assert_eq!(titles(&shard.hear(tab)), ["for all", "Your roles changed"]);
}

/// The log is read again for it, by the groups that it has by then.
#[test]
fn missed_notifications_are_not_read_again_for_a_slow_tab_that_has_left_the_group() {
    for (is_demoted, last) in [(false, "secret"), (true, "Your roles changed")] {
        let mut shard = OneShard::new(&Limits { queue_bytes: 1_024, ..Limits::default() });
        let tab = shard.open(user("alice", &["admin"]), None);
        shard.call(tab, "1", "Cursor", &json!([]));
        shard.set_room(tab, 0);
        let filling: Vec<String> = (0..10).map(|n| format!("filling{n}")).collect();
        filling.iter().for_each(|title| shard.alert(title));
        alert_to_admins(&mut shard, "secret");
        if is_demoted {
            demote(&mut shard);
        }
        shard.set_room(tab, usize::MAX);
        let expected: Vec<String> = filling.into_iter().chain([last.to_owned()]).collect();
        assert_eq!(titles(&shard.hear(tab)), expected);
    }
}
