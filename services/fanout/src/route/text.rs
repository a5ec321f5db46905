//! Text with values in it: `Export {job_id} is ready`.

use super::source::{Context, Source};

/// A piece of a template before names are looked up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Name(String),
}

/// Splits a template at its braces; `{{` and `}}` are plain braces.
pub(crate) fn pieces(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            text.push_str(&rest[..1]);
            rest = &rest[2..];
            continue;
        }
        let Some((name, tail)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            let brace = &rest[..1];
            return Err(format!("a `{brace}` has no partner; write `{brace}{brace}` for a plain brace"));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | ':');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("`{{{name}}}` is not a field; write `{{{{` for a plain brace"));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Name(name.to_owned()));
        rest = tail;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// A part of a compiled text.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Text(Box<str>),
    Value(Source),
}

/// A compiled text.
#[derive(Debug, Clone)]
pub(super) struct Text(pub(super) Box<[Part]>);

impl Text {
    /// The only value of this text, if there is nothing around it.
    pub(super) fn single(&self) -> Option<&Source> {
        match &*self.0 {
            [Part::Value(source)] => Some(source),
            _ => None,
        }
    }

    /// The text, if it has no values.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The values in it.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(source) => Some(source),
            Part::Text(_) => None,
        })
    }

    /// The text for one event; a null value adds nothing.
    pub(super) fn render(&self, context: Context<'_>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(source) => {
                    source.render(context, &mut out);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_split_at_their_braces() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let name = |name: &str| Piece::Name(name.to_owned());
        for (template, expected) in [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("{flag}", vec![name("flag")]),
            ("a{x}{$id}b", vec![text("a"), name("x"), name("$id"), text("b")]),
            ("{{x}} {item.id}", vec![text("{x} "), name("item.id")]),
        ] {
            assert_eq!(pieces(template), Ok(expected), "{template}");
        }
        for template in ["{", "}", "a}b", "{a", "{}", "{a b}", "{a{b}"] {
            assert!(pieces(template).is_err(), "{template}");
        }
    }
}
