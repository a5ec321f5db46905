//! "Did you mean": the known word closest to an unknown one.

/// The candidate that `word` most likely stands for, if one is close enough to be a slip.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|known| (slips(&lower, &known.to_lowercase()), known))
        .filter(|(slips, known)| *slips <= (known.len().max(word.len()) / 3).max(1))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// Edits between two words; a word that continues the other (`flag`, `flag_name`) counts as one slip.
fn slips(word: &str, known: &str) -> usize {
    let continued = |long: &str, short: &str| {
        short.len() >= 3 && long.strip_prefix(short).is_some_and(|tail| tail.starts_with(['_', '-', '.']))
    };
    if continued(word, known) || continued(known, word) {
        return 1;
    }
    strsim::damerau_levenshtein(word, known)
}

/// Help for an unknown word: the closest known one, or all of them if there are few.
pub fn help<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let known: Vec<&str> = candidates.into_iter().collect();
    match closest(word, known.iter().copied()) {
        Some(close) => Some(format!("did you mean `{close}`?")),
        None if known.is_empty() => None,
        None if known.len() <= 20 => Some(format!("known: {}", known.join(", "))),
        None => Some(format!("known: {} and {} more", known[..20].join(", "), known.len() - 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let known = ["enabled", "flag", "changed_by"];
        for (word, expected) in [
            ("enabeld", Some("enabled")),
            ("flg", Some("flag")),
            ("flag_name", Some("flag")),
            ("FLAG", Some("flag")),
            ("severity", None),
        ] {
            assert_eq!(closest(word, known), expected, "{word}");
        }
        assert_eq!(help("severity", known).as_deref(), Some("known: enabled, flag, changed_by"));
        assert_eq!(help("x", []), None);
    }
}
