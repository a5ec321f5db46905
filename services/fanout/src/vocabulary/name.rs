//! Group names. Two are equal only if both their template and their values are.
//!
//! A group is a tuple: the shape of its template and one value per hole (placeholder). The joined text that people read
//! is never compared, so an org called `acme/role:admin` shares no group with the admins of `acme`.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use fanfare_event::{IdError, MAX_NAME_CHARS, check_name};
use smallvec::SmallVec;

use super::braces::{Piece, Unpaired, doubled, pieces};
use super::owner::{self, Owned, Owner};

/// The most bytes a group template may have.
pub const MAX_TEMPLATE_BYTES: usize = 128;

/// Separates shape and values. Neither may contain control characters, so the joined key is injective.
const SEPARATOR: char = '\u{1f}';

/// A pattern of group names: literal text with named holes, for instance `org:{org}/role:{role}`.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupTemplate {
    text: Arc<str>,
    shape: Arc<str>,
    holes: SmallVec<[Arc<str>; 2]>,
    pub(super) owned: Owned,
}

/// Why a text is not a group template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no text.
    #[error("a group template must not be empty")]
    Empty,
    /// The text is longer than [`MAX_TEMPLATE_BYTES`].
    #[error("a group template has at most {MAX_TEMPLATE_BYTES} bytes")]
    TooLong,
    /// The text holds a control character.
    #[error("a group template must not hold control characters")]
    Control,
    /// A brace has no partner.
    #[error(transparent)]
    Brace(#[from] Unpaired),
    /// The text between braces is not a name.
    #[error("`{{{0}}}` is not a field name (letters, digits and `_`)")]
    Hole(String),
    /// Two holes follow each other without text between them.
    #[error("`{{{0}}}{{{1}}}` needs text between its two values")]
    Adjacent(String, String),
}

/// Why a text cannot be a value in a group name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value is empty or white space only.
    #[error("must not be blank")]
    Blank,
    /// The value is longer than [`MAX_NAME_CHARS`].
    #[error("has more than {MAX_NAME_CHARS} characters")]
    TooLong,
    /// The value holds a control character.
    #[error("must not hold control characters")]
    Control,
    /// The number of values is not the number of holes.
    #[error("is missing or one too many")]
    Count,
}

impl GroupTemplate {
    /// Parses a template; `{name}` is a hole, `{{` and `}}` are plain braces.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(TemplateError::Control);
        }
        let mut shape = String::with_capacity(text.len());
        let mut holes: SmallVec<[Arc<str>; 2]> = SmallVec::new();
        for piece in pieces(text) {
            match piece? {
                // Doubled, so that a plain `{}` in a template never looks like a hole.
                Piece::Text(literal) => shape.push_str(&doubled(&literal)),
                Piece::Name(hole) if !is_hole_name(hole) => return Err(TemplateError::Hole(hole.to_owned())),
                Piece::Name(hole) => {
                    if let (true, Some(previous)) = (shape.ends_with("{}"), holes.last()) {
                        return Err(TemplateError::Adjacent(previous.to_string(), hole.to_owned()));
                    }
                    shape.push_str("{}");
                    holes.push(Arc::from(hole));
                }
            }
        }
        let owned = Owned::of(holes.iter().map(AsRef::as_ref));
        Ok(Self { text: Arc::from(text), shape: Arc::from(shape), holes, owned })
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The literal text with `{}` for every hole; templates of one shape name the same groups.
    #[must_use]
    pub fn shape(&self) -> &str {
        &self.shape
    }

    /// Whether both templates name the same groups, whatever they call their holes.
    #[must_use]
    pub fn same_family(&self, other: &Self) -> bool {
        self.shape == other.shape
    }

    /// The names of the holes, in order.
    pub fn holes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.holes.iter().map(AsRef::as_ref)
    }

    /// The group of these values, one per hole, in order, where no value is one of a user's.
    pub fn name<S: AsRef<str>>(&self, values: &[S]) -> Result<GroupName, ValueError> {
        self.name_for(values, Owner::default())
    }

    /// The group of these values, one per hole, in order; users and sessions among them are the owner's.
    pub fn name_for<S: AsRef<str>>(&self, values: &[S], owner: Owner<'_>) -> Result<GroupName, ValueError> {
        if values.len() != self.holes.len() {
            return Err(ValueError::Count);
        }
        // On the stack for every usual name: the only allocation is the name's own.
        let mut key: SmallVec<[u8; 256]> = SmallVec::new();
        key.extend_from_slice(self.shape.as_bytes());
        for (index, value) in values.iter().enumerate() {
            let value = value.as_ref();
            check_value(value)?;
            key.push(SEPARATOR as u8);
            self.owned.write(index, owner, &mut key)?;
            key.extend_from_slice(value.as_bytes());
        }
        Ok(GroupName(Arc::from(&*String::from_utf8_lossy(&key))))
    }
}

/// Checks that a text may be a value in a group name: whatever may be an id or a role.
pub fn check_value(value: &str) -> Result<(), ValueError> {
    check_name(value).map_err(|error| match error {
        IdError::Blank => ValueError::Blank,
        IdError::TooLong => ValueError::TooLong,
        IdError::Control { .. } => ValueError::Control,
    })
}

