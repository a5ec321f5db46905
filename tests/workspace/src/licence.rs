//! SPDX licence expressions, in the forms that crates use.

/// Whether `expression` can be met with licences from `allowed` alone.
///
/// `OR` is a choice, `AND` requires both, and the old form `A/B` means `A OR B`. An unreadable expression is refused.
pub fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, allowed };
    parser.alternatives().is_some_and(|met| met && parser.tokens.is_empty())
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut met = self.together()?;
        while self.take("OR") {
            met |= self.together()?;
        }
        Some(met)
    }

    fn together(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.alternatives()?;
            return self.take(")").then_some(met);
        }
        let (&name, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        // An exception only widens what the licence permits.
        if self.take("WITH") {
            self.tokens = self.tokens.split_first()?.1;
        }
        Some(self.allowed.contains(&name))
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.first() == Some(&token);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    const ALLOWED: [&str; 3] = ["MIT", "Apache-2.0", "Unicode-3.0"];

    #[test]
    fn expressions_that_leave_an_allowed_choice_pass() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "GPL-3.0 AND MIT OR Apache-2.0",
        ] {
            assert!(is_allowed(expression, &ALLOWED), "{expression}");
        }
    }

    #[test]
    fn expressions_that_ask_for_more_fail() {
        for expression in
            ["GPL-3.0", "MIT AND GPL-3.0", "", "MIT OR", "(MIT", "MIT MIT", "GPL-3.0 OR (MIT AND BSL-1.1)"]
        {
            assert!(!is_allowed(expression, &ALLOWED), "{expression}");
        }
    }
}
