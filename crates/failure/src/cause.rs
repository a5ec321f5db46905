//! The causes of an error: the outermost text often says only that a request failed.

use std::error::Error;

/// The error with all its causes, without repetitions.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
    }
    text
}

/// The innermost cause, or the error itself.
#[must_use]
pub fn root_cause(error: &dyn Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes<'e>(error: &'e dyn Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_are_listed_from_the_outermost_and_once() {
        let refused = Failed("connection refused", None);
        let connect = Failed("cannot connect: connection refused", Some(Box::new(refused)));
        let request = Failed("the request failed", Some(Box::new(connect)));
        assert_eq!(with_causes(&request), "the request failed: cannot connect: connection refused");
        assert_eq!(root_cause(&request), "connection refused");
        assert_eq!(
            (with_causes(&Failed("alone", None)), root_cause(&Failed("alone", None))),
            ("alone".into(), "alone".into())
        );
    }
}
