//! Measures decoding and encoding: `cargo run --release -p fanfare-event --example decode`.
#![allow(clippy::print_stdout, reason = "a program that tells what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use fanfare_event::vocabulary::license::FlagToggled;
use fanfare_event::{Attributes, Id, Registry, Timestamp, TypeName, TypedEvent, encode};
use serde_json::json;

/// Few enough that a run is often not interrupted, and many runs.
const ROUNDS: u32 = 500;
const RUNS: usize = 4000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builtin();
    let flag = json!({"org": "acme", "flag": "dark-mode", "enabled": true, "changed_by": "alice", "revision": 42});
    let roles: Vec<String> = (0..50).map(|number| format!("role-{number}")).collect();
    let roles = json!({"user": "alice", "org": "acme", "roles": roles});
    let old = json!({"org": "acme", "user": null, "severity": "warning", "title": "Disk", "message": "Nearly full"});
    for (name, version, json) in
        [(FlagToggled::TYPE, None, flag), ("auth.RolesChanged", None, roles), ("system.Alert", Some(1), old)]
    {
        let event_type = registry.event_type(name).ok_or("a built-in type")?;
        let body = event_type.encode_json(version, &json)?;
        report(&format!("decode {name}, {} bytes", body.len()), || drop(black_box(registry.decode(black_box(&body)))));
        report(&format!("encode {name} from JSON"), || {
            drop(black_box(event_type.encode_json(version, black_box(&json))));
        });
    }
    let event = FlagToggled {
        org: Id::parse("acme")?,
        flag: "dark-mode".to_owned(),
        enabled: true,
        changed_by: "alice".to_owned(),
        revision: Some(42),
    };
    let attributes = Attributes {
        id: "1".to_owned(),
        source: "/license".to_owned(),
        event_type: TypeName::parse(FlagToggled::TYPE)?,
        time: Timestamp(0),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    };
    report("encode a FlagToggled, with its key", || drop(black_box(encode(attributes.clone(), black_box(&event)))));
    Ok(())
}

/// Prints the fastest of many runs: other work on the machine only ever adds time.
fn report(what: &str, mut work: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        best = best.min(start.elapsed());
    }
    println!("{:>8} ns  {what}", (best / ROUNDS).as_nanos());
}
