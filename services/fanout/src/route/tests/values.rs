//! Arguments: types kept, shapes and the order of keys kept, nulls left out where asked.

use super::*;

fn sent(arguments: &str, data: &Json) -> Vec<Json> {
    let text = format!(
        "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\ngroups = [\"task:{{task_id}}\"]\n\
         [route.send]\ntarget = \"taskChanged\"\narguments = [{arguments}]"
    );
    let (table, event) = (table(&text), event("tasks.TaskChanged", data));
    let route = table.route(&event)[0].route;
    route.arguments(&event, "cursor1").iter().map(json_of).collect()
}

#[test]
fn a_field_alone_keeps_its_type_and_inside_text_it_is_text() {
    let due = json!({"seconds": 1_767_323_045, "nanoseconds": 678_000_000});
    for (argument, expected) in [
        ("\"{task_id}\"", json!("t1")),
        ("\"{done}\"", json!(true)),
        ("\"{maybe}\"", Json::Null),
        ("\"{count}\"", json!(7)),
        ("\"{size}\"", json!(9007199254740993i64)),
        ("\"{ratio}\"", json!(0.5)),
        ("\"{blob}\"", json!({"bytes": [1, 255]})),
        ("\"{due}\"", due.clone()),
        ("\"{level}\"", json!("high")),
        ("\"{tags}\"", json!(["a", "b"])),
        ("\"{limits}\"", json!({"cpu": 2})),
        ("\"{item}\"", json!({"id": "i/1", "Owner": "alice", "at": {"seconds": 0, "nanoseconds": 0}})),
        ("\"{item.Owner}\"", json!("alice")),
        ("\"{org_id}\"", json!("acme")),
        ("\"{$id}\"", json!("e1")),
        ("\"{$cursor}\"", json!("cursor1")),
        ("\"{$type}\"", json!("tasks.TaskChanged")),
        ("\"{$time}\"", due),
        ("\"{$source}\"", json!("/services/test")),
        ("\"{$subject}\"", Json::Null),
        ("\"at {$time}\"", json!("at 2026-01-02T03:04:05.678Z")),
        ("\"{count} of {size}, {done}{maybe}\"", json!("7 of 9007199254740993, true")),
        ("\"{tags}: {due}\"", json!("a, b: 2026-01-02T03:04:05.678Z")),
        ("\"{{task_id}} {task_id}\"", json!("{task_id} t1")),
        ("\"\"", json!("")),
        ("7", json!(7)),
        ("0x10", json!(16)),
        ("1_000.5", json!(1000.5)),
        ("true", json!(true)),
        ("2026-01-02", json!("2026-01-02")),
        ("[1, \"{count}\", [\"{done}\"]]", json!([1, 7, [true]])),
        ("{ A = { b = \"{count}\" }, c = [] }", json!({"A": {"b": 7}, "c": []})),
    ] {
        assert_eq!(sent(argument, &task()), [expected], "{argument}");
    }
}

#[test]
fn arguments_are_positional_and_keys_keep_their_order_and_case() {
    let text = "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\ngroups = [\"task:{task_id}\"]\n\
                [route.send]\ntarget = \"taskChanged\"\n\
                arguments = [\"{task_id}\", { Zeta = 1, alpha = \"{count}\", Beta = { z = 1, a = 2 } }, 3]";
    let (table, event) = (table(text), event("tasks.TaskChanged", &task()));
    let route = table.route(&event)[0].route;
    let arguments = route.arguments(&event, "c");
    assert_eq!(arguments.len(), 3);
    assert_eq!(keys(&arguments[1]), ["Zeta", "alpha", "Beta"]);
    assert_eq!(keys(arguments[1].get("Beta").unwrap()), ["z", "a"]);
}

#[test]
fn a_key_with_a_question_mark_is_left_out_where_it_is_null() {
    let argument = "{ \"maybe?\" = \"{maybe}\", \"note?\" = \"{note}\", org = \"{org}\" }";
    let mut data = task();
    assert_eq!(sent(argument, &data), [json!({"org": "acme"})]);
    data["note"] = json!("n");
    data["org"] = Json::Null;
    assert_eq!(sent(argument, &data), [json!({"note": "n", "org": null})]);
}

