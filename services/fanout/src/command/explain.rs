//! `fanfare token --explain`: what a node makes of a token.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;

use fanfare_token::{Audience, ClaimKind, Claims, LeftOut, SigningKey, TokenError, Verifier};

use super::check::report;
use super::{Exit, fail};
use crate::clock::unix_seconds;
use crate::config::{Config, HubConfig, Joiner};

/// The most bytes of a token that are read from the input.
const MAX_INPUT: u64 = 64 * 1024;

/// Prints what a node with this configuration makes of a token; `-` reads it from the input.
pub fn run(config: &Path, token: &str) -> Exit {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    let token = match given(token) {
        Ok(token) => token,
        Err(error) => return fail(Exit::Wrong, format_args!("the token cannot be read: {error}")),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    match runtime.block_on(explain(&config, token.trim())) {
        Ok(explained) => {
            // Nothing can be done for a reader that has gone.
            let _ = write!(std::io::stdout(), "{explained}");
            Exit::Done
        }
        Err(Unexplained { exit, message }) => fail(exit, message),
    }
}

fn given(token: &str) -> std::io::Result<String> {
    if token != "-" {
        return Ok(token.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_INPUT).read_to_string(&mut text)?;
    Ok(text)
}

/// Why there is nothing to explain.
struct Unexplained {
    exit: Exit,
    message: String,
}

async fn explain(config: &Config, token: &str) -> Result<String, Unexplained> {
    let verifier = verifier(config).map_err(|message| Unexplained { exit: Exit::Wrong, message })?;
    let (claims, left_out) = match verifier.explain(token, Audience::User).await {
        // A producer's token cannot connect; it says what it may publish.
        Err(TokenError::WrongAudience) => match verifier.verify(token, Audience::Producer).await {
            Ok(claims) => return Ok(of_producer(&claims)),
            Err(_) => return Err(refused(&TokenError::WrongAudience)),
        },
        Err(error) => return Err(refused(&error)),
        Ok(explained) => explained,
    };
    if claims.expires_at <= unix_seconds() {
        return Err(refused(&TokenError::Expired));
    }
    let mut text = of_user(&claims);
    for LeftOut { claim, why, values } in left_out {
        let _ = writeln!(text, "left out   {values} of claim `{claim}`: {why}");
    }
    for hub in &config.hubs {
        let _ = writeln!(text, "hub        {}: {}", hub.path, at_hub(hub, &claims));
    }
    text.push_str("A logout, and roles that an event has changed since, are known to the nodes alone.\n");
    Ok(text)
}

fn verifier(config: &Config) -> Result<Verifier, String> {
    let mut issuers = config.issuers.clone();
    if let Some(development) = config.development.as_ref().filter(|development| development.signing_key.exists()) {
        let key = SigningKey::load_or_create(&development.signing_key).map_err(|error| error.to_string())?;
        issuers.push(development.issuer(key.jwk()));
    }
    Verifier::new(issuers, config.token.clone()).map_err(|error| error.to_string())
}

fn refused(error: &TokenError) -> Unexplained {
    let exit = if error.is_server_fault() { Exit::Unreachable } else { Exit::Wrong };
    Unexplained { exit, message: format!("the token is refused ({}): {error}", error.label()) }
}

fn of_user(claims: &Claims) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line("issuer", &claims.issuer);
    if let Some(realm) = &claims.realm {
        line("realm", realm);
    }
    line("user", &claims.user);
    match (&claims.org, claims.orgs.as_slice()) {
        (Some(org), _) => line("org", org),
        (None, []) => line("org", &"none"),
        (None, orgs) => line("orgs", &format_args!("{}; a connection names one of them", joined(orgs))),
    }
    line("roles", &joined(&claims.roles));
    if let Some(session) = &claims.session {
        line("session", session);
    }
    for (name, values) in claims.other.iter() {
        line(name, &joined(values));
    }
    line("expires", &format_args!("in {} s", claims.expires_at - unix_seconds()));
    for unusable in &claims.unusable {
        line("unusable", &format_args!("claim `{}`: {}", unusable.claim, unusable.reason));
    }
    text
}

fn at_hub(hub: &HubConfig, claims: &Claims) -> String {
    if let Some(needed) = claims.unusable.iter().find(|unusable| hub.needs(unusable.says)) {
        return format!("refused with 401, since it needs the claim `{}`", needed.claim);
    }
    if !hub.admits(&claims.roles) {
        let asked = hub.require_roles.as_deref().unwrap_or_default();
        return format!("refused with 403, since it asks for one of the roles {}", joined(asked));
    }
    if let Some(claim) = hub.lacks(&claims.other) {
        return format!("refused with 403, since it asks for another value of the claim `{claim}`");
    }
    if !claims.orgs.is_empty() && hub.needs(ClaimKind::Org) {
        return "refused with 403, unless the connection names one of its orgs".to_owned();
    }
    format!("groups {}", joined(&hub.groups(&Joiner::of(claims))))
}

fn of_producer(claims: &Claims) -> String {
    let mut text = format!("issuer     {}\nproducer   {}\n", claims.issuer, claims.user);
    match &claims.publish {
        Some(publish) => {
            let types = joined(&publish.types);
            let (sources, orgs) = (joined(&publish.sources), joined(&publish.orgs));
            let _ = writeln!(text, "publishes  types {types}; sources {sources}; orgs {orgs}");
        }
        None => text.push_str("publishes  nothing: it needs the role `producer` and a claim `publish`\n"),
    }
    text
}

fn joined<T: std::fmt::Display>(values: &[T]) -> String {
    if values.is_empty() {
        return "none".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
