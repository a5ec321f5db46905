//! Text in the arguments of a call: what a text area holds, what one line holds, and what may not be empty.

use fanfare_e2e_tests::{Tab, Token};
use serde_json::{Value, json};

use super::scene::{node, tab_of};

const DOCUMENT: &str = include_str!("../../../../docs/configuration.md");

/// The method `BroadcastAlert` of the documents, word for word.
fn documented() -> String {
    let from = DOCUMENT.find("[hub.\"/hubs/lists\".method.BroadcastAlert]").expect("the documents' method");
    let length = DOCUMENT[from..].find("\n\n").expect("its end");
    DOCUMENT[from..from + length].to_owned()
}

const PLAIN: &str = r#"
[hub."/hubs/lists".method.Line]
arguments = [{ name = "text", single_line = true }]
allow = true
publish = { event = "system.Alert", fields = { org = "{org}", title = "t", message = "{text}" } }

[hub."/hubs/lists".method.Needed]
arguments = [{ name = "text", required = true }]
allow = true
publish = { event = "system.Alert", fields = { org = "{org}", title = "t", message = "{text}" } }
"#;

async fn refused(tab: &mut Tab, method: &str, arguments: Value, why: &str) {
    let error = tab.invoke(method, arguments).await.expect_err("a refusal");
    assert!(error.ends_with(why), "{method}: {error}");
}

#[tokio::test]
async fn the_documented_alert_takes_what_a_text_area_holds() {
    let node = node(&documented()).await;
    let admin = Token::user("bob", "acme").roles(&["admin"]).claim("plan", "team");
    let mut bob = tab_of(&node, &admin).await;
    for message in
        ["Dear all,\n\n\tthe lift is broken.\r\nThe janitor", "", " ", "\u{201e}Gr\u{fc}\u{df}e\u{201c} \u{1f6d7}"]
    {
        bob.invoke("BroadcastAlert", json!(["Lift", message])).await.expect("an id");
        let toast = bob.expect("toast").await;
        assert_eq!((&toast["title"], &toast["message"]), (&json!("Lift"), &json!(message)));
    }
    refused(
        &mut bob,
        "BroadcastAlert",
        json!(["two\nlines", "m"]),
        "`title` must be a single line without tabs and other control characters.",
    )
    .await;
    refused(&mut bob, "BroadcastAlert", json!(["", "m"]), "`title` must not be blank.").await;
    refused(&mut bob, "BroadcastAlert", json!(["t", "m".repeat(1001)]), "`message` is longer than 1000 characters.")
        .await;
    refused(
        &mut bob,
        "BroadcastAlert",
        json!(["t", "a bell \u{7}"]),
        "`message` must not hold control characters other than line breaks and tabs.",
    )
    .await;
}

#[tokio::test]
async fn a_line_may_be_empty_and_a_needed_text_may_have_lines() {
    let node = node(PLAIN).await;
    let mut tab = tab_of(&node, &Token::user("alice", "acme")).await;
    for (method, text) in [("Line", ""), ("Line", "one line"), ("Needed", "two\n\tlines")] {
        tab.invoke(method, json!([text])).await.expect("an id");
        assert_eq!(tab.expect("toast").await["message"], text, "{method}");
    }
    refused(
        &mut tab,
        "Line",
        json!(["two\nlines"]),
        "`text` must be a single line without tabs and other control characters.",
    )
    .await;
    refused(
        &mut tab,
        "Line",
        json!(["a\ttab"]),
        "`text` must be a single line without tabs and other control characters.",
    )
    .await;
    refused(&mut tab, "Needed", json!([""]), "`text` must not be blank.").await;
    refused(&mut tab, "Needed", json!([" \n"]), "`text` must not be blank.").await;
}
