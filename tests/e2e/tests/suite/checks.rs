//! `fanfare check` refuses what would lock everybody out or let other orgs listen, and the line that it names mends it.

use fanfare_e2e_tests::process::expect_parts;
use fanfare_e2e_tests::{Node, Settings};

/// An issuer of users whose keys nobody fetches here.
fn issuer(name: &str, more: &str) -> String {
    format!("[[issuer]]\nissuer = \"https://{name}\"\njwks = \"https://{name}/keys\"\nusers = true\n{more}")
}

/// What a check of these settings tells; nothing if it finds no fault.
async fn faults(settings: &Settings) -> String {
    let outcome = Node::prepare(settings.clone()).fanfare(&["check"]).await;
    assert_eq!(outcome.code == Some(0), outcome.stderr.is_empty(), "{outcome:?}");
    outcome.stderr
}

#[tokio::test]
async fn a_role_that_no_token_can_have_locks_everybody_out() {
    let hub = "[hub.\"/hubs/notifications\"]\nrequire_roles = [\"operator\"]\n";
    let settings =
        |roles: &str| Settings { hubs: hub.to_owned(), ..Settings::default().section(&issuer("own", roles)) };
    let told = faults(&settings("roles = [\"reader\"]")).await;
    expect_parts(
        &told,
        &["fanfare.toml:", "nobody could connect to /hubs/notifications: no token can carry \"operator\""],
    );
    expect_parts(&told, &["add \"operator\" to `roles` of the [[issuer]] that gives it"]);
    assert_eq!(faults(&settings("roles = [\"reader\", \"operator\"]")).await, "");
}

#[tokio::test]
async fn two_issuers_of_users_are_told_each_line_that_keeps_them_apart() {
    let settings = |own: &str, partner: &str| {
        Settings::default().section(&issuer("own", own)).section(&issuer("partner", partner))
    };
    let told = faults(&settings("", "")).await;
    for name in ["https://own", "https://partner"] {
        for key in ["realm", "orgs", "roles"] {
            let fault = format!("{name} is one of several issuers of users and says no `{key}`");
            assert_eq!(told.lines().filter(|line| line.contains(&fault)).count(), 1, "{fault}: {told}");
        }
    }
    let lines = ["realm = \"partner\"", "orgs = [\"acme\"]", "roles = [\"*\"]"];
    expect_parts(&told, &lines);
    // The lines are right as they stand.
    let own = "realm = \"own\"\norgs = [\"*\"]\nroles = [\"*\", \"superadmin\"]";
    assert_eq!(faults(&settings(own, &lines.join("\n"))).await, "");
}

#[tokio::test]
async fn an_issuer_that_does_not_say_whether_it_has_users_is_told_to() {
    let issuer = |more: &str| {
        Settings::default()
            .section(&format!("[[issuer]]\nissuer = \"https://own\"\njwks = \"https://own/keys\"\n{more}"))
    };
    let told = faults(&issuer("")).await;
    expect_parts(&told, &["https://own does not say whether it issues tokens of users", "write users = true"]);
    assert_eq!(faults(&issuer("users = true")).await, "");
}

#[tokio::test]
async fn an_event_without_an_org_is_told_every_way_to_say_it() {
    let settings = |field: &str, route: &str| {
        let schema = format!(
            r#"{{"type":"record","name":"Closed","fields":[{{"name":"tenant","type":"string"{field}}},{{"name":"team","type":"string"}}]}}"#
        );
        let routes = format!(
            "hub = \"/hubs/notifications\"\n[[route]]\nname = \"closed\"\nevent = \"shop.Closed\"\ngroups = [\"user:{{team}}\"]\n\
             send = {{ target = \"closed\", arguments = [\"{{team}}\"] }}\n{route}"
        );
        Settings { routes, schemas: vec![("shop/Closed.v1.avsc".to_owned(), schema)], ..Settings::default() }
    };
    let told = faults(&settings("", "")).await;
    expect_parts(&told, &["routes.toml:4:", "shop.Closed says no org, so groups of other orgs would hear of it too"]);
    expect_parts(&told, &["the alias `org`", "cross_org = true", "single_org = \"name\" in [routes]"]);
    assert_eq!(faults(&settings(r#","aliases":["org"]"#, "")).await, "");
    assert_eq!(faults(&settings("", "cross_org = true")).await, "");
    let node = Node::prepare(settings("", ""));
    node.edit_config("path = \"routes.toml\"", "path = \"routes.toml\"\nsingle_org = \"acme\"");
    let outcome = node.fanfare(&["check"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
