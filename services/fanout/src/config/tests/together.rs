//! Faults between files and sections: methods against schemas and issuers, routes against hubs and schemas.

use super::*;

/// What a method publishes, and the fault that the schemas find in it.
#[rustfmt::skip]
const EVENTS: &[(&str, &str)] = &[
    (r#"{ event = "system.Alrt" }"#, "13:21: there is no event `system.Alrt` (did you mean `system.Alert`?)"),
    (r#"{ event = "system.Alert", fields = { title = "t" } }"#, "13:21: system.Alert needs the field `message`"),
    (r#"{ event = "system.Alert", fields = { titel = "t", message = "m", title = "t" } }"#, "13:56: system.Alert has no field `titel` (did you mean `title`?)"),
    (r#"{ event = "system.Alert", fields = { title = "{count}", message = "m" } }"#, "13:56: `title` of system.Alert is string, and this is an integer"),
    (r#"{ event = "system.Alert", fields = { title = true, message = "m" } }"#, "`title` of system.Alert is string, and this is a boolean"),
    (r#"{ event = "system.Alert", fields = { title = "t", message = "m", severity = "bad" } }"#, "and this is a string"),
    (r#"{ event = "export.ExportProgress", fields = { org = "{org}", user = "{user}", job_id = "1", percent = "{text}", stage = "s" } }"#, "`percent` of export.ExportProgress is int, and this is a string"),
    (r#"{ event = "auth.RolesChanged", fields = { org = "{org}", user = "{user}", roles = [1] } }"#, "`roles` of auth.RolesChanged is array of string, and this is a list"),
];

#[test]
fn what_a_method_publishes_is_checked_against_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("routes.toml"), "").unwrap();
    let told = |publish: &str| {
        let method = format!(
            "[hub.\"/hubs/a\".method.M]\npublish = {publish}\nallow = true\narguments = [\"text\", {{ name = \"count\", type = \"integer\" }}]"
        );
        let text = LEAST.replace("path = \".\"", "path = \"routes.toml\"").replace("[hub.\"/hubs/a\"]", &method);
        let path = folder.path().join("fanfare.toml");
        std::fs::write(&path, text).unwrap();
        Loaded::load(&path).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (publish, expected) in EVENTS {
        let told = told(publish);
        assert!(told.iter().any(|fault| fault.contains(expected)), "{publish}\nexpected {expected}\ntold {told:#?}");
    }
    let sound = told(
        r#"{ event = "system.Alert", fields = { org = "{org}", title = "{text}", message = "{text}: {count}" } }"#,
    );
    assert!(sound[0].contains("declares no [[route]]"), "{sound:#?}");
}

#[test]
fn a_method_that_publishes_its_caller_names_the_realm_where_there_are_several() {
    let folder = tempfile::tempdir().unwrap();
    let told = |realms: [&str; 2]| {
        let issuer = |name: &str, realm: &str| {
            format!(
                "[[issuer]]\nissuer = \"{name}\"\njwks = \"http://a\"\nusers = true\nrealm = \"{realm}\"\n\
                 orgs = [\"*\"]\nroles = [\"*\"]\n"
            )
        };
        let fields = "{ org = \"{org}\", user = \"{user}\", title = \"t\", message = \"m\" }";
        let method = format!(
            "{}{}[hub.\"/hubs/a\".method.M]\nallow = true\npublish = {{ event = \"system.Alert\", fields = {fields} }}",
            issuer("a", realms[0]),
            issuer("b", realms[1])
        );
        let text = LEAST.replace("path = \".\"", "path = \"routes.toml\"").replace("[hub.\"/hubs/a\"]", &method);
        std::fs::write(folder.path().join("routes.toml"), "").unwrap();
        let path = folder.path().join("fanfare.toml");
        std::fs::write(&path, text).unwrap();
        Loaded::load(&path).unwrap_err().remove(0).to_string()
    };
    let told_of = told(["own", "partner"]);
    assert!(told_of.contains("`user` of system.Alert is the caller, and their realm is not said"), "{told_of}");
    assert!(told(["same", "same"]).contains("declares no [[route]]"));
}

#[test]
fn a_method_that_asks_for_grants_needs_a_route_that_grants() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let method = "[hub.\"/hubs/a\".method.M]\narguments = [\"flag\"]\njoin = \"flag:{flag}\"\ngrant = true";
    write("fanfare.toml", &LEAST.replace("path = \".\"", "path = \"r.toml\"").replace("[hub.\"/hubs/a\"]", method));
    let route = "[[route]]\nname = \"t\"\nevent = \"auth.RolesChanged\"\nhub = \"/hubs/a\"\n";
    let load = || Loaded::load(&folder.path().join("fanfare.toml"));
    write("r.toml", &format!("{route}withdraw = {{ user = \"{{user}}\", group = \"flag:{{user}}\" }}"));
    let told = load().unwrap_err().remove(0).to_string();
    let expected = "15:1: no route of this hub grants `flag:{flag}` (a route needs grant = { user = ..., group = \"flag:{flag}\" })";
    assert!(told.contains(expected), "{told}");
    write("r.toml", &format!("{route}grant = {{ user = \"{{user}}\", group = \"flag:{{user}}\" }}"));
    assert!(load().is_ok());
}

fn with_routes(routes: &str) -> Result<Loaded, Vec<Fault>> {
    let folder = tempfile::TempDir::new().unwrap();
    let text = LEAST.replace("path = \".\"", "path = \"routes.toml\"");
    std::fs::write(folder.path().join("fanfare.toml"), text).unwrap();
    std::fs::write(folder.path().join("routes.toml"), routes).unwrap();
    Loaded::load(&folder.path().join("fanfare.toml"))
}

#[test]
fn forgotten_schemas_are_reported_once() {
    let route = |name: &str, event: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nevent = \"{event}\"\nhub = \"/hubs/a\"\ngroups = [\"org:{{org}}\"]\nsend = true\n"
        )
    };
    let told = |routes: &str| with_routes(routes).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
    let many: String = (0..9).map(|at| route(&at.to_string(), &format!("shop.Sold{at}"))).collect();
    let faults = told(&many);
    assert_eq!(faults.len(), 1, "{faults:?}");
    for part in
        ["routes.toml:3:9: nothing says what `shop.Sold0` holds", "8 more routes", "[event.\"shop.Sold0\"] here"]
    {
        assert!(faults[0].contains(part), "{part}: {faults:?}");
    }
    // A slip is told as one.
    assert!(told(&route("a", "licence.FlagToggled"))[0].contains("did you mean `license.FlagToggled`?"));
    let lone = told(&route("a", "system.Alert").replace("[[route]]", "[route]"));
    assert!(lone[0].ends_with("1:1: `[route]` is one table, and there may be several (write [[route]])"), "{lone:?}");
}

#[test]
fn a_dollar_sign_before_a_field_is_warned_of() {
    let event = "[event.\"shop.Sold\"]\nfields = { org = \"string\", sum = \"string\" }\n[[route]]\nname = \"a\"\n\
                 event = \"shop.Sold\"\nhub = \"/hubs/a\"\ngroups = [\"org:{org}\"]\n";
    let warned = |send: &str| with_routes(&format!("{event}send = {send}\n")).unwrap().config.warnings;
    assert_eq!(warned("{ target = \"t\", arguments = [\"{sum}\", \"{$event}\"] }"), []);
    let warnings = warned("{ target = \"t\", arguments = [{ price = \"${sum}\" }] }");
    assert_eq!((warnings.len(), warnings[0].line), (1, 8), "{warnings:?}");
    assert!(warnings[0].message.contains("`${sum}` is a dollar sign"), "{warnings:?}");
}
