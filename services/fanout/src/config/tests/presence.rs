//! Presence: what is sound, and what is told of what is not.

use super::faults::told;
use super::*;

const SOUND: &str = r#"
[hub."/hubs/a".method.JoinList]
arguments = ["listId"]
allow = true
join = "list:{listId}"
[hub."/hubs/a".method.Alert]
arguments = ["title"]
allow = true
publish = { event = "system.Alert", fields = { title = "{title}" } }
[hub."/hubs/a".presence."list:{list}"]
heartbeat = "JoinList"
inactive_after_seconds = 45
describe = { name = "{claim.given_name} {claim.family_name}" }
joined = { target = "joined", arguments = ["{user}", { "org?" = "{org}" }] }
snapshot = { target = "there", arguments = ["{$members}", "{list}: {$count}"] }
"#;

/// What is replaced, by what, and the fault expected of it.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("presence.\"list:{list}\"", "presence.\"lists:{list}\"", "nothing on this hub joins `lists:{list}` (did you mean `list:{listId}`?)"),
    ("presence.\"list:{list}\"", "presence.\"list:{list\"", "`list:{list` is no group: a `{` has no partner"),
    ("heartbeat = \"JoinList\"", "heartbeat = \"JoinLists\"", "this hub has no method `JoinLists` (did you mean `JoinList`?)"),
    ("heartbeat = \"JoinList\"", "heartbeat = \"Alert\"", "the method `Alert` is not about the group `list:{list}`"),
    ("heartbeat = \"JoinList\"\n", "", "nothing tells who is active without a `heartbeat`"),
    ("inactive_after_seconds = 45\n", "", "a `heartbeat` needs `inactive_after_seconds`"),
    ("inactive_after_seconds = 45", "inactive_after_seconds = 4", "`inactive_after_seconds` of presence on `list:{list}` is 4 (from 5 to 86400)"),
    ("describe = { name", "descripe = { name", "presence on `list:{list}` has no key `descripe` (did you mean `describe`?)"),
    ("{ name = \"{claim.given_name} {claim.family_name}\" }", "{ user = \"{user}\" }", "a text cannot be called `user`"),
    ("{ name = \"{claim.given_name} {claim.family_name}\" }", "{ name = \"{usr}\" }", "`{usr}` is not known here (did you mean `user`?)"),
    ("[\"{user}\", {", "[\"{usr}\", {", "`{usr}` is not known here (did you mean `user`?)"),
    ("\"{list}: {$count}\"", "\"{list}: {$members}\"", "`{$members}` is a list and cannot be part of a text (write \"{$members}\" alone)"),
    ("[\"{user}\", {", "[\"{$members}\", {", "`{$members}` is not known here"),
    ("snapshot = {", "left = {", "presence on `list:{list}` needs the key `snapshot`"),
    ("target = \"there\"", "name = \"there\"", "`snapshot` has no key `name`"),
    ("[hub.\"/hubs/a\".method.JoinList]", "[hub.\"/hubs/a\"]\npublic = true\n[hub.\"/hubs/a\".method.JoinList]", "a public hub has no tokens that say who they are"),
];

fn config() -> String {
    let (least, _) = LEAST.split_once("[hub.").expect("a hub");
    format!("{least}{SOUND}")
}

#[test]
fn what_is_sound_is_read_with_its_defaults() {
    let config = sound(&config());
    let [presence] = &*config.hubs[0].presence else { panic!("one") };
    assert_eq!((presence.batch_above, presence.page_members), (100, 500));
    assert_eq!(presence.linger.as_secs(), 3);
    assert_eq!(config.hubs[0].claims().collect::<Vec<_>>(), ["given_name", "family_name"]);
    assert_eq!(presence.inactive_after.map(|after| after.as_secs()), Some(45));
}

#[test]
fn faults_name_what_is_wrong_and_what_would_be_right() {
    for (from, to, expected) in CASES {
        let text = config();
        assert!(text.contains(from), "{from}");
        let told = told(&text.replacen(from, to, 1));
        assert!(told.iter().any(|fault| fault.contains(expected)), "{expected}\n{told:#?}");
    }
}

#[test]
fn two_declarations_of_the_same_groups_are_one_too_many() {
    let again = "[hub.\"/hubs/a\".presence.\"list:{id}\"]\nsnapshot = { target = \"there\" }\n";
    let told = told(&format!("{}{again}", config()));
    assert!(told.iter().any(|fault| fault.contains("presence on `list:{id}` is declared twice")), "{told:?}");
}
