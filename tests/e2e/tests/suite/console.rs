//! The operator's console, as served; `tests/clients/console.test.mjs` uses it.

use fanfare_e2e_tests::{Node, Request};

#[tokio::test]
async fn the_console_is_served_to_everybody_and_holds_no_data() {
    let node = Node::start_default().await;
    let get = async |path: &str| Request::get(path).send(node.admin_address()).await.expect("an answer");
    let index = get("/").await.expect(200);
    let policy = index.header("content-security-policy").expect("a policy").to_owned();
    for part in
        ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
    let page = index.text();
    let mut files: Vec<&str> = page.split("\"/console/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    files.sort_unstable();
    assert_eq!(files, ["console.css", "console.js", "icon.svg"], "{page}");
    for file in files {
        let answer = get(&format!("/console/{file}")).await.expect(200);
        assert_eq!(answer.header("content-security-policy"), Some(policy.as_str()));
    }
    for path in ["/console/none.js", "/console/%2e%2e%2fCargo.toml", "/console.js"] {
        get(path).await.expect(404);
    }
    for path in ["/nodes", "/routes", "/config", "/whoami", "/connections", "/deadletters", "/events/x", "/node/state"]
    {
        let refused = get(path).await.expect(401).json();
        assert!(refused["error"].as_str().is_some_and(|error| error.contains("--operator")), "{refused}");
    }
    // The public port does not serve it.
    for path in ["/nodes", "/console/console.js", "/whoami"] {
        Request::get(path).send(node.address()).await.expect("an answer").expect(404);
    }
}
