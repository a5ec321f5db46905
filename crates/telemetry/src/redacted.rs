//! A value that must not reach a log line.

use std::fmt;

/// Contains a secret and formats as `[redacted]`.
///
/// Values reach logs, spans and error texts through formatting. [`Redacted::expose`] is the only access to the value
/// and easy to find in a review.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a secret.
    pub const fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the secret.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(secret: T) -> Self {
        Self(secret)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn shows_nothing_of_the_secret() {
        let token = Redacted::new("canary");
        assert_eq!(format!("{token} {token:?} {:?}", Some(&token)), "[redacted] [redacted] Some([redacted])");
        assert_eq!(*token.expose(), "canary");
    }
}
