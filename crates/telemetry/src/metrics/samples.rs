//! The samples of a metrics text, for code that shows some of them: so each count has one source.

use std::collections::BTreeMap;

/// The output of [`super::encode`].
#[derive(Debug, Clone, Copy)]
pub struct Samples<'t>(&'t str);

impl<'t> Samples<'t> {
    /// The samples in a text.
    #[must_use]
    pub fn of(text: &'t str) -> Self {
        Self(text)
    }

    /// The sum of a gauge's samples; 0 if there are none.
    #[must_use]
    pub fn gauge(self, name: &str) -> f64 {
        self.named(name, "").map(|(_, value)| value).sum()
    }

    /// The sum of a counter's samples.
    #[must_use]
    pub fn counter(self, name: &str) -> f64 {
        self.named(name, "_total").map(|(_, value)| value).sum()
    }

    /// The samples of a gauge, summed by the values of one label.
    #[must_use]
    pub fn gauge_by(self, name: &str, label: &str) -> BTreeMap<String, f64> {
        by(self.named(name, ""), label)
    }

    /// The samples of a counter, summed by the values of one label.
    #[must_use]
    pub fn counter_by(self, name: &str, label: &str) -> BTreeMap<String, f64> {
        by(self.named(name, "_total"), label)
    }

    /// The value of a label of the first sample that is not 0.
    #[must_use]
    pub fn label(self, name: &str, label: &str) -> Option<&'t str> {
        self.named(name, "").filter(|(_, value)| *value != 0.0).find_map(|(labels, _)| value_of(labels, label))
    }

    /// Labels and value of each sample of this name.
    fn named<'s>(self, name: &'s str, ending: &'s str) -> impl Iterator<Item = (&'t str, f64)> + use<'s, 't> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?.strip_prefix(ending)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            Some((labels, value.split(' ').next()?.parse().ok()?))
        })
    }
}

fn by<'t>(samples: impl Iterator<Item = (&'t str, f64)>, label: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for (labels, value) in samples {
        if let Some(key) = value_of(labels, label) {
            *sums.entry(key.to_owned()).or_default() += value;
        }
    }
    sums
}

/// The value of a label, as written. Quoted text is skipped as a whole: hubs and types come from outside.
fn value_of<'t>(labels: &'t str, label: &str) -> Option<&'t str> {
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut is_escaped = false;
        let end = after.char_indices().find_map(|(at, c)| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends.then_some(at)
        })?;
        if name == label {
            return Some(&after[..end]);
        }
        rest = after[end + 1..].trim_start_matches(',');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_added_up_by_name_and_label() {
        let text = "# HELP a b\na_total{t=\"x\",u=\"1\"} 2\na_total{t=\"x\",u=\"2\"} 3\na_total{t=\"y\",u=\"1\"} 4\n\
                    a_total_more 9\nlag 0.5\ninfo{digest=\"old\"} 0\ninfo{digest=\"abc\"} 1\n";
        let samples = Samples::of(text);
        assert_eq!((samples.counter("a"), samples.counter("b"), samples.gauge("lag")), (9.0, 0.0, 0.5));
        assert_eq!(samples.counter_by("a", "t"), BTreeMap::from([("x".to_owned(), 5.0), ("y".to_owned(), 4.0)]));
        assert_eq!(samples.label("info", "digest"), Some("abc"));
    }

    #[test]
    fn text_within_a_value_is_no_label() {
        let labels = "hub=\"/a\\\",t=\\\"z\\\\\",t=\"x\"";
        assert_eq!(value_of(labels, "t"), Some("x"));
        assert_eq!(value_of(labels, "u"), None);
        assert_eq!(value_of("t=\"open", "t"), None);
    }
}
