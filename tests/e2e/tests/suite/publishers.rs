//! The short publishers in `examples/publishers`, run where their language is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use fanfare_e2e_tests::{Node, Tab, Token, process};
use fanfare_test_servers::skip;
use serde_json::Value;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/publishers").join(name)
}

/// Whether a program is installed.
fn has(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn publish(node: &Node, mut command: Command, arguments: &[&str]) -> Value {
    command.args(arguments).env("FANFARE_URL", node.url()).env("FANFARE_TOKEN", Token::producer().sign());
    let outcome = process::run(command).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(outcome.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// The event arrives, and the same id again is the same event.
async fn publishes(command: impl Fn() -> Command) {
    let node = Node::start_default().await;
    let mut tab: Tab = node.tab(&Token::user("alice", "acme")).await;
    let first = publish(&node, command(), &["Hello", "example-1"]).await;
    assert_eq!((&first["id"], &first["duplicate"]), (&"example-1".into(), &false.into()), "{first}");
    assert_eq!(tab.expect("toast").await["title"], "Hello");
    let again = publish(&node, command(), &["Hello", "example-1"]).await;
    assert_eq!(again["duplicate"], true, "{again}");
    let other = publish(&node, command(), &[]).await;
    assert_ne!(other["id"], "example-1", "{other}");
    assert_eq!(tab.expect("toast").await["title"], "Hello");
}

#[tokio::test]
async fn curl_publishes() {
    if has("curl", &["--version"]).is_none() {
        return skip("the publisher with curl", "there is no curl");
    }
    publishes(|| Command::new(example("publish.sh"))).await;
}

#[tokio::test]
async fn python_publishes() {
    if has("python3", &["--version"]).is_none() {
        return skip("the publisher in Python", "there is no python3");
    }
    publishes(|| {
        let mut command = Command::new("python3");
        command.arg(example("publish.py"));
        command
    })
    .await;
}

#[tokio::test]
async fn java_publishes() {
    if has("java", &["--version"]).is_none() {
        return skip("the publisher in Java", "there is no java");
    }
    publishes(|| {
        let mut command = Command::new("java");
        command.arg(example("Publish.java"));
        command
    })
    .await;
}

#[tokio::test]
async fn typescript_publishes() {
    let Some(script) = typescript() else {
        return skip("the publisher in TypeScript", "there is neither Node.js 22.18 nor the page's bundler");
    };
    publishes(|| {
        let mut command = Command::new("node");
        command.arg(script.path().join("publish.mjs"));
        command
    })
    .await;
}

/// The example for Node.js: unchanged from 22.18 on, before that without its types.
fn typescript() -> Option<tempfile::TempDir> {
    let folder = tempfile::TempDir::new().ok()?;
    let script = folder.path().join("publish.mjs");
    let source = example("publish.ts").canonicalize().ok()?;
    let version = has("node", &["--version"])?;
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (numbers.next()?, numbers.next()?) >= (22, 18) {
        std::fs::write(&script, format!("import {:?};\n", source.display().to_string())).ok()?;
    } else {
        let bundler = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/node_modules/.bin/rolldown");
        has(bundler, &[source.to_str()?, "--file", script.to_str()?, "--format", "esm", "--platform", "node"])?;
    }
    Some(folder)
}

#[tokio::test]
async fn csharp_publishes() {
    let version = has("dotnet", &["--version"]);
    let major = version.as_deref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if major.is_none_or(|major| major < 10) {
        return skip("the publisher in C#", "there is no dotnet 10 on the PATH");
    }
    // A folder of its own: dotnet's output does not belong in the source tree, and other settings do not apply there.
    let folder = tempfile::TempDir::new().expect("a folder");
    let script = folder.path().join("Publish.cs");
    std::fs::copy(example("Publish.cs"), &script).expect("a copy");
    let built = Command::new("dotnet").args(["build", "-o"]).arg(folder.path().join("out")).arg(&script).output();
    let built = built.expect("started");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
    publishes(|| {
        let mut command = Command::new("dotnet");
        command.arg(folder.path().join("out/Publish.dll"));
        command
    })
    .await;
}
