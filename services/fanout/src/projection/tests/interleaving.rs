//! Two nodes that have read the same log know the same, whatever batches and order of partitions they read it in.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Loaded;

/// How many partitions there are.
const PARTITIONS: u32 = 3;

const ROUTES: &str = r#"
hub = "/hub"
[[route]]
name = "on"
event = "license.FlagToggled"
groups = ["org:{org}"]
featureFlag = { flag = "{flag}", enabled = "{enabled}" }
retain = true
[[route]]
name = "on-by-flag"
event = "license.FlagToggled"
groups = ["flag:{flag}"]
featureFlag = { flag = "{flag}", enabled = "{enabled}" }
retain = true
[[route]]
name = "off"
event = "license.FlagRemoved"
groups = ["org:{org}"]
featureFlag = { flag = "{flag}", enabled = false }
retain = "remove"
[[route]]
name = "out"
event = "auth.UserLoggedOut"
groups = ["user:{user}"]
logout = { user = "{user}", session = "{session}", reason = "{reason}" }
[[route]]
name = "roles"
event = "auth.RolesChanged"
groups = ["user:{user}"]
toast = { severity = "info", title = "Roles", message = "changed" }
roles = { user = "{user}", org = "{org}", roles = "{roles}" }
[[route]]
name = "added"
event = "lists.Added"
grant = { user = "{user}", group = "list:{list}" }
[[route]]
name = "removed"
event = "lists.Removed"
withdraw = { user = "{user}", group = "list:{list}" }
"#;

/// Lists that events let users into, beside the demo platform's types.
fn lists() -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    };
    for name in ["Added", "Removed"] {
        let schema = json!({
            "type": "record", "name": name, "namespace": "fanfare.lists", "doc": "Who works on a list.",
            "fanfare.key": ["user", "list"], "fanfare.revision": "revision",
            "fields": [
                { "name": "org", "type": "string", "doc": "Its org." },
                { "name": "user", "type": "string", "doc": "Who." },
                { "name": "list", "type": "string", "doc": "On which list." },
                { "name": "revision", "type": ["null", "long"], "default": null, "doc": "Its revision." },
            ],
        });
        write(&format!("schemas/lists/{name}.v1.avsc"), &schema.to_string());
    }
    write(
        "fanfare.toml",
        "[node]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata = \"data\"\n\
         [broker]\nurl = \"embedded:log\"\n[schemas]\npath = \"schemas\"\n[routes]\npath = \"routes.toml\"\n\
         [hub.\"/hub\"]\npublic = true\n\
         method.Watch = { arguments = [\"flag\"], allow = true, join = \"flag:{flag}\" }\n\
         method.Join = { arguments = [\"list\"], allow = true, join = \"list:{list}\" }\n",
    );
    write("routes.toml", ROUTES);
    let loaded = Loaded::load(&folder.path().join("fanfare.toml"));
    Scene::of(loaded.unwrap_or_else(|faults| panic!("{faults:?}")))
}

/// Something that is published: what it is, about which of two things, with which revision, in which partition, and
/// how long after the one before.
type Step = (usize, usize, Option<i64>, u32, i64);

fn record(scene: &mut Scene, offset: u64, time: i64, step: Step) -> Record {
    let (kind, which, revision, partition, _) = step;
    let (flag, user) = (["beta", "dark"][which], ["alice", "bob"][which]);
    let revision = json!(revision);
    let (name, body) = match kind {
        0 | 1 => {
            ("license.FlagToggled", json!({ "org": "acme", "flag": flag, "enabled": kind == 0, "revision": revision }))
        }
        2 => ("license.FlagRemoved", json!({ "org": "acme", "flag": flag, "revision": revision })),
        3 => ("auth.UserLoggedOut", json!({ "org": "acme", "user": user, "revision": revision })),
        4 => ("auth.UserLoggedOut", json!({ "org": "acme", "user": user, "session": "s1", "revision": revision })),
        5 => (
            "auth.RolesChanged",
            json!({ "org": "acme", "user": user, "roles": ["admin", "user"], "revision": revision }),
        ),
        6 => ("auth.RolesChanged", json!({ "org": "acme", "user": user, "roles": ["user"], "revision": revision })),
        7 => ("lists.Added", json!({ "org": "acme", "user": user, "list": "7", "revision": revision })),
        _ => ("lists.Removed", json!({ "org": "acme", "user": user, "list": "7", "revision": revision })),
    };
    let record = scene.event_at(time, name, &body.to_string());
    Record { partition, offset, ..record }
}

/// The log of these steps, partition by partition.
fn log(scene: &mut Scene, steps: &[Step]) -> Vec<Vec<Record>> {
    let mut log = vec![Vec::new(); PARTITIONS as usize];
    let mut time = 1_000_000;
    for step in steps {
        time += step.4;
        let partition: &mut Vec<Record> = &mut log[step.3 as usize];
        let record = record(scene, partition.len() as u64 + 1, time, *step);
        partition.push(record);
    }
    log
}

