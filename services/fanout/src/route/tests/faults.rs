//! What a route file may not say, and what is told of it.

use super::*;

/// A sound route; each case replaces one line of it.
const SOUND: &str = r#"hub = "/hubs/tasks"
[[route]]
name = "t"
event = "tasks.TaskChanged"
groups = ["org:{org}"]
toast = { severity = "{level}", title = "{task_id}", message = "m" }
"#;

const TOAST: &str = "toast = { severity = \"{level}\", title = \"{task_id}\", message = \"m\" }";

fn told(text: &str) -> Vec<String> {
    match compile(text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// Lines that replace or follow a line of a sound flag route, and the fault expected of them.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("name", r#"name = "a b""#, r#"3:8: "a b" is not a name (1 to 64 letters"#),
    ("name", "", "2:1: [[route]] needs the key `name`"),
    ("name", "name = 7", "3:8: `name` of [[route]] must be a string, not an integer"),
    ("event", r#"event = "license.FlagTogled""#, "4:9: there is no event `license.FlagTogled` (did you mean `license.FlagToggled`?)"),
    ("event", r#"event = "nothing""#, "4:9: there is no event `nothing` (known: auth.RolesChanged, "),
    ("event", "", "needs the key `event`"),
    ("versions", "versions = [1, 3]", "8:16: license.FlagToggled has no such version (known: 1)"),
    ("versions", "versions = []", "no version is listed"),
    ("versions", "versions = 1", "`versions` of the route `t` must be a list, not an integer"),
    ("hub", r#"hub = "/hubs/notification""#, "1:7: the configuration declares no hub /hubs/notification (did you mean `/hubs/notifications`?)"),
    ("hub", "", "the route `t` names no hub"),
    ("groups", r#"groups = ["orgs:{org}"]"#, "5:11: the hub /hubs/notifications has no group `orgs:{org}` (did you mean `org:{org}`?)"),
    ("groups", r#"groups = ["org:{orgid}"]"#, "5:11: license.FlagToggled has no field `orgid` (did you mean `org_id`?)"),
    ("groups", r#"groups = ["org:{enabled}"]"#, "`{enabled}` is a boolean and cannot be the org of a group"),
    ("groups", r#"groups = ["org:{$cursor}"]"#, "`{$cursor}` is not known before the notification is made"),
    ("groups", r#"groups = ["org:{org"]"#, "a `{` has no partner"),
    ("groups", r#"groups = ["orgs:{org}/role:a b"]"#, "has no group `orgs:{org}/role:a b`"),
    ("groups", "groups = []", "no group is listed"),
    ("groups", "", "the route `t` needs the key `groups`"),
    ("groups", r#"groups = "org:{org}""#, "must be a list of strings, not a string"),
    ("sent", "", "the route `t` sends nothing (it needs one of toast, logout, featureFlag, send; send = true sends the event as it is)"),
    ("sent", r#"featureFlag = { flag = "{flag}", enabled = "{flag}" }"#, "6:44: `enabled` must be a boolean, and this is a string"),
    ("sent", r#"featureFlag = { flag = "{flag}", enabled = "on" }"#, "`enabled` must be a boolean, and this is text"),
    ("sent", r#"featureFlag = { flag = "{flag}", enabled = 1 }"#, "`enabled` must be a boolean, and this is an integer"),
    ("sent", r#"featureFlag = { flag = "{flag}" }"#, "`featureFlag` needs the key `enabled`"),
    ("sent", r#"featureFlag = { flag = "{flg}", enabled = true }"#, "has no field `flg` (did you mean `flag`?)"),
    ("sent", r#"featureFlag = { flag = "f", enabled = true, remove = true }"#, "`featureFlag` has no key `remove` (did you mean `removed`?)"),
    ("sent", r#"featureflag = { flag = "f", enabled = true }"#, "the route `t` has no key `featureflag` (did you mean `featureFlag`?)"),
    ("sent", r#"toast = { severity = "warn", title = "t", message = "m" }"#, "there is no severity \"warn\" (known: info, success, warning, error)"),
    ("sent", r#"toast = { severity = "{flag}", title = "t", message = "m" }"#, "`severity` must be an enum, and this is a string"),
    ("sent", r#"toast = { severity = "a{flag}", title = "t", message = "m" }"#, "`severity` must be one field or one of the severities"),
    ("sent", r#"toast = { severity = "info", title = "t" }"#, "`toast` needs the key `message`"),
    ("sent", r#"toast = { severity = "info", title = "t", message = "m", link = "http://a" }"#, "a page must not follow this link (https or relative"),
    ("sent", r#"toast = "hello""#, "`toast` of the route `t` must be a table, not a string"),
    ("sent", r#"logout = { user = "{enabled}", reason = "r" }"#, "`enabled` is a boolean and must be a string"),
    ("sent", r#"logout = { user = "alice", reason = "r" }"#, "`user` must be one field of the event"),
    ("sent", r#"send = { target = "a b", arguments = [] }"#, "\"a b\" is not the name of a target"),
    ("sent", "send = false", "`send` of the route `t` must be a table, not a boolean"),
    ("sent", r#"send = { target = "x", arguments = ["a {$event}"] }"#, "`{$event}` cannot stand here (it is an object"),
    ("sent", r#"send = { target = "{$event}" }"#, "\"{$event}\" is not the name of a target"),
    ("sent", r#"send = { target = "x", arguments = [{ a = "{b}" }] }"#, "has no field `b`"),
    ("sent", r#"send = { target = "x", arguments = [{ "a?" = "{flag}" }] }"#, "`a?` is never left out"),
    ("sent", r#"send = { target = "x", arguments = ["{$curser}"] }"#, "there is no `{$curser}` (did you mean `$cursor`?)"),
    ("sent", r#"send = { target = "x", arguments = [nan] }"#, "JSON has no such number"),
    ("sent", "send = { target = \"x\", arguments = [] }\ntoast = { severity = \"info\", title = \"t\", message = \"m\" }", "toast and send exclude each other"),
    ("more", "retain = \"yes\"", "`retain` must be true, false or \"remove\""),
    ("more", "retain = \"remove\"", "no route of /hubs/notifications retains a `featureFlag` that could be removed"),
    ("more", "retain = true\nwhen = { enabled = true }", "a retained notification cannot depend on `enabled`"),
    ("more", "cross_org = 1", "`cross_org` of the route `t` must be true or false, not an integer"),
    ("more", r#"conflate = "all""#, "`conflate` names no field"),
    ("more", r#"conflate = "{flags}""#, "has no field `flags`"),
    ("more", "when = { enabled = \"yes\" }", "`enabled` is a boolean: this value is not"),
    ("more", "when = { flag = [] }", "the list for `flag` is empty"),
    ("more", "when = { flag = { present = true } }", "`flag` is always present"),
    ("more", "when = { flag = { min = 1 } }", "`flag` is a string and has no `min`"),
    ("more", "when = { revision = { min = 2, max = 1 } }", "`max` is below `min`"),
    ("more", "when = { flag = {} }", "the condition on `flag` says nothing"),
    ("more", "when = { flag = { is = 1 } }", "the condition on `flag` has no key `is`"),
    ("more", r#"roles = { user = "{changed_by}", org = "{org}", roles = "{flag}" }"#, "`flag` is a string and must be an array of strings"),
    ("more", "hubs = [\"/hubs/tasks\", \"/hubs/tasks\"]", "/hubs/tasks is listed twice"),
    ("more", r#"throttle = { key = "{flag}" }"#, "`throttle` needs the key `per_second`"),
    ("more", r#"throttle = { per_second = 10 }"#, "needs the key `key`"),
    ("more", r#"throttle = { key = "all", per_second = 10 }"#, "`key` of `throttle` names no field"),
    ("more", r#"throttle = { key = "{flags}", per_second = 10 }"#, "has no field `flags`"),
    ("more", r#"throttle = { key = "{flag}", per_second = 0 }"#, "it must be 1 to 1000"),
    ("more", r#"throttle = { key = "{flag}", per_secnd = 10 }"#, "has no key `per_secnd` (did you mean `per_second`?)"),
    ("more", "throttle = { key = \"{flag}\", per_second = 10 }\nconflate = \"{flag}\"", "`conflate` and `throttle` exclude each other"),
    ("more", r#"throttel = { key = "{flag}", per_second = 10 }"#, "has no key `throttel` (did you mean `throttle`?)"),
    ("more", "debounce = 100", r#"the route `t` has no key `debounce` (did you mean `throttle = { key = "{id}", per_second = 10 }`?)"#),
    ("more", "debonce = 100", "the route `t` has no key `debonce` (did you mean `throttle = "),
    ("more", "limits = 10", "the route `t` has no key `limits` (did you mean `throttle = "),
    ("more", "limit = 10", "the route `t` has no key `limit` (did you mean `throttle = "),
    ("more", "rate = 10", "the route `t` has no key `rate` (did you mean `throttle = "),
    ("more", "conflat = \"{flag}\"", "the route `t` has no key `conflat` (did you mean `conflate`?)"),
];

#[test]
fn each_fault_is_reported_with_its_place_and_a_fix() {
    for (line, replacement, expected) in CASES {
        let lines = [
            ("hub", "hub = \"/hubs/notifications\""),
            ("route", "[[route]]"),
            ("name", "name = \"t\""),
            ("event", "event = \"license.FlagToggled\""),
            ("groups", "groups = [\"org:{org}\"]"),
            ("sent", "featureFlag = { flag = \"{flag}\", enabled = \"{enabled}\" }"),
            ("more", ""),
            ("versions", ""),
        ];
        assert!(lines.iter().any(|(key, _)| key == line));
        let text = lines.map(|(key, text)| if key == *line { *replacement } else { text }).join("\n");
        let told = told(&text);
        assert!(
            told.iter().any(|fault| fault.contains(expected)),
            "{replacement}\nexpected {expected}\ntold {told:#?}"
        );
        assert!(told.iter().all(|fault| fault.starts_with("routes.toml:")), "{told:?}");
    }
}

#[test]
fn an_enum_with_other_symbols_is_no_severity() {
    let told = told(SOUND);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0],
        "routes.toml:6:22: `severity` would sometimes be \"low\" (severities: info, success, warning, error)"
    );
}

#[test]
fn types_are_checked_in_every_template() {
    for (replacement, expected) in [
        (
            "toast = { severity = \"info\", title = \"{item}\", message = \"m\" }",
            "`title` is text, and this is a record",
        ),
        ("toast = { severity = \"info\", title = \"a {blob}\", message = \"m\" }", "`{blob}` cannot stand inside text"),
        (
            "toast = { severity = \"info\", title = \"{item.name}\", message = \"m\" }",
            "`item` of tasks.TaskChanged has no field `name`",
        ),
        (
            "toast = { severity = \"info\", title = \"{count.x}\", message = \"m\" }",
            "`count` of tasks.TaskChanged is an int and has no fields",
        ),
        ("featureFlag = { flag = \"f\", enabled = \"{maybe}\" }", "this is a boolean that may be null"),
        ("logout = { user = \"{org}\", reason = \"r\" }", "`org` may be null, and `user` must not"),
    ] {
        let told = told(&SOUND.replace(TOAST, replacement));
        assert!(told.iter().any(|fault| fault.contains(expected)), "{replacement}\n{told:?}");
    }
    for (groups, expected) in [
        ("\"task:{email}\"", "`{email}` is personal data"),
        ("\"task:{ratio}\"", "`{ratio}` is a double and cannot be the task of a group"),
        ("\"task:{item}\"", "`{item}` is a record and cannot be the task of a group"),
        ("\"user:{count}\"", "`{count}` is an int and cannot be the user of a group"),
    ] {
        let told = told(&SOUND.replace("\"org:{org}\"", groups));
        assert!(told.iter().any(|fault| fault.contains(expected)), "{groups}\n{told:?}");
    }
}

#[test]
fn a_listed_version_must_have_the_field() {
    let text = SOUND.replace("{level}", "info").replace("{task_id}", "{note}");
    assert_eq!(told(&text), Vec::<String>::new());
    let told = told(&text.replace("name = \"t\"", "name = \"t\"\nversions = [1, 2]"));
    assert_eq!(told, ["routes.toml:7:38: `note` is not in version 1 of tasks.TaskChanged, which this route lists"]);
}

/// A group of the same name in another org would hear of it.
#[test]
fn an_event_names_its_org_or_its_route_crosses_orgs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("teams")).unwrap();
    let write = |name: &str, fields: &str| {
        let schema = format!(r#"{{"type": "record", "name": "{name}", "fields": [{fields}]}}"#);
        std::fs::write(folder.path().join(format!("teams/{name}.v1.avsc")), schema).unwrap();
    };
    write("Silent", r#"{"name": "task", "type": "string"}"#);
    write("Aliased", r#"{"name": "tenant", "type": "string", "aliases": ["org"]}, {"name": "task", "type": "string"}"#);
    let registry = Registry::builtin().with_folder(folder.path()).unwrap();
    let compile = |event: &str, more: &str, single_org: Option<&str>| {
        let text = format!(
            "hub = \"/hubs/tasks\"\n[[route]]\nname = \"t\"\nevent = \"teams.{event}\"\ngroups = [\"task:{{task}}\"]\n\
             send = {{ target = \"x\", arguments = [] }}\n{more}"
        );
        RouteTable::compile_for(&[source(&text)], &registry, &hubs(), single_org)
    };
    let faults = compile("Silent", "", None).unwrap_err();
    let told = faults[0].to_string();
    assert!(told.starts_with("routes.toml:4:1: teams.Silent says no org"), "{told}");
    for way_out in ["a field `org`", "the alias `org`", "cross_org = true", "single_org = \"name\""] {
        assert!(told.contains(way_out), "{told}");
    }
    let explained = |event: &str, more: &str, single_org| compile(event, more, single_org).unwrap().explain(single_org);
    let lead = |event: &str| format!("teams.{event}: t sends x on /hubs/tasks to task:{{task}}");
    assert_eq!(explained("Aliased", "", None), [format!("{} (the org in `tenant` alone)", lead("Aliased"))]);
    let cross = explained("Silent", "cross_org = true", None);
    assert_eq!(cross, [format!("{} (any org: the route says cross_org)", lead("Silent"))]);
    let single = explained("Silent", "", Some("acme"));
    assert_eq!(single, [format!("{} (the platform has one org, acme)", lead("Silent"))]);
}

#[test]
fn an_event_without_a_key_is_not_retained() {
    let told = told(&format!("{}retain = true\n", SOUND.replace("{level}", "info")));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("routes.toml:7:1: tasks.TaskChanged has no key to retain it under"), "{told:?}");
}

#[test]
fn all_faults_of_all_files_are_reported_in_order() {
    let file = |name: &str, text: String| RouteSource { path: name.into(), text };
    let sound = SOUND.replace("{level}", "info");
    let files = [
        file("a.toml", sound.clone()),
        file("b.toml", format!("{}\nretin = true\nwhen = {{ nothing = 1 }}\n", sound.replace("\"m\"", "\"{x}\""))),
        file("c.toml", "[[route]\n".to_owned()),
    ];
    let faults = RouteTable::compile(&files, &registry(), &hubs()).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.file.to_str().unwrap(), fault.line, &*fault.message)).collect();
    assert_eq!(told[0], ("b.toml", 3, "`t` is also the name of the route at a.toml:3"));
    assert_eq!(told[1], ("b.toml", 6, "tasks.TaskChanged has no field `x`"));
    assert_eq!(told[2], ("b.toml", 8, "the route `t` has no key `retin`"));
    assert_eq!(told[3], ("b.toml", 9, "tasks.TaskChanged has no field `nothing`"));
    assert_eq!((told[4].0, told[4].1, told.len()), ("c.toml", 1, 5), "{told:?}");
    assert_eq!(sent_nothing(), ["routes.toml: declares no [[route]]"]);
}

fn sent_nothing() -> Vec<String> {
    told("# Nothing yet.\n")
}
