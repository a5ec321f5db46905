//! A tab's token: a login's, and others of the same session that it brings for its open connection.

use std::sync::Arc;

use fanfare_event::Id;
use fanfare_token::Claims;

use super::{Link, Surroundings, Tab};
use crate::simulation::platform::TOKEN_LIFETIME;

impl Tab {
    pub(super) fn token_is_over(&self, now: i64) -> bool {
        self.token.as_ref().is_none_or(|token| token.expires_at <= now.div_euclid(1000))
    }

    pub(super) fn log_in(&mut self, around: &Surroundings<'_>) {
        self.logins += 1;
        let session = format!("s{}-{}-{}", self.number, self.user, self.logins);
        self.token = Some(Arc::new(self.issue(&session, around)));
    }

    /// What the issuer gives now.
    fn issue(&self, session: &str, around: &Surroundings<'_>) -> Claims {
        let id = |text: &str| Id::parse(text).expect("an id");
        let issued_at = around.producers.issue_at(self.user, around.now);
        let changed = around.producers.roles.get(&(self.org.to_owned(), self.user.to_owned()));
        Claims {
            issuer: Arc::from("http://127.0.0.1:1"),
            realm: None,
            user: id(self.user),
            org: Some(id(self.org)),
            roles: changed.map_or(&self.roles, |(roles, _)| roles).clone(),
            session: Some(id(session)),
            issued_at,
            expires_at: issued_at + TOKEN_LIFETIME,
            publish: None,
            orgs: Vec::new(),
            unusable: Vec::new(),
            other: Default::default(),
        }
    }

    /// Brings another token of its session for the open connection.
    pub(super) fn refresh(&mut self, link: Link, around: &mut Surroundings<'_>) -> Result<(), String> {
        let (Some(session), Some(before)) = (self.session(), self.identity()) else { return Ok(()) };
        // An issuer gives nothing more for a session that has ended.
        if around.producers.logouts.iter().any(|(_, of, _)| of.as_ref() == Some(&session)) {
            return Ok(());
        }
        let node = &around.nodes[link.node];
        let ended = around.history.ended_by(&before, node.learnt()).map(|ended| format!("{ended:?}"));
        let held = self.token.replace(Arc::new(self.issue(&session, around)));
        let Some(identity) = self.identity() else { return Ok(()) };
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        if !shard.refresh((link.key, &self.hub.path), &identity, view) {
            self.token = held;
            return Ok(());
        }
        self.trace(format_args!("goes on with another token"));
        match ended {
            Some(ended) => Err(format!("node {} has read {ended} and gives its tab another token", link.node)),
            None => Ok(()),
        }
    }
}
