//! The values of a claim without a meaning of its own, as texts.

use serde_json::Value;

/// The largest number of values in one claim.
const MAX_VALUES: usize = 256;

/// The longest value, in bytes.
const MAX_BYTES: usize = 2048;

/// The texts of a claim, and what is wrong with each value that was left out.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
    pub(crate) dropped: Vec<&'static str>,
}

impl Texts {
    /// Reads a value: the items of a list, the keys of a map, the words of a text that is a list of them, or the value
    /// itself.
    pub(crate) fn of(value: &Value, words: bool) -> Self {
        let mut read = Self::default();
        match value {
            Value::Array(items) => items.iter().for_each(|item| read.add(item)),
            Value::Object(entries) => entries.keys().for_each(|key| read.add_text(key.clone())),
            Value::String(text) if words => {
                text.split_ascii_whitespace().for_each(|word| read.add_text(word.to_owned()))
            }
            one => read.add(one),
        }
        read
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.add_text(text.clone()),
            Value::Number(number) => self.add_text(number.to_string()),
            Value::Bool(value) => self.add_text(value.to_string()),
            Value::Array(_) | Value::Object(_) => self.dropped.push("it is a list or a map within a list"),
        }
    }

    fn add_text(&mut self, text: String) {
        if self.texts.contains(&text) {
            return;
        }
        match text.as_str() {
            blank if blank.trim().is_empty() => self.dropped.push("it is blank"),
            long if long.len() > MAX_BYTES => self.dropped.push("it has more than 2048 bytes"),
            _ if self.texts.len() >= MAX_VALUES => self.dropped.push("the claim has more than 256 values"),
            _ => self.texts.push(text),
        }
    }
}

/// The texts of a value, read like those of a claim: for sources that know more about a bearer than the token.
#[must_use]
pub fn claim_texts(value: &Value) -> Vec<String> {
    Texts::of(value, false).texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_texts_each_once_and_bounded() {
        for (value, texts) in [
            (json!("a b"), vec!["a b"]),
            (json!([7, -1, 1.5, true, "7", "x"]), vec!["7", "-1", "1.5", "true", "x"]),
            (json!({"acme": {}, "globex": 1}), vec!["acme", "globex"]),
            (json!([null, " ", ["nested"]]), vec![]),
        ] {
            assert_eq!(claim_texts(&value), texts, "{value}");
        }
        assert_eq!(Texts::of(&json!("a  b"), true).texts, ["a", "b"]);
        let many = Texts::of(&json!((0..300).collect::<Vec<_>>()), false);
        assert_eq!((many.texts.len(), many.dropped.len()), (256, 44));
        assert_eq!(Texts::of(&json!("x".repeat(2049)), false).dropped, ["it has more than 2048 bytes"]);
    }
}
