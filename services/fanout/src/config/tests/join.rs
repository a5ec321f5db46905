//! Which groups the bearers of claims are in.

use fanfare_event::Id;

use super::*;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn groups(rules: &[JoinRule], joiner: &Joiner<'_>) -> Vec<String> {
    let mut groups = Vec::new();
    rules.iter().for_each(|rule| rule.groups(joiner, &mut groups));
    groups.iter().map(ToString::to_string).collect()
}

#[test]
fn the_standard_groups_are_those_of_the_contract() {
    let (alice, acme, globex, session) = (id("alice"), id("acme"), id("globex"), id("s1"));
    let roles = |roles: &[&str]| roles.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (user, admin, superadmin) = (roles(&["user", "beta"]), roles(&["admin"]), roles(&["superadmin"]));
    let joiner =
        Joiner { user: &alice, session: None, org: None, named_org: None, realm: None, roles: &[], other: None };
    for (joiner, expected) in [
        (joiner, vec!["user:alice"]),
        (
            Joiner { org: Some(&acme), session: Some(&session), roles: &user, ..joiner },
            vec!["user:alice", "session:s1", "org:acme", "org:acme/role:user", "org:acme/role:beta"],
        ),
        (Joiner { roles: &user, ..joiner }, vec!["user:alice"]),
        (
            Joiner { org: Some(&acme), roles: &admin, ..joiner },
            vec!["user:alice", "org:acme", "org:acme/role:admin", "admin"],
        ),
        (
            Joiner { org: Some(&acme), named_org: Some(&globex), roles: &superadmin, ..joiner },
            vec!["user:alice", "org:acme", "org:globex", "org:acme/role:superadmin", "admin", "superadmin"],
        ),
        (
            Joiner { org: Some(&acme), named_org: Some(&acme), roles: &user, ..joiner },
            vec!["user:alice", "org:acme", "org:acme/role:user", "org:acme/role:beta"],
        ),
    ] {
        assert_eq!(groups(&default_join(), &joiner), expected, "{joiner:?}");
    }
}

#[test]
fn an_org_named_like_a_role_is_only_that_org() {
    let (eve, trap) = (id("eve"), id("acme-role.admin"));
    let joiner =
        Joiner { user: &eve, session: None, org: Some(&trap), named_org: None, realm: None, roles: &[], other: None };
    let mut found = Vec::new();
    default_join().iter().for_each(|rule| rule.groups(&joiner, &mut found));
    assert_eq!(found.iter().map(|group| group.shape()).collect::<Vec<_>>(), ["user:{}", "org:{}"]);
}

#[test]
fn a_realm_keeps_users_apart() {
    let rule = JoinRule::new("user:{realm}/{user}".parse().unwrap(), None).unwrap();
    let alice = id("alice");
    let joiner = Joiner {
        user: &alice,
        session: None,
        org: None,
        named_org: None,
        realm: Some("entra"),
        roles: &[],
        other: None,
    };
    assert_eq!(groups(std::slice::from_ref(&rule), &joiner), ["user:entra/alice"]);
    assert_eq!(groups(&[rule], &Joiner { realm: None, ..joiner }), Vec::<String>::new());
}

#[test]
fn a_rule_names_only_what_claims_hold() {
    let error = JoinRule::new("list:{list}".parse().unwrap(), None).unwrap_err();
    assert_eq!(error.to_string(), "a join rule knows no `{list}`");
    assert_eq!(error.help().as_deref(), Some("known: user, session, org, role, realm, claim.NAME"));
}

#[test]
fn a_claim_of_several_values_spreads_to_several_groups_within_bounds() {
    let (alice, acme) = (id("alice"), id("acme"));
    let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let other: fanfare_token::OtherClaims =
        [("teams".into(), vec!["red".to_owned(), "7".into(), "a\nb".into()]), ("many".into(), many)]
            .into_iter()
            .collect();
    let joiner = Joiner {
        user: &alice,
        session: None,
        org: Some(&acme),
        named_org: None,
        realm: None,
        roles: &[],
        other: Some(&other),
    };
    let rule = |text: &str| [JoinRule::new(text.parse().unwrap(), None).unwrap()];
    assert_eq!(groups(&rule("team:{org}/{claim.teams}"), &joiner), ["team:acme/red", "team:acme/7"]);
    assert_eq!(groups(&rule("plan:{claim.plan}"), &joiner), Vec::<String>::new());
    assert_eq!(
        groups(&rule("pair:{claim.many}/{claim.teams}"), &joiner).len(),
        256,
        "as many of 600 pairs as are joined"
    );
    assert_eq!(rule("x:{claim.realm_access.roles}")[0].claims().collect::<Vec<_>>(), ["realm_access.roles"]);
}
