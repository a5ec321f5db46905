//! The operator's short-lived token, sealed with the node secret, and the types of the operator's API.

pub mod configuration;
pub mod connections;
pub mod events;
pub mod state;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::seal::{Purpose, Seal};

/// How long a bearer is good that a command makes for itself, in seconds.
pub const LIFETIME: i64 = 60;

/// For how many minutes one may be good at most: for a console that is open for a shift.
pub const MOST_MINUTES: u32 = 12 * 60;

/// How far the clocks of command and node may be apart, in seconds.
const LEEWAY: i64 = 30;

/// Why a request is not an operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotOperator {
    /// There is no bearer.
    #[error(
        "a bearer sealed with the node's secret is needed; `fanfare token --config FILE --operator` prints one, and `fanfare deadletters` and `fanfare connections` bring one"
    )]
    Missing,
    /// It was not sealed with this node's secret.
    #[error("the bearer was not sealed with this node's secret; use the configuration that the node runs with")]
    Unknown,
    /// Its time is over.
    #[error(
        "the bearer has expired; `fanfare token --config FILE --operator --minutes N` prints another, or the clocks of both machines differ"
    )]
    Expired,
    /// It ends later than any bearer does.
    #[error("the bearer expires later than any that is issued; are the clocks of both machines right?")]
    Early,
}

/// The rights of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// Look.
    Read,
    /// Look, close connections and publish dead letters again.
    Change,
}

/// What a valid token allows, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Its rights.
    pub rights: Rights,
    /// When it ends, in seconds since the epoch.
    pub until: i64,
}

/// Whom a token lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An operator, at the operator's calls.
    Operator,
    /// Another node with the same secret, at the nodes' calls.
    Node,
}

impl Role {
    fn purpose(self) -> Purpose {
        match self {
            Self::Operator => Purpose::Operator,
            Self::Node => Purpose::Node,
        }
    }
}

/// Seals a token for one call now.
#[must_use]
pub fn bearer(seal: &Seal, role: Role, now: i64) -> String {
    seal.close(role.purpose(), &(now + LIFETIME).to_be_bytes())
}

/// Seals a token for an operator, valid for [`MOST_MINUTES`] at most.
#[must_use]
pub fn bearer_for(seal: &Seal, rights: Rights, minutes: u32, now: i64) -> String {
    let lifetime = i64::from(minutes.clamp(1, MOST_MINUTES)) * 60;
    let mut payload = (now + lifetime).to_be_bytes().to_vec();
    payload.push(u8::from(rights == Rights::Change));
    seal.close(Role::Operator.purpose(), &payload)
}

/// Checks a token; returns what it allows.
///
/// # Errors
/// [`NotOperator`] with the reason.
pub fn check(seal: &Seal, role: Role, bearer: Option<&str>, now: i64) -> Result<Pass, NotOperator> {
    let payload = seal.open(role.purpose(), bearer.ok_or(NotOperator::Missing)?).ok_or(NotOperator::Unknown)?;
    let (end, rights) = payload.split_first_chunk::<8>().ok_or(NotOperator::Unknown)?;
    let (longest, rights) = match (role, rights) {
        (_, []) => (LIFETIME, Rights::Change),
        (Role::Operator, [0]) => (i64::from(MOST_MINUTES) * 60, Rights::Read),
        (Role::Operator, [1]) => (i64::from(MOST_MINUTES) * 60, Rights::Change),
        _ => return Err(NotOperator::Unknown),
    };
    match i64::from_be_bytes(*end) {
        until if until < now - LEEWAY => Err(NotOperator::Expired),
        until if until > now + longest + LEEWAY => Err(NotOperator::Early),
        until => Ok(Pass { rights, until }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_good_for_a_minute_and_for_one_secret() {
        let seal = Seal::new(b"one", &[]);
        let text = bearer(&seal, Role::Operator, 1000);
        let good = Ok(Pass { rights: Rights::Change, until: 1060 });
        for (now, outcome) in [(1000, good), (1090, good), (1091, Err(NotOperator::Expired)), (970, good)] {
            assert_eq!(check(&seal, Role::Operator, Some(&text), now), outcome, "{now}");
        }
        assert_eq!(check(&seal, Role::Operator, Some(&text), 969), Err(NotOperator::Early));
        assert_eq!(check(&Seal::new(b"two", &[]), Role::Operator, Some(&text), 1000), Err(NotOperator::Unknown));
        assert_eq!(check(&seal, Role::Operator, None, 1000), Err(NotOperator::Missing));
        let cursor = seal.close(Purpose::Cursor, &1060_i64.to_be_bytes());
        assert_eq!(
            check(&seal, Role::Operator, Some(&cursor), 1000),
            Err(NotOperator::Unknown),
            "sealed for something else"
        );
        assert_eq!(check(&seal, Role::Node, Some(&text), 1000), Err(NotOperator::Unknown), "an operator is no node");
        let short = seal.close(Purpose::Operator, b"short");
        assert_eq!(check(&seal, Role::Operator, Some(&short), 1000), Err(NotOperator::Unknown));
    }

    #[test]
    fn a_long_lived_bearer_lists_what_it_allows() {
        let seal = Seal::new(b"one", &[]);
        for rights in [Rights::Read, Rights::Change] {
            let text = bearer_for(&seal, rights, 60, 1000);
            assert_eq!(check(&seal, Role::Operator, Some(&text), 4600), Ok(Pass { rights, until: 4600 }));
            assert_eq!(check(&seal, Role::Operator, Some(&text), 4631), Err(NotOperator::Expired));
            assert_eq!(check(&seal, Role::Node, Some(&text), 1000), Err(NotOperator::Unknown));
        }
        let longest = bearer_for(&seal, Rights::Read, u32::MAX, 0);
        let end = i64::from(MOST_MINUTES) * 60;
        assert_eq!(check(&seal, Role::Operator, Some(&longest), end + LEEWAY + 1), Err(NotOperator::Expired));
        for strange in [&[2_u8][..], &[0, 0]] {
            let payload = [&1060_i64.to_be_bytes()[..], strange].concat();
            let text = seal.close(Purpose::Operator, &payload);
            assert_eq!(check(&seal, Role::Operator, Some(&text), 1000), Err(NotOperator::Unknown));
        }
        let of_node = seal.close(Purpose::Node, &[&1060_i64.to_be_bytes()[..], &[1]].concat());
        assert_eq!(check(&seal, Role::Node, Some(&of_node), 1000), Err(NotOperator::Unknown), "nodes ask for now");
    }
}
