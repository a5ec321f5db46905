//! The short-lived bearer of an operator: whoever can read the node's configuration can seal one.

pub mod connections;

use thiserror::Error;

use crate::seal::{Purpose, Seal};

/// How long a bearer is good, in seconds.
const LIFETIME: i64 = 60;

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
    /// Its time is over, or has not come.
    #[error("the bearer is good for {LIFETIME} s and is not now; are the clocks of both machines right?")]
    Expired,
}

/// Who a bearer lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An operator, at what operators may ask.
    Operator,
    /// Another node of the same secret, at what nodes ask each other.
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

/// Seals a bearer.
#[must_use]
pub fn bearer(seal: &Seal, role: Role, now: i64) -> String {
    seal.close(role.purpose(), &(now + LIFETIME).to_be_bytes())
}

/// Checks a bearer.
///
/// # Errors
/// [`NotOperator`] with the reason.
pub fn check(seal: &Seal, role: Role, bearer: Option<&str>, now: i64) -> Result<(), NotOperator> {
    let payload = seal.open(role.purpose(), bearer.ok_or(NotOperator::Missing)?).ok_or(NotOperator::Unknown)?;
    let end = <[u8; 8]>::try_from(payload.as_slice()).map(i64::from_be_bytes).map_err(|_| NotOperator::Unknown)?;
    if (now - LEEWAY..=now + LIFETIME + LEEWAY).contains(&end) { Ok(()) } else { Err(NotOperator::Expired) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_good_for_a_minute_and_for_one_secret() {
        let seal = Seal::new(b"one", &[]);
        let text = bearer(&seal, Role::Operator, 1000);
        for (now, outcome) in [(1000, Ok(())), (1090, Ok(())), (1091, Err(NotOperator::Expired)), (970, Ok(()))] {
            assert_eq!(check(&seal, Role::Operator, Some(&text), now), outcome, "{now}");
        }
        assert_eq!(check(&seal, Role::Operator, Some(&text), 969), Err(NotOperator::Expired));
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
}
