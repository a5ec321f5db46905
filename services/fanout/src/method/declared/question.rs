//! `authorizer`: the question that is put to the platform before a call is carried out.

use std::sync::Arc;

use super::template::{Claim, Source};
use super::{Caller, Given, Names, Refusal, UnknownName};
use crate::route::{Piece, pieces};
use crate::vocabulary::name::GroupName;

/// Which authorizer is asked, and what.
#[derive(Debug, Clone)]
pub struct Question {
    /// The authorizer's name.
    pub authorizer: Arc<str>,
    /// Scheme, host and port.
    origin: Box<str>,
    /// The segments of the path.
    segments: Box<[Box<[Part]>]>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    Value(Source),
    Hub,
    Group,
}

impl Question {
    /// The question that a method puts to an authorizer, whose path is a template.
    ///
    /// # Errors
    /// [`UnknownName`] if the path names what the method does not have.
    pub fn new(
        authorizer: Arc<str>,
        origin: &str,
        path: &str,
        names: Names<'_>,
        joins: bool,
    ) -> Result<Self, UnknownName> {
        let part = |piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text.into())),
            Piece::Name(name) if name == "hub" => Ok(Part::Hub),
            Piece::Name(name) if name == "group" && joins => Ok(Part::Group),
            Piece::Name(name) => names.text_source(&name).map(Part::Value),
        };
        let segment = |text: &str| pieces(text).map_err(UnknownName::Braces)?.into_iter().map(part).collect();
        let segments = path.split('/').skip(1).map(segment).collect::<Result<_, _>>()?;
        Ok(Self { authorizer, origin: origin.into(), segments })
    }

    /// Whether it asks for a claim of the caller.
    #[must_use]
    pub fn uses_claims(&self) -> bool {
        self.segments.iter().flatten().any(|part| matches!(part, Part::Value(Source::Claim(_))))
    }

    /// Whether it asks for this claim of the caller.
    #[must_use]
    pub fn names(&self, claim: Claim) -> bool {
        self.segments.iter().flatten().any(|part| matches!(part, Part::Value(Source::Claim(of)) if *of == claim))
    }

    /// The URL of one call.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks a claim, or a value would change the path.
    pub fn url(
        &self,
        caller: Caller<'_>,
        given: &Given,
        hub: &str,
        group: Option<&GroupName>,
    ) -> Result<String, Refusal> {
        let mut url = self.origin.to_string();
        for segment in &self.segments {
            url.push('/');
            let start = url.len();
            for part in segment {
                match part {
                    Part::Text(text) => url.push_str(text),
                    Part::Value(source) => encode(&source.required(caller, given)?, &mut url),
                    Part::Hub => encode(hub, &mut url),
                    Part::Group => encode(&group.map(ToString::to_string).unwrap_or_default(), &mut url),
                }
            }
            // What is empty asks about the list of all, and not about one.
            if start == url.len() && !segment.is_empty() {
                return Err(Refusal::Argument("An argument must not be empty here.".to_owned()));
            }
            // These two are never names, however they are encoded: they would ask about another resource.
            if matches!(&url[start..], "." | "..") {
                return Err(Refusal::Argument("An argument must not be `.` or `..`.".to_owned()));
            }
        }
        Ok(url)
    }
}

/// Everything but what RFC 3986 calls unreserved is encoded, so that a value never leaves its segment.
fn encode(text: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
