//! A user's current standing from auth: whether signed out, and the roles.
//!
//! A token contains the state when it was issued. Before a privileged call auth is asked for the current state. An
//! answer is cached for a second, so that a logout and a withdrawn role take effect here within a second.

use crate::caller::Denied;
use fanfare_event::Id;
use fanfare_telemetry::fields;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is cached, counted from before the request.
pub const KEPT: Duration = Duration::from_secs(1);
/// How long auth may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// Cached answers; beyond them each call sends its own request.
const MOST_KEPT: usize = 10_000;
/// Larger than the longest answer of auth.
const LONGEST_ANSWER: usize = 16 * 1024;

/// The answer of `GET /standing/{user}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The user.
    pub user: Id,
    /// The user's org.
    pub org: Id,
    /// The user's roles now.
    pub roles: Vec<String>,
    /// When the user last signed out everywhere, in milliseconds since the epoch; 0 if never. Tokens issued up to that
    /// second are void.
    pub signed_out_at: i64,
    /// Whether the session of the requesting token is still open.
    pub session_lasts: bool,
}

impl Standing {
    /// Whether a token that was issued at this time, for the requesting session, is still valid.
    pub fn allows(&self, issued_at: i64) -> bool {
        self.session_lasts && issued_at > self.signed_out_at.div_euclid(1000)
    }
}

/// Asks auth, and caches its answers for [`KEPT`].
pub struct Standings {
    client: Client,
    auth: String,
    kept: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// A user and a session: the answer depends on both.
type Key = (Id, Option<Id>);

/// The last answer for one session. The holder of the lock sends the request; others wait for the answer.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Option<Asked>>);

#[derive(Clone)]
struct Asked {
    at: Instant,
    outcome: Result<Arc<Standing>, Denied>,
}

impl Asked {
    /// Whether a call that started at this time may use it: a failure counts only for those that waited for it.
    fn counts_for(&self, began: Instant, now: Instant) -> bool {
        self.at >= began || (self.outcome.is_ok() && now.duration_since(self.at) < KEPT)
    }
}

impl Standings {
    /// Creates a client for the auth service at this URL.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn new(auth: &str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .connect_timeout(DEADLINE)
            // Auth is a neighbour: a proxy for the Internet is not on the way to it.
            .no_proxy()
            .build()?;
        Ok(Self { client, auth: auth.trim_end_matches('/').to_owned(), kept: Mutex::default() })
    }

    /// The standing of a token's user, at most [`KEPT`] old.
    ///
    /// # Errors
    /// [`Denied`] if auth does not know the token or its user, or does not answer in time.
    pub async fn of(&self, user: &Id, session: Option<&Id>, token: &str) -> Result<Arc<Standing>, Denied> {
        let began = Instant::now();
        let Some(slot) = self.slot((user.clone(), session.cloned()), began) else {
            return self.ask(user, token).await;
        };
        let mut last = slot.0.lock().await;
        if let Some(asked) = last.as_ref().filter(|asked| asked.counts_for(began, Instant::now())) {
            return asked.outcome.clone();
        }
        let at = Instant::now();
        let outcome = self.ask(user, token).await;
        *last = Some(Asked { at, outcome: outcome.clone() });
        outcome
    }

    /// The slot of a session, unless there is no room for another.
    fn slot(&self, key: Key, now: Instant) -> Option<Arc<Slot>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT && !kept.contains_key(&key) {
            // Requesting and waiting calls hold the slot too.
            kept.retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.is_over(now));
            if kept.len() >= MOST_KEPT {
                return None;
            }
        }
        Some(Arc::clone(kept.entry(key).or_default()))
    }

    async fn ask(&self, user: &Id, token: &str) -> Result<Arc<Standing>, Denied> {
        let url = format!("{}/standing/{}", self.auth, segment(user.as_str()));
        let away =
            |error: &dyn std::fmt::Display| Denied::Unavailable(format!("auth does not say who is who: {error}"));
        let asked = self.client.get(url).bearer_auth(token).send().await;
        let mut answer = asked.map_err(|error| away(&error.without_url()))?;
        let status = answer.status();
        tracing::debug!({ fields::HTTP_STATUS } = status.as_u16(), "asked auth for a standing");
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Err(Denied::Invalid),
            other => return Err(away(&other)),
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| away(&error.without_url()))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(away(&format_args!("its answer has more than {LONGEST_ANSWER} bytes")));
            }
        }
        let standing: Standing = serde_json::from_slice(&body).map_err(|error| away(&error))?;
        if standing.user == *user { Ok(Arc::new(standing)) } else { Err(away(&"it speaks of another user")) }
    }
}

impl Slot {
    fn is_over(&self, now: Instant) -> bool {
        match self.0.try_lock() {
            Ok(last) => last.as_ref().is_none_or(|asked| now.saturating_duration_since(asked.at) >= KEPT),
            Err(_) => false,
        }
    }
}

/// A value as one segment of a path.
fn segment(text: &str) -> PercentEncode<'_> {
    const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
    utf8_percent_encode(text, SPECIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(signed_out_at: i64, session_lasts: bool) -> Standing {
        let id = |text| Id::parse(text).expect("an id");
        Standing { user: id("bob"), org: id("acme"), roles: Vec::new(), signed_out_at, session_lasts }
    }

    #[test]
    fn a_logout_counts_for_the_tokens_of_its_second() {
        let out = standing(7_999, true);
        assert_eq!([6, 7, 8].map(|issued_at| out.allows(issued_at)), [false, false, true]);
        assert!(!standing(0, false).allows(8));
    }

    #[test]
    fn an_answer_is_shared_for_a_second_and_a_failure_with_those_who_waited() {
        let at = Instant::now();
        let good = Asked { at, outcome: Ok(Arc::new(standing(0, true))) };
        let bad = Asked { at, outcome: Err(Denied::Unavailable("away".into())) };
        let (before, after) = (at - Duration::from_millis(5), at + Duration::from_millis(5));
        assert!(good.counts_for(after, at + KEPT - Duration::from_millis(1)));
        assert!(!good.counts_for(after, at + KEPT));
        assert!(bad.counts_for(before, after) && !bad.counts_for(after, after));
    }

    #[test]
    fn a_user_is_one_segment() {
        assert_eq!(segment("a.b/../c@d é").to_string(), "a%2Eb%2F%2E%2E%2Fc%40d%20%C3%A9");
    }
}
