//! "Did you mean": the known word that an unknown word may mean.

/// The candidate that is nearest to a word, if it is near enough to be a typing error.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Computing a distance takes time quadratic in the lengths; no word of this length is a typing error.
    if word.len() > 128 {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|known| (slips(&lower, &known.to_lowercase()), known))
        .filter(|(slips, known)| *slips <= (known.chars().count().max(word.chars().count()) / 3).max(1))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// The number of edits between two words; a word that continues the other (`flag`, `flag_name`) counts as one edit.
fn slips(word: &str, known: &str) -> usize {
    let continued = |long: &str, short: &str| {
        short.len() >= 3 && long.strip_prefix(short).is_some_and(|tail| tail.starts_with(['_', '-', '.']))
    };
    if continued(word, known) || continued(known, word) {
        return 1;
    }
    strsim::damerau_levenshtein(word, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_words_are_suggested_and_others_are_not() {
        let known = ["flag", "enabled", "changed_by"];
        assert_eq!(nearest("flga", known), Some("flag"));
        assert_eq!(nearest("flag_name", known), Some("flag"));
        assert_eq!(nearest("Enabled", known), Some("enabled"));
        assert_eq!(nearest("changedBy", known), Some("changed_by"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"flag".repeat(1000), known), None);
    }
}
