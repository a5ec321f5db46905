//! The line of a field in the text of a schema.

/// The line, counted from 1, of a field, by its path such as `items[].name`.
///
/// For a type that is defined elsewhere it is the line of the reference.
pub(crate) fn line_of(text: &str, path: &str) -> Option<usize> {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    let mut within = scanner.value()?;
    let mut found = None;
    for segment in path.split('.') {
        let name = segment.trim_end_matches("[]");
        let Some(field) = find(text, within, name) else { break };
        found = Some(field.start);
        within = field;
    }
    let upto = found?;
    Some(text.as_bytes().get(..upto)?.iter().filter(|byte| **byte == b'\n').count() + 1)
}

/// The part of a text that contains one value.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

/// The field of this name in the outermost record within a value.
fn find(text: &str, within: Span, name: &str) -> Option<Span> {
    let mut waiting = std::collections::VecDeque::from([within]);
    // The outermost first: deeper ones belong to another record.
    while let Some(value) = waiting.pop_front() {
        let mut scanner = Scanner { text: text.as_bytes().get(..value.end)?, at: value.start };
        for (key, item) in scanner.entries() {
            if key == Some("fields") {
                let mut fields = Scanner { text: text.as_bytes().get(..item.end)?, at: item.start };
                let called = |span: &Span| named(text, *span) == Some(name);
                return fields.entries().into_iter().map(|(_, field)| field).find(called);
            }
            // Attributes such as `default` contain no types.
            if key.is_none_or(|key| matches!(key, "type" | "items" | "values")) {
                waiting.push_back(item);
            }
        }
    }
    None
}

/// The name of a field.
fn named(text: &str, field: Span) -> Option<&str> {
    let mut scanner = Scanner { text: text.as_bytes().get(..field.end)?, at: field.start };
    let (_, name) = scanner.entries().into_iter().find(|(key, _)| *key == Some("name"))?;
    text.get(name.start..name.end)?.strip_prefix('"')?.strip_suffix('"')
}

/// Walks over JSON that was parsed before, so that it is valid.
struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scanner<'t> {
    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Skips a value.
    fn value(&mut self) -> Option<Span> {
        self.space();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at)? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' if depth == 0 => break,
                _ => self.at += 1,
            }
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            if depth == 0 && self.text.get(self.at).is_none_or(ends) {
                break;
            }
        }
        Some(Span { start, end: self.at })
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    /// The items of a list, or the entries of an object with their keys; none for any other value.
    fn entries(&mut self) -> Vec<(Option<&'t str>, Span)> {
        let mut entries = Vec::new();
        self.space();
        let object = match self.text.get(self.at) {
            Some(b'{') => true,
            Some(b'[') => false,
            _ => return entries,
        };
        self.at += 1;
        loop {
            self.space();
            match self.text.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}' | b']') | None => return entries,
                Some(_) => match self.entry(object) {
                    Some(entry) => entries.push(entry),
                    None => return entries,
                },
            }
        }
    }

    fn entry(&mut self, object: bool) -> Option<(Option<&'t str>, Span)> {
        if !object {
            return Some((None, self.value()?));
        }
        let start = self.at + 1;
        self.string()?;
        let key = std::str::from_utf8(self.text.get(start..self.at - 1)?).ok()?;
        self.space();
        // The colon.
        self.at += 1;
        Some((Some(key), self.value()?))
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    const SCHEMA: &str = r#"{"type": "record", "doc": "a \"name\": \"b\" {[", "name": "R",
  "fields": [
    {"name": "a",
     "default": {"fields": [{"name": "b"}]}, "type": {"type": "record", "name": "A", "fields": [
        {"name": "b", "type": "int"},
        {"type": ["null", {"type": "array", "items": {"type": "record", "name": "I", "fields": [
            {"name": "z", "type": "int"}]}}], "name": "c"}]}},
    {"name": "b", "type": "A", "n": -1.5e3},
    {"name": "last", "type": "int"}
]}"#;

    #[test]
    fn a_field_is_found_on_its_line() {
        for (path, line) in
            [("a", 3), ("a.b", 5), ("a.c", 6), ("a.c[].z", 7), ("b", 8), ("b.b", 8), ("last", 9), ("a.c[].none", 6)]
        {
            assert_eq!(line_of(SCHEMA, path), Some(line), "{path}");
        }
        assert_eq!(line_of(SCHEMA, "none"), None);
        assert_eq!(line_of("\"string\"", "a"), None);
        assert_eq!(line_of("{\"fields\": [", "a"), None);
    }
}
