//! Finds methods that would confuse users of two realms, if there are several realms.

use super::{Action, Claim, Condition, Declared, Deed};

impl Declared {
    /// A part of a method that does not distinguish realms, and how it would.
    #[must_use]
    pub fn mixes_realms(&self) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        if self.compares_users() {
            let message =
                format!("`allow` of the method `{}` compares users, and users of every realm pass", self.name);
            found.push((message, "add realm = \"...\" to `allow`, or {realm} to the group's name"));
        }
        let question = self.authorization.authorizer.as_ref();
        if question.is_some_and(|question| question.names(Claim::User) && !question.names(Claim::Realm)) {
            let message =
                format!("the authorizer of the method `{}` is asked about {{user}} without {{realm}}", self.name);
            found.push((message, "add {realm} to its URL, for instance /realms/{realm}/users/{user}"));
        }
        found
    }

    /// Whether users of any realm pass a comparison, into a group that does not say the realm.
    fn compares_users(&self) -> bool {
        let Some(allow) = &self.authorization.allow else { return false };
        let compares = |one: &Condition, claim| one.claims.iter().any(|(compared, _)| *compared == claim);
        let mixes = |one: &Condition| compares(one, Claim::User) && !compares(one, Claim::Realm);
        let Action { does, publish } = &self.action;
        let apart = match does {
            Some((Deed::Join, groups)) => groups.iter().all(|group| group.uses(Claim::Realm)),
            Some(_) => publish.is_none(),
            None => false,
        };
        allow.conditions.iter().any(mixes) && !apart
    }
}
