//! The owner of a value in a group name: a user belongs to a realm, and a session to a user.
//!
//! Two issuers may both have an `alice`, and two users may both have a session `1`. So the value of a hole `{user}`
//! carries the realm, and that of a hole `{session}` the user too, unless the template has a hole of its own for it.

use smallvec::SmallVec;

use super::name::{GroupTemplate, ValueError, check_value};

/// Separates a realm from what follows. No value contains control characters, so joined texts are injective.
const REALM_END: char = '\u{1e}';

/// Separates the user of a session from the session.
const USER_END: char = '\u{1d}';

/// The user that a group's values are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The user's realm; none where there is but one and it has no name.
    pub realm: Option<&'a str>,
    /// The user; none where no hole needs one.
    pub user: Option<&'a str>,
}

/// Which holes of a template stand for something of a user's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owned {
    user: Option<usize>,
    session: Option<usize>,
}

impl Owned {
    /// Finds them by their names.
    pub(super) fn of<'h>(holes: impl Iterator<Item = &'h str> + Clone) -> Self {
        let find = |name: &str| holes.clone().position(|hole| hole == name);
        let (user, realm) = (find("user"), find("realm"));
        Self { user: user.filter(|_| realm.is_none()), session: find("session").filter(|_| user.is_none()) }
    }

    /// Whether a group's name needs the user in addition to its values.
    pub(crate) fn needs_user(self) -> bool {
        self.session.is_some()
    }

    /// Whether a group's name depends on the realm in addition to its values.
    pub(crate) fn needs_realm(self) -> bool {
        self.user.is_some() || self.session.is_some()
    }

    /// Writes what the value of the hole at `index` needs before it.
    pub(super) fn write(
        self,
        index: usize,
        owner: Owner<'_>,
        into: &mut SmallVec<[u8; 256]>,
    ) -> Result<(), ValueError> {
        let of_session = self.session == Some(index);
        if !of_session && self.user != Some(index) {
            return Ok(());
        }
        if let Some(realm) = owner.realm {
            push(realm, REALM_END, into)?;
        }
        if let (true, Some(user)) = (of_session, owner.user) {
            push(user, USER_END, into)?;
        }
        Ok(())
    }
}

fn push(value: &str, end: char, into: &mut SmallVec<[u8; 256]>) -> Result<(), ValueError> {
    check_value(value)?;
    into.extend_from_slice(value.as_bytes());
    into.push(end as u8);
    Ok(())
}

/// A value without whose it is.
pub(super) fn bare(value: &str) -> &str {
    value.rsplit([REALM_END, USER_END]).next().unwrap_or_default()
}

/// The realm that a value carries.
pub(super) fn realm(value: &str) -> Option<&str> {
    value.split_once(REALM_END).map(|(realm, _)| realm)
}

impl GroupTemplate {
    /// Takes the holes of another template of the same form for this one's: `session:{id}` of a method names the
    /// groups that `session:{session}` does, so its value is the caller's session as well.
    #[must_use]
    pub fn owned_as(&self, declared: &Self) -> Self {
        let mut own = self.clone();
        own.owned = declared.owned;
        own
    }

    /// Which holes stand for something of a user's.
    pub(crate) fn owned(&self) -> Owned {
        self.owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::name::GroupName;

    fn name(template: &str, values: &[&str], realm: Option<&str>, user: &str) -> GroupName {
        let template = GroupTemplate::parse(template).unwrap();
        template.name_for(values, Owner { realm, user: Some(user) }).unwrap()
    }

    #[test]
    fn users_of_two_realms_are_two_users() {
        let of = |realm| name("user:{user}", &["alice"], realm, "alice");
        assert_ne!(of(Some("entra")), of(Some("partner")));
        assert_ne!(of(Some("entra")), of(None));
        assert_eq!(of(None), GroupTemplate::parse("user:{user}").unwrap().name(&["alice"]).unwrap());
        assert_eq!(of(Some("entra")).to_string(), "user:entra/alice");
        assert_eq!(of(Some("entra")).values().collect::<Vec<_>>(), ["alice"]);
    }

    #[test]
    fn the_same_session_of_two_users_is_two_sessions() {
        let of = |realm, user| name("session:{session}", &["1"], realm, user);
        assert_ne!(of(None, "alice"), of(None, "bob"));
        assert_ne!(of(Some("a"), "b"), of(None, "b"));
        assert_eq!(of(None, "alice"), of(None, "alice"));
        assert_eq!(of(None, "alice").values().collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn a_template_with_its_own_placeholders_needs_nothing_else() {
        let plain = GroupTemplate::parse("user:{realm}/{user}").unwrap();
        let values = ["entra", "alice"];
        let owner = Owner { realm: Some("other"), user: Some("bob") };
        assert_eq!(plain.name_for(&values, owner), plain.name(&values));
        let both = GroupTemplate::parse("session:{user}/{session}").unwrap();
        assert_ne!(both.name_for(&["alice", "1"], owner), both.name(&["alice", "1"]), "the user is of a realm");
        let other = GroupTemplate::parse("org:{org}").unwrap();
        assert_eq!(other.name_for(&["acme"], owner), other.name(&["acme"]));
    }
}
