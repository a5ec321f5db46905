//! Another token for an open connection, as the shard judges it in its own turn: after the request was found good.

use std::sync::Arc;

use fanfare_event::Id;
use fanfare_token::Claims;
use serde_json::json;

use super::super::{Key, NotRefreshed};
use super::{Limits, OneShard, closed, titles};
use crate::connection::ConnectionId;
use crate::scene::claims;
use crate::vocabulary::Identity;

fn who(claims: Claims) -> Identity {
    Identity::new(Arc::new(claims), None, |_| false).expect("the own org")
}

/// Alice's token of this second.
fn alice(roles: &[&str], issued_at: i64) -> Claims {
    claims("alice", "acme", roles, "s", issued_at)
}

/// A tab that was opened with this token, and has said where it stands.
fn open(shard: &mut OneShard, claims: Claims) -> Key {
    let tab = shard.open(who(claims), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.hear(tab);
    tab
}

/// The answer to another token for the only tab.
fn refresh(shard: &mut OneShard, claims: Claims) -> Result<Option<i64>, NotRefreshed> {
    let path = Arc::clone(&shard.hub.path);
    shard.core.refresh(ConnectionId::from_random(1), &path, Some(who(claims)))
}

/// The tab is as it was.
fn still_hears(shard: &mut OneShard, tab: Key) {
    shard.alert("news");
    let heard = shard.hear(tab);
    assert_eq!((titles(&heard), closed(&heard)), (vec!["news".to_owned()], None));
}

/// The request was checked before a logout was read, which the shard has applied meanwhile.
#[test]
fn a_token_of_before_a_logout_is_refused_on_a_tab_of_after_it() {
    let mut shard = OneShard::new(&Limits::default());
    shard.publish("auth.UserLoggedOut", &json!({ "org": "acme", "user": "alice", "session": null, "reason": "bye" }));
    let tab = open(&mut shard, alice(&["user"], 7));
    assert_eq!(refresh(&mut shard, alice(&["user"], 1)), Err(NotRefreshed::LoggedOut));
    still_hears(&mut shard, tab);
    assert_eq!(refresh(&mut shard, alice(&["user"], 8)), Ok(Some(3608)));
}

#[test]
fn a_token_without_the_roles_of_the_hub_is_refused_and_the_tab_keeps_its_own() {
    let mut shard = OneShard::new(&Limits::default());
    Arc::make_mut(&mut shard.hub).require_roles = Some(vec!["user".to_owned()]);
    let tab = open(&mut shard, alice(&["user"], 1));
    assert_eq!(refresh(&mut shard, alice(&["guest"], 2)), Err(NotRefreshed::Forbidden));
    still_hears(&mut shard, tab);
    // By the roles that count: those of an event, where there is one of later than the token.
    shard.publish("auth.RolesChanged", &json!({ "user": "alice", "org": "acme", "roles": ["user"], "revision": 2 }));
    shard.hear(tab);
    assert_eq!(refresh(&mut shard, alice(&["guest"], 2)), Ok(Some(3602)));
    still_hears(&mut shard, tab);
}

#[test]
fn a_token_of_another_caller_is_refused() {
    let mut shard = OneShard::new(&Limits::default());
    let own = || Claims { realm: Some(Arc::from("partner")), ..alice(&[], 1) };
    let tab = open(&mut shard, own());
    let id = |text| Some(Id::parse(text).expect("an id"));
    for (what, other) in [
        ("another realm", Claims { realm: Some(Arc::from("ours")), ..own() }),
        ("no realm", Claims { realm: None, ..own() }),
        ("another user", Claims { user: Id::parse("bob").expect("an id"), ..own() }),
        ("another session", Claims { session: id("another"), ..own() }),
        ("another org", Claims { org: id("globex"), ..own() }),
    ] {
        assert_eq!(refresh(&mut shard, other), Err(NotRefreshed::OtherCaller), "{what}");
    }
    assert_eq!(refresh(&mut shard, Claims { issued_at: 2, ..own() }), Ok(Some(3601)));
    still_hears(&mut shard, tab);
}
