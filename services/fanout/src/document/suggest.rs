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
}
