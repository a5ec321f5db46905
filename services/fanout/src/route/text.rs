//! Text with values in it: `Export {job_id} is ready`.

use super::source::{Context, Source};
use crate::vocabulary::braces::{self, Piece, Unpaired};

/// Splits a template at its braces, of which each pair has to hold what may be a field.
pub(crate) fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | ':');
    let checked = |piece: Result<_, Unpaired>| match piece {
        Ok(Piece::Name(name)) if name.is_empty() || !name.chars().all(plain) => {
            Err(format!("`{{{name}}}` is not a field; write `{{{{` for a plain brace"))
        }
        Ok(piece) => Ok(piece),
        Err(unpaired) => Err(unpaired.to_string()),
    };
    braces::pieces(template).map(checked).collect()
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
    fn braces_hold_what_may_be_a_field() {
        for template in ["", "a{x}{$id}b", "{{x y}} {item.id}", "{at:date}"] {
            assert!(pieces(template).is_ok(), "{template}");
        }
        for template in ["{", "}", "a}b", "{a", "{}", "{a b}", "{a{b}"] {
            assert!(pieces(template).is_err(), "{template}");
        }
    }
}
