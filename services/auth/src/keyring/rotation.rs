//! The rotation from one key to the next.

use super::Periods;
use super::store::{self, Stored};
use fanfare_producer::{Change, Error, Producer};
use fanfare_telemetry::fields;
use fanfare_token::SigningKey;
use std::time::Duration;

/// Keys that may be published at once: verifiers read a bounded set.
const MOST_KEYS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// If the key has signed for long enough.
    Due,
    /// Whatever its age.
    Now,
}

/// Rotates if it is time, deletes keys that were retired long enough ago, and returns all keys.
pub(super) async fn rotate(producer: &Producer, periods: Periods, when: When) -> Result<Vec<Stored>, Error> {
    let mut change = producer.begin().await?;
    store::lock(&mut change).await?;
    let forget = change.now().0.saturating_sub(milliseconds(periods.keep_retired));
    store::forget_retired_before(&mut change, forget).await?;
    let keys = store::all(&mut change).await?;
    let signing = keys.iter().find(|key| key.is_signing());
    let due = signing.is_none_or(|key| when == When::Now || is_due(key, &change, periods));
    let mut next = keys.iter().find(|key| key.is_next()).map(|key| key.kid.clone());
    if due {
        if when == When::Now && keys.len() >= MOST_KEYS {
            let message = format!("{MOST_KEYS} keys are published; the oldest must expire first");
            return Err(Error::TooMany { message, retry_after: periods.keep_retired });
        }
        let kid = match next.take() {
            Some(kid) => kid,
            None => make(&mut change).await?,
        };
        store::promote(&mut change, &kid).await?;
        tracing::info!({ fields::KEY_ID } = kid, "a key signs tokens from now on");
    }
    if next.is_none() {
        make(&mut change).await?;
    }
    let keys = store::all(&mut change).await?;
    change.commit().await?;
    Ok(keys)
}

fn is_due(signing: &Stored, change: &Change, periods: Periods) -> bool {
    let signs_from = signing.signs_from.map_or(0, |time| time.0);
    change.now().0 >= signs_from.saturating_add(milliseconds(periods.rotate_after))
}

/// Creates a key. It takes a fraction of a second, in which other changes wait: once per rotation.
async fn make(change: &mut Change) -> Result<String, Error> {
    let key =
        tokio::task::spawn_blocking(SigningKey::generate).await.map_err(Error::internal)?.map_err(Error::internal)?;
    let pem = key.to_pkcs8_pem().map_err(Error::internal)?;
    store::insert(change, key.kid(), &pem).await?;
    Ok(key.kid().to_owned())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
