//! "Did you mean": the known word closest to an unknown one.

use fanfare_event::suggest::nearest;

/// Help for an unknown word: the closest known one, or all of them if there are few.
pub fn help<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let known: Vec<&str> = candidates.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(close) => Some(format!("did you mean `{close}`?")),
        None if known.is_empty() => None,
        None if known.len() <= 20 => Some(format!("known: {}", known.join(", "))),
        None => Some(format!("known: {} and {} more", known[..20].join(", "), known.len() - 20)),
    }
}

/// The same for an unknown key, which may be, or be near to, another's word for a known one.
pub fn translated(word: &str, keys: &[&str], words: &[(&str, &str)]) -> Option<String> {
    let others = words.iter().map(|(other, _)| *other);
    let near = nearest(word, keys.iter().copied().chain(others));
    match words.iter().find(|(other, _)| near == Some(other)) {
        Some((_, here)) => Some(format!("did you mean `{here}`?")),
        None => help(word, keys.iter().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_gets_a_suggestion_and_anything_else_the_whole_list() {
        let known = ["enabled", "flag", "changed_by"];
        assert_eq!(help("enabeld", known).as_deref(), Some("did you mean `enabled`?"));
        assert_eq!(help("severity", known).as_deref(), Some("known: enabled, flag, changed_by"));
        assert_eq!(help("x", []), None);
    }

    #[test]
    fn a_word_of_others_gets_the_key_that_it_is_here_also_if_it_is_mistyped() {
        let (keys, words) = (["conflate", "throttle"], [("debounce", "throttle = 10"), ("limit", "throttle = 10")]);
        for word in ["debounce", "debonce", "Debounce", "limit", "limits"] {
            assert_eq!(translated(word, &keys, &words).as_deref(), Some("did you mean `throttle = 10`?"), "{word}");
        }
        assert_eq!(translated("conflat", &keys, &words).as_deref(), Some("did you mean `conflate`?"));
        assert_eq!(translated("colour", &keys, &words).as_deref(), Some("known: conflate, throttle"));
    }
}
