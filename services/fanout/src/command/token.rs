//! `fanfare token`: prints a development token or an operator's token.

use std::io::Write as _;
use std::path::Path;

use fanfare_event::{Id, TypePattern, check_name};
use fanfare_token::{NewToken, SigningKey};

use super::check::report;
use super::{Exit, client, fail};
use crate::clock::unix_seconds;
use crate::config::{AUDIENCE, Config, DEVELOPMENT_ISSUER, PRODUCER_AUDIENCE};
use crate::operator::{self, Rights};

/// The role that makes a token a producer's.
const PRODUCER: &str = "producer";

/// The claims of the token.
#[derive(Debug, Clone)]
pub struct Request {
    /// The user.
    pub user: String,
    /// The user's org.
    pub org: String,
    /// The roles.
    pub roles: Vec<String>,
    /// The types that a producer may publish; any if none is given.
    pub publish: Vec<String>,
    /// The session.
    pub session: Option<String>,
    /// Other claims, each as `NAME=VALUE`.
    pub claims: Vec<String>,
    /// How long it is good, in seconds.
    pub lifetime: u32,
}

/// Prints a development token.
pub fn run(config: &Path, request: &Request) -> Exit {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    match sign(&config, request) {
        Ok(token) => {
            // Nothing can be done for a reader that has gone.
            let _ = writeln!(std::io::stdout(), "{token}");
            Exit::Done
        }
        Err(message) => fail(Exit::Wrong, message),
    }
}

/// Prints a bearer for the operator's port of a node that has run with this configuration.
pub fn run_operator(config: &Path, rights: Rights, minutes: u32) -> Exit {
    let (_, seal) = match client::sealed(config) {
        Ok(sealed) => sealed,
        Err(exit) => return exit,
    };
    // Nothing can be done for a reader that has gone.
    let _ = writeln!(std::io::stdout(), "{}", operator::bearer_for(&seal, rights, minutes, unix_seconds()));
    Exit::Done
}

/// Signs a token with the development key of a configuration.
///
/// # Errors
/// One sentence: there is no such key, or the request asks for something that no token can hold.
pub fn sign(config: &Config, request: &Request) -> Result<String, String> {
    let Some(development) = &config.development else {
        return Err("the config has no [development] signing_key, so no token can be made with it".to_owned());
    };
    let user = id("user", &request.user)?;
    let org = id("org", &request.org)?;
    let now = unix_seconds();
    for role in &request.roles {
        check_name(role).map_err(|error| format!("--role {role:?}: {error}"))?;
    }
    let mut token = if request.roles.iter().any(|role| role == PRODUCER) {
        let any = ["*".to_owned()];
        let patterns = if request.publish.is_empty() { &any[..] } else { &request.publish };
        let types: Result<Vec<_>, _> = patterns.iter().map(|text| TypePattern::parse(text)).collect();
        let types = types.map_err(|error| format!("--publish: {error}"))?;
        NewToken::producer(DEVELOPMENT_ISSUER, PRODUCER_AUDIENCE, &user, &types, now, request.lifetime)
            .sources(["*"])
            .orgs(["*"])
    } else {
        NewToken::user(DEVELOPMENT_ISSUER, AUDIENCE, &user, now, request.lifetime)
    };
    token = token.org(&org).roles(request.roles.clone());
    if let Some(session) = &request.session {
        token = token.session(&id("session", session)?);
    }
    for claim in &request.claims {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| format!("--claim {claim:?}: write NAME=VALUE, for instance plan=pro"))?;
        if !token.add(name, value) {
            return Err(format!("--claim {claim:?}: `{name}` has a meaning of its own"));
        }
    }
    let key = SigningKey::load_or_create(&development.signing_key).map_err(|error| error.to_string())?;
    key.sign(&token).map_err(|error| error.to_string())
}

fn id(what: &str, text: &str) -> Result<Id, String> {
    Id::parse(text).map_err(|error| format!("--{what} {text:?}: {error}"))
}