#[test]
fn a_number_may_be_sent_as_text_and_a_record_without_what_is_null() {
    for (argument, expected) in [
        ("\"{size:text}\"", json!("9007199254740993")),
        ("\"{due:text}\"", json!("2026-01-02T03:04:05.678Z")),
        ("\"{maybe:text}\"", Json::Null),
        ("\"no {size:text}\"", json!("no 9007199254740993")),
        ("\"{limits.cpu}\"", json!(2)),
        ("\"{limits.gpu}\"", Json::Null),
        ("\"{$time:text}\"", json!("2026-01-02T03:04:05.678Z")),
    ] {
        assert_eq!(sent(argument, &task()), [expected], "{argument}");
    }
    let mut data = task();
    data["item"]["Owner"] = Json::Null;
    let at = json!({"seconds": 0, "nanoseconds": 0});
    assert_eq!(sent("\"{item}\"", &data), [json!({"id": "i/1", "Owner": null, "at": at})]);
    assert_eq!(sent("\"{item:compact}\"", &data), [json!({"id": "i/1", "at": at})]);
    let told = |argument: &str| {
        let text = format!(
            "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\ngroups = [\"task:{{task_id}}\"]\n\
             [route.send]\ntarget = \"x\"\narguments = [{argument}]"
        );
        compile(&text).unwrap_err()[0].to_string()
    };
    assert!(told("\"{size:txt}\"").contains("there is no form `txt` of `size` (did you mean `text`?)"));
    assert!(told("\"{item:text}\"").contains("`item` is a record and has no text"));
    assert!(told("{ \"a??\" = \"{size}\" }").contains("`a??` is never left out"));
}

/// "Set to null" and "not set" are two things.
#[test]
fn null_and_absent_are_distinguished() {
    let argument = "{ \"owner?\" = \"{item.Owner}\", \"said??\" = \"{item.Owner}\", \"cpu??\" = \"{limits.cpu}\", \"gpu??\" = \"{limits.gpu}\" }";
    let mut data = task();
    data["item"]["Owner"] = Json::Null;
    assert_eq!(sent(argument, &data), [json!({"said": null, "cpu": 2})]);
    data["item"] = Json::Null;
    assert_eq!(sent(argument, &data), [json!({"cpu": 2})]);
    data["item"] = json!({"id": "i", "Owner": "bob", "at": 0});
    assert_eq!(sent(argument, &data), [json!({"owner": "bob", "said": "bob", "cpu": 2})]);
}

/// The hub says how dates and times travel in MessagePack; JSON has ISO text either way.
#[test]
fn a_hub_may_send_times_as_text() {
    let text = "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\ngroups = [\"task:{task_id}\"]\n\
                [route.send]\ntarget = \"x\"\narguments = [\"{due}\", \"{$time}\", \"{item}\"]";
    let mut hubs = hubs();
    hubs[1].times = Times::Text;
    let table = RouteTable::compile(&[source(text)], &registry(), &hubs).unwrap();
    let event = event("tasks.TaskChanged", &task());
    let sent: Vec<Json> = table.route(&event)[0].route.arguments(&event, "c").iter().map(json_of).collect();
    let at = json!("2026-01-02T03:04:05.678Z");
    assert_eq!(sent, [at.clone(), at, json!({"id": "i/1", "Owner": "alice", "at": "1970-01-01T00:00:00.000Z"})]);
}

#[test]
fn links_are_checked_when_the_event_is_known() {
    let link = |template: &str, data: &Json| {
        let text = format!(
            "[[route]]\nname = \"t\"\nevent = \"tasks.TaskChanged\"\nhub = \"/hubs/tasks\"\ngroups = [\"task:all\"]\n\
             toast = {{ severity = \"info\", title = \"t\", message = \"m\", link = \"{template}\" }}"
        );
        let (table, event) = (table(&text), event("tasks.TaskChanged", data));
        let route = table.route(&event)[0].route;
        let arguments = route.arguments(&event, "c");
        arguments[0].get("link").map(json_of)
    };
    let with = |key: &str, value: &str| {
        let mut data = task();
        data[key] = json!(value);
        data
    };
    assert_eq!(link("{note}", &task()), None);
    assert_eq!(link("/notes/{note}", &task()), None);
    assert_eq!(link("{note}", &with("note", "/a?b=c#d")), Some(json!("/a?b=c#d")));
    assert_eq!(link("{note}", &with("note", "http://a.example")), None);
    assert_eq!(link("{note}", &with("note", "javascript:alert(1)")), None);
    assert_eq!(
        link("/tasks/{task_id}/file", &with("task_id", "a/../b?c#d e")),
        Some(json!("/tasks/a%2F..%2Fb%3Fc%23d%20e/file"))
    );
    assert_eq!(link("/tasks/{task_id}", &with("task_id", "..")), None);
    assert_eq!(link("https://{task_id}/", &with("task_id", "evil@x")), Some(json!("https://evil%40x/")));
}
