//! The values that the templates of one call may use.

use std::borrow::Cow;

use fanfare_token::OtherClaims;
use smallvec::SmallVec;

use super::template::Source;
use super::{Caller, Given, Refusal};
use crate::vocabulary::name::GroupName;

/// The values of one call, for its templates.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The caller.
    pub caller: Caller<'a>,
    /// The arguments.
    pub given: &'a Given,
    /// The path of the hub.
    pub hub: &'a str,
    /// The group that a question is about.
    pub(super) group: Option<&'a GroupName>,
    /// The authorizer's answer.
    pub(super) answer: Option<&'a OtherClaims>,
    /// Which item of each list it is about.
    pub(super) picks: &'a [Pick],
}

/// One item of a list that a template spreads over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) source: Source,
    pub(super) item: usize,
}

impl<'a> Scope<'a> {
    /// Of a new call.
    #[must_use]
    pub fn new(caller: Caller<'a>, given: &'a Given, hub: &'a str) -> Self {
        Self { caller, given, hub, group: None, answer: None, picks: &[] }
    }

    /// Whether one item of a list was picked.
    pub(super) fn has_picked(self, source: &Source) -> bool {
        self.picks.iter().any(|pick| pick.source == *source)
    }

    /// All texts of a source.
    pub(super) fn all(self, source: &Source) -> SmallVec<[Cow<'a, str>; 1]> {
        let several = |values: &'a [String]| values.iter().map(|value| Cow::Borrowed(value.as_str())).collect();
        match source {
            Source::Argument(index) => self.given.texts(*index),
            Source::Claim(claim) => self.caller.claim(*claim).map(Cow::Borrowed).into_iter().collect(),
            Source::Other(name) => several(self.caller.other(name)),
            Source::Answer(name) => several(self.answer.map(|answer| answer.values(name)).unwrap_or_default()),
            Source::Hub => SmallVec::from_elem(Cow::Borrowed(self.hub), 1),
            Source::Group => self.group.map(|group| Cow::Owned(group.to_string())).into_iter().collect(),
        }
    }

    /// The text of a source: the chosen item of a list, or the only one.
    pub(super) fn text(self, source: &Source) -> Option<Cow<'a, str>> {
        let pick = self.picks.iter().find(|pick| pick.source == *source).map(|pick| pick.item);
        let mut all = self.all(source);
        match pick {
            Some(item) if item < all.len() => Some(all.swap_remove(item)),
            None if all.len() == 1 => all.pop(),
            _ => None,
        }
    }

    /// The same, or why there is none.
    pub(super) fn required(self, source: &Source) -> Result<Cow<'a, str>, Refusal> {
        self.text(source).ok_or_else(|| self.lacks(source))
    }

    /// Why a source has no text.
    pub(super) fn lacks(self, source: &Source) -> Refusal {
        let is_several = self.all(source).len() > 1;
        match source {
            Source::Claim(claim) => Refusal::NoClaim(claim.name().into()),
            Source::Other(name) if is_several => Refusal::Several(name.to_string()),
            Source::Other(name) => Refusal::NoClaim(name.to_string()),
            Source::Answer(name) => Refusal::NoAnswer(name.to_string()),
            // Templates use texts, and lists of them, only.
            Source::Argument(_) | Source::Hub | Source::Group => {
                Refusal::Argument("An argument is no text, or an empty list.".to_owned())
            }
        }
    }

    /// Every choice of one item of each of these lists, at most so many.
    pub(super) fn choices(self, lists: &[Source], most: usize) -> Result<Vec<SmallVec<[Pick; 2]>>, Refusal> {
        let mut choices: Vec<SmallVec<[Pick; 2]>> = vec![self.picks.iter().cloned().collect()];
        for source in lists.iter().filter(|source| !self.picks.iter().any(|pick| pick.source == **source)) {
            let items = self.all(source).len();
            if items == 0 {
                return Err(self.lacks(source));
            }
            if items * choices.len() > most {
                return Err(Refusal::TooWide(most));
            }
            let with = |choice: &SmallVec<[Pick; 2]>, item| {
                let mut choice = choice.clone();
                choice.push(Pick { source: source.clone(), item });
                choice
            };
            choices = choices.iter().flat_map(|choice| (0..items).map(move |item| with(choice, item))).collect();
        }
        Ok(choices)
    }
}