fn is_hole_name(name: &str) -> bool {
    // `{claim.realm_access.roles}`: the part after the dot has dots of its own.
    let (bare, is_nested) = match name.split_once('.') {
        Some(("claim" | "answer", path)) => (path, true),
        _ => (name, false),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_nested && matches!(c, '.' | '-');
    !bare.is_empty() && bare.chars().all(plain)
}

impl FromStr for GroupTemplate {
    type Err = TemplateError;
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

impl fmt::Display for GroupTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for GroupTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupTemplate({})", self.text)
    }
}

/// The name of one group: made only by [`GroupTemplate::name`], cheap to clone, hash and compare.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// A name that another node has made, from its [`key`](Self::key).
    pub(crate) fn told(key: &str) -> Self {
        Self(Arc::from(key))
    }

    /// The shape of the template that made this name, for instance `org:{}`.
    #[must_use]
    pub fn shape(&self) -> &str {
        self.0.split(SEPARATOR).next().unwrap_or_default()
    }

    /// The values, in the order of the template's holes.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.split(SEPARATOR).skip(1).map(owner::bare)
    }

    /// The unambiguous form: the shape, and each value after a U+001F. For maps and digests.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    /// The form that people read: `org:acme/role:admin`. Two different groups may read alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.0.split(SEPARATOR).skip(1);
        let mut rest = self.shape();
        while let Some(at) = rest.find(['{', '}']) {
            f.write_str(&rest[..at])?;
            match &rest[at..at + 2] {
                "{}" => {
                    let value = values.next().unwrap_or_default();
                    if let Some(realm) = owner::realm(value) {
                        write!(f, "{realm}/")?;
                    }
                    f.write_str(owner::bare(value))?;
                }
                doubled => f.write_char(if doubled == "{{" { '{' } else { '}' })?,
            }
            rest = &rest[at + 2..];
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str) -> GroupTemplate {
        GroupTemplate::parse(text).unwrap()
    }

    #[test]
    fn an_org_with_a_slash_joins_nothing_of_another() {
        let org = template("org:{org}").name(&["acme/role:admin"]).unwrap();
        let role = template("org:{org}/role:{role}").name(&["acme", "admin"]).unwrap();
        assert_eq!(org.to_string(), role.to_string());
        assert_ne!(org, role);
    }

    #[test]
    fn hole_names_do_not_matter() {
        let (a, b) = (template("list:{list}"), template("list:{list_id}"));
        assert!(a.same_family(&b));
        assert_eq!(a.name(&["7"]).unwrap(), b.name(&["7"]).unwrap());
        assert!(!a.same_family(&template("lists:{list}")));
    }

    #[test]
    fn doubled_braces_are_plain_text() {
        let plain = template("a{{}}b");
        assert_eq!(plain.holes().len(), 0);
        assert_eq!(plain.name::<&str>(&[]).unwrap().to_string(), "a{}b");
        assert!(!plain.same_family(&template("a{x}b")));
        assert_eq!(template("{{{x}}}").name(&["1"]).unwrap().to_string(), "{1}");
    }

    #[test]
    fn bad_templates_are_refused() {
        use TemplateError as E;
        for (text, error) in [
            ("", E::Empty),
            ("org:{org", E::Brace(Unpaired('{'))),
            ("org:org}", E::Brace(Unpaired('}'))),
            ("org:{}", E::Hole(String::new())),
            ("org:{o r}", E::Hole("o r".into())),
            ("{a}{b}", E::Adjacent("a".into(), "b".into())),
            ("org\u{1f}:{org}", E::Control),
        ] {
            assert_eq!(GroupTemplate::parse(text), Err(error), "{text}");
        }
        assert_eq!(GroupTemplate::parse(&"x".repeat(129)), Err(E::TooLong));
    }

    #[test]
    fn bad_values_are_refused() {
        let org = template("org:{org}");
        for (value, error) in [
            ("", ValueError::Blank),
            (" \u{a0}", ValueError::Blank),
            ("a\u{1f}b", ValueError::Control),
            ("a\nb", ValueError::Control),
            (&*"x".repeat(257), ValueError::TooLong),
        ] {
            assert_eq!(org.name(&[value]), Err(error), "{value:?}");
        }
        assert_eq!(org.name::<&str>(&[]), Err(ValueError::Count));
        assert_eq!(org.name(&["a", "b"]), Err(ValueError::Count));
    }

    proptest! {
        #[test]
        fn names_are_equal_only_if_shape_and_values_are(
            shapes in prop::array::uniform2("([a-c:/{}]|\\{x\\}){0,6}"),
            values in prop::array::uniform2(prop::collection::vec("[a-c:/{}]{1,4}", 0..3)),
        ) {
            let [Ok(a), Ok(b)] = shapes.map(|shape| GroupTemplate::parse(&shape)) else {
                return Ok(());
            };
            let [va, vb] = values;
            if let (Ok(na), Ok(nb)) = (a.name(&va), b.name(&vb)) {
                prop_assert_eq!(na == nb, a.same_family(&b) && va == vb);
                prop_assert_eq!(na.values().collect::<Vec<_>>(), va);
                let _ = na.to_string();
            }
        }
    }
}
