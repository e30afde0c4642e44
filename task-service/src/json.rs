//! JSON as it leaves this service: compact, UTF-8 as it is, and U+2028 and
//! U+2029 escaped (docs/CONTRACT.md, "Every answer").

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// Writes no white space, and escapes the two line separators that JSON allows
/// in a string but old JavaScript does not.
#[derive(Debug, Clone, Copy)]
struct Compact;

impl Formatter for Compact {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['\u{2028}', '\u{2029}']) {
            let (before, after) = rest.split_at(at);
            let escape = if after.starts_with('\u{2028}') {
                "\\u2028"
            } else {
                "\\u2029"
            };
            writer.write_all(before.as_bytes())?;
            writer.write_all(escape.as_bytes())?;
            rest = after.get('\u{2028}'.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Appends `value` to `out`.
///
/// # Errors
/// Only when `value` cannot be said in JSON, which no type of this crate is.
pub fn append<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), serde_json::Error> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Compact))
}

/// `value` as the bytes of a body.
///
/// # Errors
/// As [`append`].
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(128);
    append(&mut out, value)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::to_bytes;

    #[test]
    fn only_line_separators_are_escaped() {
        let table = [
            ("", r#""""#),
            ("a\u{2028}b\u{2029}", r#""a\u2028b\u2029""#),
            ("\u{2029}\u{2028}", r#""\u2029\u2028""#),
            ("ż \u{feff}\u{7f}", "\"ż \u{feff}\u{7f}\""),
            ("\"\\\n\u{1}", r#""\"\\\n\u0001""#),
        ];
        for (text, want) in table {
            assert_eq!(String::from_utf8(to_bytes(text).unwrap()).unwrap(), want);
        }
    }
}
