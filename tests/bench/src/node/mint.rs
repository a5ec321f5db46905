//! Tokens for the tabs and the producers of all scenarios.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use fanfare_event::{Id, TypePattern};
use fanfare_fanout::config::{AUDIENCE, DEVELOPMENT_ISSUER, PRODUCER_AUDIENCE};
use fanfare_token::{NewToken, SigningKey};
use time::OffsetDateTime;

use super::Platform;
use crate::load::Ticket;

/// The org of every tab.
pub(crate) const ORG: &str = "acme";

/// Longer than any run.
const LIFETIME_SECONDS: u32 = 4 * 3600;

/// Signs tokens with the development key that every node in the benchmark trusts.
pub(crate) struct Mint {
    key: SigningKey,
    key_file: PathBuf,
    org: Id,
    /// Signing takes most of a millisecond, so tokens are kept for the next scenario.
    users: RefCell<Vec<Ticket>>,
}

impl Mint {
    /// A mint with its key in this folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let key_file = folder.join("development-key.pem");
        let key = SigningKey::load_or_create(&key_file).context("no signing key")?;
        Ok(Self { key, key_file, org: Id::parse(ORG)?, users: RefCell::default() })
    }

    /// The path of the key.
    pub(crate) fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// This many users, each with its own token and session.
    pub(crate) fn users(&self, count: usize) -> Result<Vec<Ticket>> {
        let mut users = self.users.borrow_mut();
        for number in users.len()..count {
            users.push(self.user(number, Platform::Bench)?);
        }
        Ok(users[..count].to_vec())
    }

    /// This many users of a platform.
    pub(crate) fn users_of(&self, platform: Platform, count: usize) -> Result<Vec<Ticket>> {
        (0..count).map(|number| self.user(number, platform)).collect()
    }

    fn user(&self, number: usize, platform: Platform) -> Result<Ticket> {
        let user = Id::parse(&format!("user-{number}"))?;
        let token = NewToken::user(DEVELOPMENT_ISSUER, AUDIENCE, &user, now(), LIFETIME_SECONDS);
        let token = token.org(&self.org).roles([platform.role()]);
        let token = token.session(&Id::parse(&format!("session-{number}"))?);
        Ok(Ticket { user: Some(user), token: Rc::from(self.key.sign(&token)?) })
    }

    /// The token of a user of another org.
    pub(crate) fn guest(&self, user: &str, org: &str) -> Result<String> {
        let (user, org) = (Id::parse(user)?, Id::parse(org)?);
        let token = NewToken::user(DEVELOPMENT_ISSUER, AUDIENCE, &user, now(), LIFETIME_SECONDS);
        Ok(self.key.sign(&token.org(&org).roles(["user"]).session(&user))?)
    }

    /// A token that may publish the benchmark's events.
    pub(crate) fn producer(&self) -> Result<Rc<str>> {
        let service = Id::parse("bench")?;
        let types = ["system.*", "auth.*", "analytics.*"].map(TypePattern::parse);
        let types = types.into_iter().collect::<Result<Vec<_>, _>>()?;
        let token =
            NewToken::producer(DEVELOPMENT_ISSUER, PRODUCER_AUDIENCE, &service, &types, now(), LIFETIME_SECONDS);
        Ok(Rc::from(self.key.sign(&token.sources(["*"]).orgs(["*"]))?))
    }
}

fn now() -> i64 {
    // A second back: the node must not get a token from its future.
    OffsetDateTime::now_utc().unix_timestamp() - 1
}
