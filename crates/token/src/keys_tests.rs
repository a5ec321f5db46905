use std::sync::OnceLock;

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::jwk::PublicJwk;
use crate::signing::SigningKey;

const TIMING: Timing = Timing {
    refresh: Duration::from_secs(300),
    keep: Duration::from_secs(3600),
    unknown_key_window: Duration::from_secs(30),
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two keys, created once, because creating one is slow.
fn keys() -> &'static [SigningKey; 2] {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [SigningKey::generate().unwrap(), SigningKey::generate().unwrap()])
}

fn set(indices: &[usize]) -> KeySet {
    KeySet::usable(indices.iter().map(|index| keys()[*index].jwk()).collect())
}

/// The generator of P-256: a point of the curve.
fn ec(kid: &str) -> PublicJwk {
    let hex = |text: &str| {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    };
    PublicJwk {
        kty: "EC".to_owned(),
        crv: "P-256".to_owned(),
        kid: kid.to_owned(),
        x: hex("6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"),
        y: hex("4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"),
        ..PublicJwk::default()
    }
}

/// RFC 7517 allows the same id for keys of different types.
#[test]
fn keys_of_two_types_may_have_one_id_and_what_is_passed_over_is_named() {
    let rsa = |index: usize, kid: &str| PublicJwk { kid: kid.to_owned(), ..keys()[index].jwk() };
    let sealing = PublicJwk { key_use: Some("enc".to_owned()), ..rsa(0, "sealing") };
    let set = KeySet::usable(vec![rsa(0, "same"), ec("same"), sealing, rsa(1, "same")]);
    let find = |kid, algorithm| set.find(Sought { kid: Some(kid), algorithm });
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        assert!(find("same", algorithm).is_some_and(|key| key.takes(algorithm)), "{algorithm:?}");
    }
    assert!(find("same", Algorithm::EdDsa).is_some_and(|key| !key.takes(Algorithm::EdDsa)), "named, but of no use");
    let passed_over: Vec<_> = set.passed_over().iter().map(|key| (key.kid.as_str(), key.reason)).collect();
    let expected = [("sealing", "it is not for signatures"), ("same", "a key with its id is there already")];
    assert_eq!(passed_over, expected);
}

#[test]
fn a_key_whose_id_is_null_has_none() {
    let mut published = serde_json::to_value(ec("")).unwrap();
    published["kid"] = serde_json::Value::Null;
    let set = KeySet::usable(vec![serde_json::from_value(published).unwrap()]);
    assert!(set.find(Sought { kid: None, algorithm: Algorithm::Es256 }).is_some());
}

fn kid(index: usize) -> &'static str {
    keys()[index].kid()
}

/// A policy that has fetched key 0 at time 0.
fn running() -> KeyPolicy {
    let mut policy = KeyPolicy::new(TIMING);
    assert_eq!(policy.next(Duration::ZERO), Next::Fetch);
    policy.succeeded(set(&[0]), Duration::ZERO, 0.5);
    policy
}

fn looked_up(policy: &mut KeyPolicy, kid: &str, now: u64) -> &'static str {
    match policy.lookup(Sought { kid: Some(kid), algorithm: crate::algorithm::Algorithm::Rs256 }, seconds(now)) {
        Lookup::Found(_) => "found",
        Lookup::Wait => "wait",
        Lookup::Unknown => "unknown",
        Lookup::Unavailable => "unavailable",
    }
}

#[test]
fn callers_wait_for_the_first_fetch_and_only_one_is_made() {
    let mut policy = KeyPolicy::new(TIMING);
    assert_eq!(looked_up(&mut policy, kid(0), 0), "wait");
    assert_eq!(policy.next(Duration::ZERO), Next::Fetch);
    assert_eq!(policy.next(Duration::ZERO), Next::Pending);
    assert_eq!(looked_up(&mut policy, kid(0), 1), "wait");
    policy.succeeded(set(&[0]), seconds(1), 0.5);
    assert_eq!(looked_up(&mut policy, kid(0), 1), "found");
}

#[test]
fn keys_are_fetched_again_in_time_and_spread() {
    for (chance, due) in [(0.0, 270), (0.5, 300), (1.0, 330)] {
        let mut policy = KeyPolicy::new(TIMING);
        policy.next(Duration::ZERO);
        policy.succeeded(set(&[0]), Duration::ZERO, chance);
        assert_eq!(policy.next(seconds(1)), Next::At(seconds(due)));
        assert_eq!(policy.next(seconds(due)), Next::Fetch);
    }
}

