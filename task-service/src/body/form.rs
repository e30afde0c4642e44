//! Forms: `application/x-www-form-urlencoded` and `multipart/form-data`.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyDataStream, Full};
use percent_encoding::percent_decode;

use super::value::{Fields, Value};
use crate::error::Refusal;

/// The name and value pairs of a form or a query, in the order sent. A value
/// that is not UTF-8 is `None`; a broken escape is text.
pub fn pairs(encoded: &[u8]) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    encoded
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            (decode(name), decode(halves.next().unwrap_or_default()))
        })
}

fn decode(half: &[u8]) -> Option<String> {
    let spaced: Cow<'_, [u8]> = if half.contains(&b'+') {
        let replaced = half
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte });
        Cow::Owned(replaced.collect())
    } else {
        Cow::Borrowed(half)
    };
    percent_decode(&spaced)
        .decode_utf8()
        .ok()
        .map(Cow::into_owned)
}

/// Reads a URL-encoded form.
///
/// # Errors
/// The refusal to answer with, when a name or value is not UTF-8.
pub(super) fn parse_urlencoded(bytes: &[u8]) -> Result<Fields, Refusal> {
    let mut fields = Fields::default();
    for pair in pairs(bytes) {
        let (Some(name), Some(value)) = pair else {
            return Err(Refusal::Unparsable(
                "Form parse error - not UTF-8".to_owned(),
            ));
        };
        fields.insert(name, Value::Text(value.into()));
    }
    Ok(fields)
}

/// Reads a multipart form. One that is cut short gives what was found up to
/// there (docs/CONTRACT.md, "Bodies").
///
/// # Errors
/// The refusal to answer with, when there is no boundary or a part is malformed.
pub(super) async fn parse_multipart(content_type: &str, bytes: &Bytes) -> Result<Fields, Refusal> {
    let boundary = multer::parse_boundary(content_type).map_err(|error| refusal(&error))?;
    // The closing delimiter is added to every body: after a real one it is
    // ignored (RFC 2046 §5.1.1, epilogue), and a part that was cut short is
    // ended by it.
    let mut closed = BytesMut::with_capacity(bytes.len() + boundary.len() + 8);
    closed.put_slice(bytes);
    closed.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let stream = BodyDataStream::new(Full::<Bytes>::new(closed.freeze()));

    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Fields::default();
    loop {
        let part = match parts.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(fields),
            Err(error) if cut_short(&error) => return Ok(fields),
            Err(error) => return Err(refusal(&error)),
        };
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        let is_file = part.file_name().is_some();
        let content = match part.bytes().await {
            Ok(content) => content,
            Err(error) if cut_short(&error) => return Ok(fields),
            Err(error) => return Err(refusal(&error)),
        };
        let value = if is_file {
            Value::File
        } else {
            let text = String::from_utf8(content.into()).map_err(|_| {
                Refusal::Unparsable("Multipart form parse error - not UTF-8".to_owned())
            })?;
            Value::Text(text.into())
        };
        fields.insert(name, value);
    }
}

fn refusal(error: &multer::Error) -> Refusal {
    Refusal::Unparsable(format!("Multipart form parse error - {error}"))
}

fn cut_short(error: &multer::Error) -> bool {
    matches!(
        error,
        multer::Error::IncompleteFieldData { .. }
            | multer::Error::IncompleteHeaders
            | multer::Error::IncompleteStream
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fields: &Fields, name: &str) -> Option<String> {
        match fields.value(name)? {
            Value::Text(text) => Some(text.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn urlencoded() {
        let table = [
            ("a=1&a=2", "a", Some("2")),
            ("a=b+c%2B", "a", Some("b c+")),
            ("a=%zz", "a", Some("%zz")),
            ("a&&b=", "a", Some("")),
            ("a&&b=", "b", Some("")),
            ("a=b=c", "a", Some("b=c")),
            ("{\"a\": 1}", "a", None),
        ];
        for (body, name, want) in table {
            let fields = parse_urlencoded(body.as_bytes()).unwrap();
            assert_eq!(text(&fields, name).as_deref(), want, "{body}");
        }
        assert!(parse_urlencoded(b"a=%FF").is_err());
    }

    #[tokio::test]
    async fn multipart() {
        let head = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        let table = [
            (format!("{head}x\r\n--b--\r\n"), Some("x")),
            (format!("{head}x"), Some("x")),
            (format!("{head}x\r\n--b--\r\nmore"), Some("x")),
            (format!("{head}x\r\n{head}y\r\n--b--\r\n"), Some("y")),
            ("--b\r\nContent-Dispo".to_owned(), None),
            ("--c\r\n\r\n--c--\r\n".to_owned(), None),
            ("no parts".to_owned(), None),
        ];
        for (body, want) in table {
            let fields = parse_multipart("multipart/form-data; boundary=b", &body.clone().into())
                .await
                .unwrap();
            assert_eq!(text(&fields, "a").as_deref(), want, "{body}");
        }
        let file = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
        let fields = parse_multipart("multipart/form-data; boundary=b", &file.into()).await;
        assert_eq!(fields.unwrap().value("a"), Some(&Value::File));
        let none = parse_multipart("multipart/form-data", &"x".into()).await;
        assert!(none.is_err());
    }
}
