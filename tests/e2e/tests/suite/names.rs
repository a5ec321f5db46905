//! Users, orgs and sessions of any alphabet, through the subjects and keys of each broker and the operator's port.

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Token};
use serde_json::json;

const USERS: [&str; 8] = [
    "auth0|64f0c2",
    "_eNtra",
    "urn:acme:user:17",
    "anna+test@example.org",
    "j\u{fc}rgen",
    "a b/c.*>",
    "~%2A{x}",
    "\u{674e}\u{96f7} \u{1f642}",
];

/// A value of the largest length, longer than a subject or key holds when it is encoded.
fn longest() -> String {
    "\u{fc}".repeat(256)
}

async fn any_name_goes_through(kind: Kind) {
    let Some(broker) = Backplane::start(kind).await else { return };
    let settings = Settings::default().broker(&broker.config(0));
    let settings = if matches!(kind, Kind::Embedded) { settings } else { settings.secret(SECRET) };
    let node = Node::start_with(settings).await;
    let bearer = node.fanfare(&["token", "--operator"]).await.stdout;
    let users: Vec<String> = USERS.map(str::to_owned).into_iter().chain([longest()]).collect();
    for (number, user) in users.iter().enumerate() {
        let org = if number + 1 == users.len() { longest() } else { format!("org {number} of {user}") };
        let token = Token::user(user, &org).session(user);
        let mut tab = node.tab(&token).await;
        let body = json!({ "org": org, "user": user, "title": user, "message": "m" });
        node.publish(&[NewEvent::new("system.Alert", &format!("alert-{number}"), &body)]).await;
        assert_eq!(tab.expect("toast").await["title"], *user, "{org}");
        // The address of state contains the org and its key.
        let flag = json!({ "org": org, "flag": user, "enabled": true, "revision": number + 1 });
        node.publish(&[NewEvent::new("license.FlagToggled", &format!("flag-{number}"), &flag)]).await;
        assert_eq!(tab.expect("featureFlag").await["flag"], *user, "{org}");

        let encoded: String = user.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let ask =
            async |request: Request| request.bearer(bearer.trim()).send(node.admin_address()).await.expect("an answer");
        let listed = until("the connection", async || {
            let page = ask(Request::get(format!("/connections?user={encoded}"))).await.expect(200).json();
            page["connections"].get(0).cloned()
        })
        .await;
        assert_eq!((&listed["user"], &listed["org"]), (&json!(user), &json!(org)), "{listed}");
        ask(Request::new("DELETE", format!("/users/{encoded}/connections"))).await.expect(202);
        assert!(matches!(tab.next().await, Message::Close(Some(_), false)), "{user}");

        let mut again = node.tab(&token).await;
        let out = json!({ "user": user, "org": org, "session": user, "reason": "bye" });
        node.publish(&[NewEvent::new("auth.UserLoggedOut", &format!("out-{number}"), &out)]).await;
        loop {
            match again.next().await {
                Message::Notification(target, _) if target == "logout" => break,
                Message::Notification(..) => {}
                other => panic!("{other:?} of {user}"),
            }
        }
        assert_eq!(node.negotiate(token.sign()).await, 401, "{user}");
    }
    assert!(node.lines("dead letter").is_empty(), "{}", node.log());
}

#[tokio::test]
async fn any_name_survives_the_embedded_log() {
    any_name_goes_through(Kind::Embedded).await;
}

#[tokio::test]
async fn any_name_survives_natss_subjects() {
    any_name_goes_through(Kind::Nats).await;
}

#[tokio::test]
async fn any_name_survives_kafkas_keys() {
    any_name_goes_through(Kind::Kafka).await;
}
