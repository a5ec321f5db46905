//! Methods with a rate limit.

use std::time::Duration;

use fanfare_e2e_tests::{Node, Token};
use serde_json::{Value, json};

use super::scene::{node, settings, tab, tab_of};

const METHODS: &str = r#"
rate = { per = "hub", calls = 60, seconds = 600, error = "The hub is busy." }
method.Ten = { allow = true, join = "list:x", rate = { per = "user", calls = 10, seconds = 2, error = "Rate limit exceeded. Please try again later." } }
method.Each = { allow = true, join = "list:x", rate = [{ per = "connection", calls = 3, seconds = 600 }] }
method.Other = { allow = true, join = "list:x" }
"#;

const EXCEEDED: &str = "An unexpected error occurred invoking 'Ten' on the server. HubException: Rate limit exceeded. Please try again later.";

#[tokio::test]
async fn the_rate_of_a_users_calls_counts_all_their_tabs_and_the_next_call_is_refused_at_once() {
    let node = node(METHODS).await;
    let (mut one, mut two) = (tab(&node, "alice").await, tab(&node, "alice").await);
    for tab in [&mut one, &mut two] {
        for _ in 0..5 {
            assert_eq!(tab.invoke("Ten", json!([])).await, Ok(Value::Null));
        }
    }
    for tab in [&mut one, &mut two] {
        assert_eq!(tab.invoke("Ten", json!([])).await, Err(EXCEEDED.to_owned()));
    }
    let mut bob = tab_of(&node, &Token::user("bob", "acme")).await;
    assert_eq!(bob.invoke("Ten", json!([])).await, Ok(Value::Null), "another user has a count of their own");
    assert_eq!(one.invoke("Other", json!([])).await, Ok(Value::Null), "and so has another method");
    assert_eq!(node.metric("fanfare_invocations_total", "rate_limited").await, 2.0);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(two.invoke("Ten", json!([])).await, Ok(Value::Null), "the next span has begun");
}

#[tokio::test]
async fn connections_and_the_hub_as_a_whole_have_rates() {
    let node = node(METHODS).await;
    for _ in 0..2 {
        let mut tab = tab(&node, "alice").await;
        for _ in 0..3 {
            assert_eq!(tab.invoke("Each", json!([])).await, Ok(Value::Null));
        }
        let error = tab.invoke("Each", json!([])).await.expect_err("too many");
        assert!(error.contains("HubException: Too many calls. Try again in 6"), "{error}");
    }
    let mut bob = tab(&node, "bob").await;
    let passed = {
        let mut passed = 0;
        while bob.invoke("Other", json!([])).await.is_ok() {
            passed += 1;
        }
        passed
    };
    assert_eq!(passed, 52, "of 60 eight were counted before");
    let error = bob.invoke("Other", json!([])).await.expect_err("too many");
    assert!(error.ends_with("HubException: The hub is busy."), "{error}");
    bob.cursor().await;
}

#[tokio::test]
async fn calls_from_an_address_have_a_rate() {
    let methods =
        r#"method.One = { allow = true, join = "list:x", rate = { per = "address", calls = 2, seconds = 600 } }"#;
    let mut settings = settings(methods);
    settings.node.push_str("trusted_proxies = []\n");
    let node = Node::start_with(settings).await;
    let (mut alice, mut bob) = (tab(&node, "alice").await, tab(&node, "bob").await);
    assert!(alice.invoke("One", json!([])).await.is_ok() && bob.invoke("One", json!([])).await.is_ok());
    assert!(alice.invoke("One", json!([])).await.is_err() && bob.invoke("One", json!([])).await.is_err());
}
