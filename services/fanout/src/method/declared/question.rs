//! `authorizer`: the question that the platform is asked before a call is carried out.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_event::Input;
use fanfare_signalr::Value;
use serde_json::{Map, Value as Json};

use super::template::{Claim, Source};
use super::{Names, Refusal, Scope, Shape, UnknownName};
use crate::route::pieces;
use crate::vocabulary::braces::Piece;

/// How an authorizer is asked, before it is known by which method.
#[derive(Debug, Clone)]
pub struct QuestionForm {
    /// The authorizer's name.
    pub authorizer: Arc<str>,
    /// Scheme, host and port.
    pub origin: Box<str>,
    /// The template of the path.
    pub path: Box<str>,
    /// Whether it is asked by POST.
    pub post: bool,
    /// The body to post, with templates for texts.
    pub body: Option<Json>,
    /// Whether and how it is asked again while a group is held.
    pub again: Option<Again>,
}

/// How often an authorizer is asked again while a connection is in a group that it allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// How often.
    pub every: Duration,
    /// How long the group is kept while there is no answer.
    pub grace: Duration,
}

/// Which authorizer is asked, and what.
#[derive(Debug, Clone)]
pub struct Question {
    /// The authorizer's name.
    pub authorizer: Arc<str>,
    /// Whether and how it is asked again.
    pub again: Option<Again>,
    origin: Box<str>,
    /// The segments of the path.
    segments: Box<[Box<[Part]>]>,
    post: bool,
    body: Option<Shape>,
    /// The lists in the path: each of their items is asked about by itself.
    lists: Box<[Source]>,
    names_group: bool,
}

/// One question, ready to be put.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asking {
    /// The authorizer's name.
    pub authorizer: Arc<str>,
    /// The URL.
    pub url: String,
    /// Whether it is asked by POST.
    pub post: bool,
    /// The body to post, as JSON.
    pub body: Option<String>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    Value(Source),
}

impl Question {
    /// The question that a method puts to an authorizer.
    ///
    /// # Errors
    /// [`UnknownName`] if it names something that the method does not have.
    pub fn new(form: &QuestionForm, names: Names<'_>, has_group: bool) -> Result<Self, UnknownName> {
        let names = names.of_question(has_group);
        let part = |piece: Piece<'_>| match piece {
            Piece::Text(text) => Ok(Part::Text(text.into())),
            Piece::Name(name) => names.text_source(name).map(Part::Value),
        };
        let segment = |text: &str| pieces(text).map_err(UnknownName::Braces)?.into_iter().map(part).collect();
        let segments: Box<[Box<[Part]>]> = form.path.split('/').skip(1).map(segment).collect::<Result<_, _>>()?;
        let body = form.body.as_ref().map(|body| Shape::of_json(body, names)).transpose()?;
        let mut lists: Vec<Source> = Vec::new();
        for source in in_path(&segments).filter(|source| names.is_list(source)) {
            if !lists.contains(source) {
                lists.push(source.clone());
            }
        }
        let of_body = body.iter().flat_map(Shape::sources);
        let names_group = in_path(&segments).chain(of_body).any(|source| *source == Source::Group);
        let QuestionForm { authorizer, origin, post, again, .. } = form.clone();
        Ok(Self { authorizer, again, origin, segments, post, body, lists: lists.into(), names_group })
    }

    /// The names that it uses.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        in_path(&self.segments).chain(self.body.iter().flat_map(Shape::sources))
    }

    /// Whether it asks for this claim of the caller.
    #[must_use]
    pub fn names(&self, claim: Claim) -> bool {
        self.sources().any(|source| *source == Source::Claim(claim))
    }

    /// The lists of which each item gets its own question.
    pub(super) fn lists(&self) -> &[Source] {
        &self.lists
    }

    /// Whether each group is asked about by itself.
    pub(super) fn names_group(&self) -> bool {
        self.names_group
    }

    /// The questions of one call.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks a claim, or a value would change the path.
    pub fn ask(&self, scope: Scope<'_>) -> Result<Asking, Refusal> {
        let mut url = self.origin.to_string();
        for segment in &self.segments {
            url.push('/');
            let start = url.len();
            for part in segment {
                match part {
                    Part::Text(text) => url.push_str(text),
                    Part::Value(source) => encode(&scope.required(source)?, &mut url),
                }
            }
            // An empty value would ask about the list of all, not about one.
            if start == url.len() && !segment.is_empty() {
                return Err(Refusal::Argument("An argument must not be empty here.".to_owned()));
            }
            // These two are never names, however they are encoded: they would ask about another resource.
            if matches!(&url[start..], "." | "..") {
                return Err(Refusal::Argument("An argument must not be `.` or `..`.".to_owned()));
            }
        }
        let body = self.body.as_ref().map(|body| body.evaluate(scope)).transpose()?;
        let body = body.map(|body| json(body).to_string());
        Ok(Asking { authorizer: Arc::clone(&self.authorizer), url, post: self.post, body })
    }
}

fn in_path(segments: &[Box<[Part]>]) -> impl Iterator<Item = &Source> {
    segments.iter().flat_map(|parts| parts.iter()).filter_map(|part| match part {
        Part::Value(source) => Some(source),
        Part::Text(_) => None,
    })
}

fn json(value: Input<'_>) -> Json {
    match value {
        Input::Null => Json::Null,
        Input::Bool(value) => Json::Bool(value),
        Input::Int(number) => Json::from(number),
        Input::UInt(number) => Json::from(number),
        Input::Float(number) => Json::from(number),
        Input::Text(text) => Json::from(text.into_owned()),
        Input::Bytes(bytes) => Json::from(STANDARD.encode(bytes)),
        Input::Moment { seconds, nanoseconds } => {
            Value::Timestamp { seconds, nanoseconds }.iso_text().map_or(Json::Null, Json::from)
        }
        Input::List(items) => items.into_iter().map(json).collect(),
        Input::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| (key.into_owned(), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// Everything except RFC 3986's unreserved characters is encoded, so that a value never leaves its segment.
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
