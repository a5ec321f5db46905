//! Links and headings of Markdown documents.

/// The targets of all inline links and reference definitions outside code, with their line from 1.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, content) in prose(text) {
        let content = without_code(content);
        if let Some(target) = definition(&content) {
            found.push((line, target.to_owned()));
        }
        found.extend(inline(&content).map(|target| (line, target.to_owned())));
    }
    found
}

/// The anchors of the headings in `text`, as code hosts generate them.
pub fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, content) in prose(text) {
        let Some(title) = content.trim_start_matches('#').strip_prefix(' ').filter(|_| content.starts_with('#')) else {
            continue;
        };
        let slug = slug(title);
        let again = anchors.iter().filter(|known| **known == slug).count();
        anchors.push(if again == 0 { slug } else { format!("{slug}-{again}") });
    }
    anchors
}

fn slug(title: &str) -> String {
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The line without its `code` spans, which may look like links.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The target of `[label]: target`.
fn definition(line: &str) -> Option<&str> {
    let (_, target) = line.trim_start().strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next()
}

/// The targets of `[text](target "title")`.
fn inline(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| {
        let target = line[at + 2..].split(')').next()?;
        target.split_whitespace().next()
    })
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn links_are_found_outside_code() {
        let text = "See [a](A.md#x) and ![b](b.png \"B\").\n`[no](no.md)`\n```\n[no](no.md)\n```\n[c]: docs/c.md\n";
        let expected = [(1, "A.md#x"), (1, "b.png"), (6, "docs/c.md")].map(|(line, target)| (line, target.to_owned()));
        assert_eq!(links(text), expected);
    }

    #[test]
    fn anchors_are_made_of_headings() {
        let text = "# The `make run` way, 6.2\n## Again\n```\n# no heading\n```\n## Again\n#hashtag\n";
        assert_eq!(anchors(text), ["the-make-run-way-62", "again", "again-1"]);
    }
}
