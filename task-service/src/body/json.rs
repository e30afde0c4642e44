//! JSON bodies. Parsed without building a tree and without recursion, so that
//! neither a number's size nor a value's depth can hurt.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;

use super::value::{Fields, Text, Value};
use crate::error::Refusal;

/// Deeper nesting is refused, as other JSON readers do (RFC 8259 §9 allows it).
const DEPTH_LIMIT: usize = 128;

/// Reads a JSON object.
///
/// # Errors
/// The refusal to answer with, when `bytes` is not JSON or not an object.
pub(super) fn parse(bytes: &[u8]) -> Result<Fields, Refusal> {
    let document: &RawValue = serde_json::from_slice(bytes).map_err(|error| parse_error(&error))?;
    if depth(document.get()) > DEPTH_LIMIT {
        return Err(Refusal::Unparsable(format!(
            "JSON parse error - nested deeper than {DEPTH_LIMIT} levels"
        )));
    }
    match value(document).map_err(|error| parse_error(&error))? {
        Value::Object => {}
        Value::Null => return Err(Refusal::NonField("No data provided".to_owned())),
        other => {
            return Err(Refusal::NonField(format!(
                "Invalid data. Expected a dictionary, but got {}.",
                other.type_name()
            )));
        }
    }
    // A map keeps the last of repeated keys, which is the rule here.
    let members: HashMap<String, &RawValue> =
        serde_json::from_str(document.get()).map_err(|error| parse_error(&error))?;
    let mut fields = Fields::default();
    for (name, raw) in members {
        fields.insert(name, value(raw).map_err(|error| parse_error(&error))?);
    }
    Ok(fields)
}

fn parse_error(error: &serde_json::Error) -> Refusal {
    Refusal::Unparsable(format!("JSON parse error - {error}"))
}

/// The value that `raw`, already known to be well formed, stands for.
fn value(raw: &RawValue) -> Result<Value, serde_json::Error> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => Value::Object,
        Some(b'[') => Value::List,
        Some(b'"') => Value::Text(string(text)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ if text.contains(['.', 'e', 'E']) => Value::Float(text.to_owned()),
        _ if text == "-0" => Value::Int("0".to_owned()),
        _ => Value::Int(text.to_owned()),
    })
}

/// The deepest nesting in a well formed document.
fn depth(document: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in document.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Decodes a JSON string, lone surrogates included: asked for bytes,
/// `serde_json` writes those as WTF-8 instead of failing.
fn string(raw: &str) -> Result<Text, serde_json::Error> {
    struct Wtf8;

    impl Visitor<'_> for Wtf8 {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }

    let bytes = serde_json::Deserializer::from_str(raw).deserialize_bytes(Wtf8)?;
    Text::from_wtf8(bytes).ok_or_else(|| serde_json::Error::custom("invalid unicode code point"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(document: &str) -> Value {
        parse(document.as_bytes())
            .unwrap()
            .value("a")
            .unwrap()
            .clone()
    }

    fn refusal(document: &str) -> String {
        match parse(document.as_bytes()).unwrap_err() {
            Refusal::Unparsable(text) | Refusal::NonField(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_told_apart() {
        let digits = "9".repeat(5000);
        let table = [
            (r#"{"a":null}"#.to_owned(), Value::Null),
            (r#"{"a":true}"#.to_owned(), Value::Bool(true)),
            (r#"{"a":[1,"]"]}"#.to_owned(), Value::List),
            (r#"{"a":{"b":1}}"#.to_owned(), Value::Object),
            (r#"{"a":-0}"#.to_owned(), Value::Int("0".into())),
            (r#"{"a":1e400}"#.to_owned(), Value::Float("1e400".into())),
            (format!(r#"{{"a":{digits}}}"#), Value::Int(digits)),
            (
                r#"{"a":1,"a":"z\u00e9\ud83d\ude00"}"#.to_owned(),
                Value::Text("zé😀".to_owned().into()),
            ),
        ];
        for (document, want) in table {
            assert_eq!(field(&document), want, "{document}");
        }
    }

    #[test]
    fn lone_surrogates_are_remembered() {
        let table = [
            (r#""\ud800""#, "\u{fffd}", 0xD800),
            (r#""a\udfffb\ud801""#, "a\u{fffd}b\u{fffd}", 0xDFFF),
            (r#""\ud83d\ude00\udc00""#, "😀\u{fffd}", 0xDC00),
        ];
        for (document, text, unit) in table {
            let Value::Text(got) = field(&format!(r#"{{"a":{document}}}"#)) else {
                panic!("{document} is text");
            };
            assert_eq!((got.as_str(), got.surrogate()), (text, Some(unit)));
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
        let table = [
            ("null", "No data provided"),
            ("[]", "Invalid data. Expected a dictionary, but got list."),
            (
                " \"x\" ",
                "Invalid data. Expected a dictionary, but got str.",
            ),
            ("12", "Invalid data. Expected a dictionary, but got int."),
            ("1.5", "Invalid data. Expected a dictionary, but got float."),
            ("true", "Invalid data. Expected a dictionary, but got bool."),
            ("{", "JSON parse error - "),
            ("{\"a\":1,}", "JSON parse error - "),
            ("{\"a\":01}", "JSON parse error - "),
            ("{\"a\":NaN}", "JSON parse error - "),
            ("{\"a\":\"\n\"}", "JSON parse error - "),
            ("{} {}", "JSON parse error - "),
            ("\u{feff}{}", "JSON parse error - "),
            ("   ", "JSON parse error - "),
            (&deep, "JSON parse error - nested"),
        ];
        for (document, want) in table {
            let got = refusal(document);
            assert!(got.starts_with(want), "{document}: {got}");
        }
    }
}
