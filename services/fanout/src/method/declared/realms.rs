//! What of a method would take users of two realms for one, where there are several.

use super::{Action, Claim, Declared};

impl Declared {
    /// What does not tell realms apart, and how it would.
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
        let compares = |claim| allow.claims.iter().any(|(compared, _)| *compared == claim);
        let apart = match &self.action {
            Action::Join(group) => group.uses(Claim::Realm),
            Action::Leave(_) => true,
            Action::Publish(_) => false,
        };
        compares(Claim::User) && !compares(Claim::Realm) && !apart
    }
}
