//! The metrics of a text, by family: for conversion into another format.

use std::borrow::Cow;

/// The type of a family's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A counter: it only grows.
    Counter,
    /// A gauge: it goes up and down.
    Gauge,
    /// A histogram: counts of measured values by size.
    Histogram,
}

/// All samples of one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family<'t> {
    /// Its name, without the suffixes of its samples.
    pub(crate) name: &'t str,
    pub(crate) help: &'t str,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample<'t>>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample<'t> {
    /// The suffix of its name after that of its family, such as `_total`.
    pub(crate) ending: &'t str,
    pub(crate) labels: Vec<(&'t str, Cow<'t, str>)>,
    pub(crate) value: f64,
}

/// Parses the families in the output of [`super::encode`].
pub(crate) fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in text.lines() {
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ').unwrap_or_default();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) {
            let kind = match kind {
                "counter" => Kind::Counter,
                "histogram" => Kind::Histogram,
                _ => Kind::Gauge,
            };
            let help = if help.0 == name { help.1 } else { "" };
            families.push(Family { name, help, kind, samples: Vec::new() });
        } else if let Some(family) = families.last_mut().filter(|_| !line.starts_with('#')) {
            family.samples.extend(line.strip_prefix(family.name).and_then(sample));
        }
    }
    families
}

/// A sample whose family's name was parsed already.
fn sample(rest: &str) -> Option<Sample<'_>> {
    let end = rest.find(['{', ' '])?;
    let (ending, rest) = rest.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.trim_start().split(' ').next()?.parse().ok()?;
    Some(Sample { ending, labels, value })
}

/// A sample's labels.
type Labels<'t> = Vec<(&'t str, Cow<'t, str>)>;

/// The labels up to the closing brace, and the rest. Quoted text may contain anything.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((found, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut is_escaped = false;
        let end = after.char_indices().find_map(|(at, c)| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends.then_some(at)
        })?;
        found.push((name, unescaped(&after[..end])));
        rest = &after[end + 1..];
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => whole.push('\n'),
                Some(other) => whole.push(other),
                None => {}
            },
            (c, false) => whole.push(c),
        }
    }
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_by_their_families() {
        let text = "# HELP hits Hits.\n# TYPE hits counter\nhits_total{hub=\"/a\\\"}\\n\",t=\"x,y=\\\\\"} 3\nhits_total{hub=\"/b\"} 4\n\
                    # HELP wait Wait.\n# TYPE wait histogram\nwait_sum 0.5\nwait_count 2\nwait_bucket{le=\"1\"} 1\n\
                    wait_bucket{le=\"+Inf\"} 2\n# HELP lag Lag.\n# TYPE lag gauge\nlag -1.5\n# EOF\n";
        let families = families(text);
        assert_eq!(
            families.iter().map(|family| (family.name, family.help)).collect::<Vec<_>>(),
            [("hits", "Hits."), ("wait", "Wait."), ("lag", "Lag.")]
        );
        assert_eq!(families[0].samples[0].labels, [("hub", Cow::from("/a\"}\n")), ("t", Cow::from("x,y=\\"))]);
        assert_eq!(families[0].samples[1], Sample { ending: "_total", labels: vec![("hub", "/b".into())], value: 4.0 });
        assert_eq!(
            families[1].samples.iter().map(|sample| sample.ending).collect::<Vec<_>>(),
            ["_sum", "_count", "_bucket", "_bucket"]
        );
        assert_eq!((families[2].kind, families[2].samples[0].value), (Kind::Gauge, -1.5));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert!(families("hits_total 3\n").is_empty());
        let cut = families("# TYPE hits counter\nhits_total{hub=\"/a\nhits_total\nhits_total x\nhits_total 1\n");
        assert_eq!(cut[0].samples.len(), 1);
    }
}
