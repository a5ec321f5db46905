//! The form of an event in a request: CloudEvents mode, type of its data, encoding of the body.

use std::io::Read as _;

use fanfare_event::parse_json;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use super::refused::Refused;
use crate::pipeline::Body;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The marks that texts in other encodings begin with, the longer ones first.
const OTHER_MARKS: [(&[u8], &str); 4] = [
    (b"\xFF\xFE\x00\x00", "UTF-32"),
    (b"\x00\x00\xFE\xFF", "UTF-32"),
    (b"\xFF\xFE", "UTF-16"),
    (b"\xFE\xFF", "UTF-16"),
];

/// The form of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Where the attributes are.
    pub(super) mode: Mode,
    is_gzip: bool,
}

/// Where the attributes of an event are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// In headers; the body is the data.
    Binary(Media),
    /// With the data in one JSON object.
    Structured,
    /// In the objects of a JSON array.
    Batch,
}

/// The type of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// A record in Avro's single-object encoding.
    Avro,
    /// JSON to be checked against the schema.
    Json,
}

impl Form {
    /// Reads the headers that say it.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let is_gzip = match text(headers, header::CONTENT_ENCODING)?.map(str::trim) {
            None | Some("") => false,
            Some(coding) if coding.eq_ignore_ascii_case("identity") => false,
            Some(coding) if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => true,
            Some(other) => return Err(Refused::ContentCoding(other.to_owned())),
        };
        let Some(value) = text(headers, header::CONTENT_TYPE)? else { return Err(Refused::NoContentType) };
        let mut parts = value.split(';').map(str::trim);
        let mode = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/avro" => Mode::Binary(Media::Avro),
            "application/json" => Mode::Binary(Media::Json),
            "application/cloudevents+json" => Mode::Structured,
            "application/cloudevents-batch+json" => Mode::Batch,
            other => return Err(Refused::ContentType(other.to_owned())),
        };
        if mode != Mode::Binary(Media::Avro) {
            parts.filter_map(charset).try_for_each(|name| match name.to_ascii_lowercase().as_str() {
                "utf-8" | "utf8" | "us-ascii" => Ok(()),
                _ => Err(Refused::Charset(name.to_owned())),
            })?;
        }
        Ok(Self { mode, is_gzip })
    }

    /// The data of an event in binary mode.
    pub(super) fn data(self, media: Media, bytes: Vec<u8>, limit: usize) -> Result<Body, Refused> {
        match media {
            Media::Avro => Ok(Body::Avro(self.plain(bytes, limit)?)),
            Media::Json => self.json(bytes, limit).map(Body::Json),
        }
    }

    /// The body as JSON.
    pub(super) fn json(self, bytes: Vec<u8>, limit: usize) -> Result<Value, Refused> {
        let plain = self.plain(bytes, limit)?;
        if let Some((_, name)) = OTHER_MARKS.iter().find(|(mark, _)| plain.starts_with(mark)) {
            return Err(Refused::Charset((*name).to_owned()));
        }
        let text = plain.strip_prefix(UTF8_MARK).unwrap_or(&plain);
        parse_json(text).map_err(Refused::Json)
    }

    /// The body without its coding. It may be no larger than one that has none.
    fn plain(self, bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, Refused> {
        if !self.is_gzip {
            return Ok(bytes);
        }
        let mut plain = Vec::new();
        let mut reader = MultiGzDecoder::new(bytes.as_slice()).take(limit as u64 + 1);
        reader.read_to_end(&mut plain).map_err(|error| Refused::Gzip(error.to_string()))?;
        if plain.len() > limit { Err(Refused::TooLarge(limit)) } else { Ok(plain) }
    }
}

/// The value of a header that may be there once.
fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Refused> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() => Ok(Some(text)),
        _ => Err(Refused::Header(name)),
    }
}

fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn form(content_type: &'static str, coding: Option<&'static str>) -> Result<Form, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Form::of(&headers).map_err(|refused| refused.to_string())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("written");
        encoder.finish().expect("finished")
    }

    #[test]
    fn the_content_type_selects_the_mode() {
        let mode = |content_type| form(content_type, None).expect(content_type).mode;
        assert_eq!(mode("application/avro"), Mode::Binary(Media::Avro));
        assert_eq!(mode("Application/JSON; charset=\"UTF-8\""), Mode::Binary(Media::Json));
        assert_eq!(mode("application/cloudevents+json;charset=utf-8"), Mode::Structured);
        assert_eq!(mode("application/cloudevents-batch+json"), Mode::Batch);
    }

    #[test]
    fn what_is_not_taken_is_named() {
        for (content_type, coding, told) in [
            ("application/cloudevents+avro", None, "`application/cloudevents+avro`"),
            ("text/plain", None, "`text/plain`"),
            ("application/json; charset=utf-16le", None, "`utf-16le`"),
            ("application/json", Some("br"), "`br`"),
            ("application/json", Some("gzip, gzip"), "`gzip, gzip`"),
        ] {
            let refused = form(content_type, coding).expect_err(content_type);
            assert!(refused.contains(told), "{refused}");
        }
        assert!(Form::of(&HeaderMap::new()).is_err());
    }

    #[test]
    fn gzip_is_taken_up_to_the_size_of_any_body() {
        let form = form("application/json", Some("gzip")).expect("sound");
        let text = json!({ "a": "x".repeat(90) }).to_string();
        assert_eq!(form.json(gzip(text.as_bytes()), text.len()).expect("JSON")["a"].as_str().map(str::len), Some(90));
        assert!(matches!(form.json(gzip(text.as_bytes()), text.len() - 1), Err(Refused::TooLarge(_))));
        let bomb = gzip(&vec![b' '; 10 << 20]);
        assert!(bomb.len() < 16 << 10);
        assert!(matches!(form.json(bomb, 1 << 16), Err(Refused::TooLarge(_))));
        assert!(matches!(form.json(b"{}".to_vec(), 100), Err(Refused::Gzip(_))));
        let cut = gzip(text.as_bytes());
        assert!(matches!(form.json(cut[..cut.len() - 9].to_vec(), 1000), Err(Refused::Gzip(_))));
    }

    #[test]
    fn a_byte_order_mark_is_passed_and_other_encodings_are_named() {
        let form = form("application/json", None).expect("sound");
        assert_eq!(form.json([UTF8_MARK, b"{}"].concat(), 100).expect("JSON"), json!({}));
        let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(matches!(form.json(utf16, 100), Err(Refused::Charset(name)) if name == "UTF-16"));
    }
}
