//! What somebody may have meant.

/// The candidate that is nearest to a misspelt word, if one is near enough to be worth a hint.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A distance is quadratic in the lengths; nothing of this length is a typing error.
    if word.len() > 128 {
        return None;
    }
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["flag", "enabled", "changed_by"];
        assert_eq!(nearest("flga", known), Some("flag"));
        assert_eq!(nearest("Enabled", known), Some("enabled"));
        assert_eq!(nearest("changedBy", known), Some("changed_by"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"flag".repeat(1000), known), None);
    }
}
