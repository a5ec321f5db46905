//! Rust source as the rules read it: without comments and without its tests.

/// The lines of `text` that are code of the shipped program, each with its number from 1.
///
/// A line comment ends a line, and everything from a `#[cfg(test)] mod` on is left out. This is not a parser: it errs
/// only if `//` is in a string, which hides the rest of that line.
pub fn shipped_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = test_module(text).unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
        .filter(|(_, code)| !code.trim().is_empty())
}

/// The start of the test module that ends a file; `#[cfg(test)] mod tests;` on one line is not one.
fn test_module(text: &str) -> Option<usize> {
    text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|&at| {
        let item = text[at..].lines().nth(1).unwrap_or_default();
        item.starts_with("mod ") && item.ends_with('{')
    })
}

/// Whether `path` belongs to a binary, which may read its environment and end the process.
pub fn is_binary(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.ends_with(&["src", "main.rs"])
        || parts.ends_with(&["build.rs"])
        || parts.windows(2).any(|pair| pair == ["src", "bin"])
        || parts.iter().any(|part| matches!(*part, "command" | "commands" | "command.rs" | "commands.rs"))
}

/// Whether `path` contains only tests, benchmarks or examples.
pub fn is_test(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples") || part.ends_with("_tests.rs"))
}

#[cfg(test)]
mod tests {
    use super::{is_binary, is_test, shipped_lines};

    #[test]
    fn comments_and_tests_are_not_shipped() {
        let text = "use a; // why\n/// doc\n\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use b;\n}\n";
        assert_eq!(shipped_lines(text).collect::<Vec<_>>(), [(1, "use a; "), (4, "fn f() {}")]);
        let apart = "#[cfg(test)]\nmod tests;\nfn g() {}\n";
        assert_eq!(shipped_lines(apart).count(), 3);
    }

    #[test]
    fn binaries_and_tests_are_recognised_by_their_path() {
        for path in
            ["services/auth/src/main.rs", "services/fanout/src/command/serve.rs", "a/build.rs", "a/src/bin/b.rs"]
        {
            assert!(is_binary(path), "{path}");
        }
        for path in ["crates/event/src/lib.rs", "services/fanout/src/route/main_rule.rs", "a/src/domain.rs"] {
            assert!(!is_binary(path), "{path}");
        }
        assert!(
            is_test("crates/token/tests/verify.rs") && is_test("a/src/b/tests.rs") && !is_test("a/src/contests.rs")
        );
    }
}