#[test]
fn unknown_ids_cause_one_fetch_per_window() {
    let mut policy = running();
    let mut fetches = Vec::new();
    for now in 1..=100 {
        for number in 0..10 {
            looked_up(&mut policy, &format!("unknown {now} {number}"), now);
            if policy.next(seconds(now)) == Next::Fetch {
                fetches.push(now);
                policy.succeeded(set(&[0]), seconds(now), 0.5);
            }
        }
    }
    assert_eq!(fetches, [1, 31, 61, 91]);
    assert_eq!(looked_up(&mut policy, "unknown", 100), "unknown");
    assert_eq!(looked_up(&mut policy, kid(0), 100), "found");
}

#[test]
fn a_new_key_is_found_by_the_fetch_that_its_id_causes() {
    let mut policy = running();
    assert_eq!(looked_up(&mut policy, kid(1), 10), "wait");
    assert_eq!(policy.next(seconds(10)), Next::Fetch);
    assert_eq!(looked_up(&mut policy, kid(1), 10), "wait", "a fetch is under way");
    assert_eq!(looked_up(&mut policy, kid(0), 10), "found", "known keys do not wait for it");
    policy.succeeded(set(&[0, 1]), seconds(11), 0.5);
    assert_eq!(looked_up(&mut policy, kid(1), 11), "found");
}

#[test]
fn a_retired_key_is_no_longer_found_and_the_generation_grows_only_with_changes() {
    let mut policy = running();
    let first = policy.generation();
    policy.next(seconds(300));
    policy.succeeded(set(&[0]), seconds(300), 0.5);
    assert_eq!(policy.generation(), first);
    policy.next(seconds(600));
    policy.succeeded(set(&[1, 0]), seconds(600), 0.5);
    assert_eq!(policy.generation(), first + 1);
    policy.next(seconds(900));
    policy.succeeded(set(&[0, 1]), seconds(900), 0.5);
    assert_eq!(policy.generation(), first + 1, "the order of keys does not matter");
    policy.next(seconds(1200));
    policy.succeeded(set(&[1]), seconds(1200), 0.5);
    assert_eq!(policy.generation(), first + 2);
    assert_ne!(looked_up(&mut policy, kid(0), 1200), "found");
}

#[test]
fn last_good_keys_serve_for_an_hour_after_failures_began() {
    let mut policy = running();
    let mut now = seconds(300);
    let mut fetches = 0;
    while now < seconds(3899) {
        match policy.next(now) {
            Next::Fetch => {
                fetches += 1;
                policy.failed(now, 1.0);
            }
            Next::At(due) => now = due.min(seconds(3899)),
            Next::Pending => panic!("nothing is under way"),
        }
    }
    assert!((100..200).contains(&fetches), "{fetches} fetches within the hour");
    assert_eq!(looked_up(&mut policy, kid(0), 3899), "found");
    assert!(policy.available(seconds(3899)));
    assert!(!policy.available(seconds(3900)));
    assert_eq!(looked_up(&mut policy, kid(0), 3900), "unavailable");
    assert_eq!(policy.next(seconds(4000)), Next::Fetch, "it never stops trying");
    policy.succeeded(set(&[0]), seconds(4000), 0.5);
    assert_eq!(looked_up(&mut policy, kid(0), 4000), "found");
}

#[test]
fn a_single_success_restarts_the_hour() {
    let mut policy = running();
    policy.next(seconds(300));
    policy.failed(seconds(300), 1.0);
    policy.next(seconds(301));
    policy.succeeded(set(&[0]), seconds(301), 0.5);
    policy.next(seconds(601));
    policy.failed(seconds(601), 1.0);
    assert!(policy.available(seconds(601 + 3599)));
    assert!(!policy.available(seconds(601 + 3600)));
}

#[test]
fn requests_do_not_hurry_the_retries_of_a_start_without_keys() {
    let mut policy = KeyPolicy::new(TIMING);
    policy.next(Duration::ZERO);
    policy.failed(Duration::ZERO, 1.0);
    for _ in 0..100 {
        assert_eq!(looked_up(&mut policy, kid(0), 0), "unavailable");
    }
    assert_eq!(policy.next(Duration::ZERO), Next::At(seconds(1)));
}

#[test]
fn retries_slow_down_to_one_in_thirty_seconds() {
    let mut policy = KeyPolicy::new(TIMING);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(policy.next(now), Next::Fetch);
        policy.failed(now, 1.0);
        let Next::At(due) = policy.next(now) else { panic!("a retry must be due") };
        pauses.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn an_unknown_id_during_an_outage_is_not_the_callers_fault() {
    let mut policy = running();
    policy.next(seconds(300));
    policy.failed(seconds(300), 1.0);
    assert_eq!(looked_up(&mut policy, kid(1), 300), "wait");
    assert_eq!(policy.next(seconds(300)), Next::Fetch);
    policy.failed(seconds(300), 1.0);
    assert_eq!(looked_up(&mut policy, kid(1), 300), "unavailable");
    assert_eq!(looked_up(&mut policy, kid(0), 300), "found");
}
