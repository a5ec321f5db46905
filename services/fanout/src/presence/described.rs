//! A text that describes a user, made from the claims of their token.

use std::sync::Arc;

use fanfare_event::Id;

use super::shape::UnknownName;
use crate::document::suggest;
use crate::route::pieces;
use crate::vocabulary::Identity;
use crate::vocabulary::braces::Piece;

/// The prefix of the names of other claims.
const OTHER: &str = "claim.";

/// The claims that have a meaning of their own.
const OWN: [(&str, Claim); 4] =
    [("user", Claim::User), ("org", Claim::Org), ("session", Claim::Session), ("realm", Claim::Realm)];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    User,
    Org,
    Session,
    Realm,
    Other(Arc<str>),
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    Claim(Claim),
}

/// One text that describes a user.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name in shapes.
    pub name: Arc<str>,
    parts: Box<[Part]>,
}

impl Described {
    /// Reads its template.
    ///
    /// # Errors
    /// [`UnknownName`] if it names something that no token has.
    pub fn parse(name: &str, text: &str) -> Result<Self, UnknownName> {
        let part = |piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text.into())),
            Piece::Name(name) => claim(name).map(Part::Claim).ok_or_else(|| UnknownName::Unknown {
                help: suggest::help(name, OWN.iter().map(|(known, _)| *known).chain(["claim.NAME"])),
                name: name.to_owned(),
            }),
        };
        let parts = pieces(text).map_err(UnknownName::Braces)?.into_iter().map(part);
        Ok(Self { name: name.into(), parts: parts.collect::<Result<_, _>>()? })
    }

    /// The claims without a meaning of their own that it names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Claim(Claim::Other(name)) => Some(&**name),
            _ => None,
        })
    }

    /// The text for one user, cut after so many characters; none if a claim is missing or has several values.
    pub(super) fn text(&self, who: &Identity, most: usize) -> Option<Box<str>> {
        let claims = who.claims();
        let mut text = String::new();
        for part in &self.parts {
            text.push_str(match part {
                Part::Text(text) => text,
                Part::Claim(Claim::User) => claims.user.as_str(),
                Part::Claim(Claim::Org) => claims.org.as_ref().map(Id::as_str)?,
                Part::Claim(Claim::Session) => claims.session.as_ref().map(Id::as_str)?,
                Part::Claim(Claim::Realm) => claims.realm.as_deref()?,
                Part::Claim(Claim::Other(name)) => claims.other.one(name)?,
            });
        }
        Some(text.chars().take(most).collect::<String>().into())
    }
}

fn claim(name: &str) -> Option<Claim> {
    let own = OWN.iter().find(|(known, _)| *known == name).map(|(_, claim)| claim.clone());
    own.or_else(|| Some(Claim::Other(name.strip_prefix(OTHER).filter(|name| !name.is_empty())?.into())))
}
