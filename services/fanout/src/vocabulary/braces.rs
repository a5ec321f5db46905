//! Braces in texts of the configuration: `{name}` is a value, `{{` and `}}` are plain braces.
//!
//! What a name stands for, and which names there are, is for those who ask.

use std::borrow::Cow;

use thiserror::Error;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text, with its doubled braces halved; never empty, and never behind other text.
    Text(Cow<'t, str>),
    /// What stands between braces.
    Name(&'t str),
}

/// A brace has no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a `{0}` has no partner; write `{0}{0}` for a plain brace")]
pub struct Unpaired(pub char);

/// Splits a template at its braces; ends with the first brace that has no partner.
pub fn pieces(template: &str) -> impl Iterator<Item = Result<Piece<'_>, Unpaired>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let text = take_text(&mut rest);
        if !text.is_empty() {
            return Some(Ok(Piece::Text(text)));
        }
        let brace = rest.chars().next()?;
        let named = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        rest = named.map_or("", |(_, tail)| tail);
        Some(named.map(|(name, _)| Piece::Name(name)).ok_or(Unpaired(brace)))
    })
}

/// Takes the text in front of the next name.
fn take_text<'t>(rest: &mut &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed("");
    loop {
        let (plain, tail) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        text += plain;
        *rest = tail;
        if !tail.starts_with("{{") && !tail.starts_with("}}") {
            return text;
        }
        text += &tail[..1];
        *rest = &tail[2..];
    }
}

/// A text as it stands in a template: its braces are doubled.
pub fn doubled(text: &str) -> Cow<'_, str> {
    if text.contains(['{', '}']) { text.replace('{', "{{").replace('}', "}}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn templates_split_at_their_braces() {
        let text = |text: &'static str| Ok(Piece::Text(text.into()));
        let name = |name| Ok(Piece::Name(name));
        for (template, expected) in [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("{flag}", vec![name("flag")]),
            ("a{x}{$id}b", vec![text("a"), name("x"), name("$id"), text("b")]),
            ("{{x}} {item.id}", vec![text("{x} "), name("item.id")]),
            ("{{{x}}}", vec![text("{"), name("x"), text("}")]),
            ("{}{a{b}", vec![name(""), name("a{b")]),
            ("a}b", vec![text("a"), Err(Unpaired('}'))]),
            ("a{b", vec![text("a"), Err(Unpaired('{'))]),
        ] {
            assert_eq!(pieces(template).collect::<Vec<_>>(), expected, "{template}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_written(text in "[a{}]{0,8}") {
            let doubled = doubled(&text);
            let read: Vec<_> = pieces(&doubled).collect();
            let expected = (!text.is_empty()).then(|| Ok(Piece::Text(text.as_str().into())));
            prop_assert_eq!(read, Vec::from_iter(expected));
        }
    }
}