/// Reads each partition in its order, and between them as the choices say.
fn read(scene: &Scene, log: &[Vec<Record>], choices: impl Iterator<Item = usize>) -> Projection {
    let mut known = Projection::new(Position::start(1), &BOUNDS);
    let mut next = vec![0; log.len()];
    let mut choices = choices;
    while (0..log.len()).any(|partition| next[partition] < log[partition].len()) {
        let open: Vec<usize> = (0..log.len()).filter(|partition| next[*partition] < log[*partition].len()).collect();
        let partition = open[choices.next().unwrap_or(0) % open.len()];
        let record = &log[partition][next[partition]];
        next[partition] += 1;
        let event = scene.decode(record);
        known.fold(record, &event, &scene.routes.route(&event));
    }
    known
}

/// What users of the projection are told, in words.
fn told(known: &Projection) -> Vec<String> {
    let (hub, mut told) = (Arc::from("/hub"), Vec::new());
    let group = |text: &str, value: &str| GroupTemplate::parse(text).expect("valid").name(&[value]).expect("valid");
    for name in [group("org:{org}", "acme"), group("flag:{flag}", "beta"), group("flag:{flag}", "dark")] {
        let held = known.retained().for_groups(&hub, std::iter::once(&name));
        told.extend(held.iter().map(|value| format!("{name} {:?} by {}", value.place, value.route.name())));
    }
    for user in ["alice", "bob"] {
        for issued_at in [0, 1000, 1500, 3000] {
            let claims = claims(user, "acme", &["token"], "s1", issued_at);
            told.push(format!("{user} {issued_at}: {} {:?}", known.refuses(&claims), known.roles_of(&claims)));
            let who = crate::vocabulary::Identity::new(Arc::new(claims), None, |_| false).expect("an identity");
            told.push(format!("{:?}", known.grants().state(&hub, &who, &group("list:{list}", "7"))));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_interleaving_of_partitions_ends_alike(
        steps in prop::collection::vec(
            (0usize..9, 0usize..2, prop::option::of(0i64..5), 0u32..PARTITIONS, 0i64..3_000), 1..30),
        choices in prop::collection::vec(any::<usize>(), 30),
        others in prop::collection::vec(any::<usize>(), 30),
    ) {
        let mut scene = lists_once();
        let log = log(&mut scene, &steps);
        let one = read(&scene, &log, choices.into_iter());
        let two = read(&scene, &log, others.into_iter());
        // One partition after the other, as a node reads back what is far behind.
        let three = read(&scene, &log, std::iter::repeat(0));
        prop_assert_eq!(told(&one), told(&two));
        prop_assert_eq!(told(&one), told(&three));
        prop_assert_eq!((one.digest(), one.position()), (two.digest(), two.position()));
        prop_assert_eq!(one.digest(), three.digest());
    }

    /// State that is read ahead changes nothing: the log says the same once more.
    #[test]
    fn state_that_is_read_ahead_ends_alike(
        steps in prop::collection::vec(
            (0usize..9, 0usize..2, prop::option::of(0i64..5), 0u32..PARTITIONS, 0i64..3_000), 1..20),
        choices in prop::collection::vec(any::<usize>(), 20),
    ) {
        let mut scene = lists_once();
        let log = log(&mut scene, &steps);
        let plain = read(&scene, &log, choices.iter().copied());
        let mut ahead = Projection::new(Position::start(1), &BOUNDS);
        for record in log.iter().flatten().rev() {
            let event = scene.decode(record);
            ahead.fold_state(record, &event, &scene.routes.route(&event));
        }
        for record in log.iter().flatten() {
            let event = scene.decode(record);
            ahead.fold(record, &event, &scene.routes.route(&event));
        }
        prop_assert_eq!(told(&plain), told(&ahead));
        prop_assert_eq!(plain.digest(), ahead.digest());
    }
}

/// Loading schemas and routes takes longer than a case.
fn lists_once() -> Scene {
    static LISTS: std::sync::OnceLock<Scene> = std::sync::OnceLock::new();
    LISTS.get_or_init(lists).again()
}

#[test]
fn two_nodes_that_know_different_things_differ() {
    let mut scene = lists_once();
    let all = log(&mut scene, &[(0, 0, None, 0, 1), (7, 0, None, 1, 1)]);
    let known = read(&scene, &all, std::iter::repeat(0));
    for partition in 0..2 {
        let mut less = all.clone();
        less[partition].clear();
        let mut less = read(&scene, &less, std::iter::repeat(0));
        less.continue_from(known.position().clone());
        assert_ne!(less.digest(), known.digest(), "without partition {partition}");
    }
}
