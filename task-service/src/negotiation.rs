//! Whether the client takes JSON, the one format there is.

use hyper::header::{ACCEPT, HeaderMap};

use crate::body::pairs;
use crate::error::Refusal;

/// Checks the format suffix, then `?format=`, then `Accept`.
///
/// # Errors
/// 404 for a format that does not exist, 406 when JSON is not accepted.
pub fn negotiate(
    suffix: Option<&str>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let known = match suffix {
        Some(suffix) => suffix == "json",
        // `api` named a browsable interface, which this service has not got:
        // who asks for it by name is answered as if they had not.
        None => matches!(format_of(query).as_str(), "" | "json" | "api"),
    };
    if !known {
        return Err(Refusal::NotFound);
    }
    let mut accept = headers.get_all(ACCEPT).iter().peekable();
    if accept.peek().is_some() && quality(accept.filter_map(|value| value.to_str().ok())) == 0.0 {
        return Err(Refusal::NotAcceptable);
    }
    Ok(())
}

/// The last `format` of a query.
fn format_of(query: Option<&str>) -> String {
    pairs(query.unwrap_or_default().as_bytes())
        .filter(|(name, _)| name.as_deref() == Some("format"))
        .last()
        .map(|(_, value)| value.unwrap_or_else(|| "not text".to_owned()))
        .unwrap_or_default()
}

/// The weight that `Accept` gives to JSON: that of the range that names it most
/// exactly (RFC 9110 §12.5.1), and of two alike the greater.
fn quality<'a>(accept: impl Iterator<Item = &'a str>) -> f32 {
    let ranges = accept
        .flat_map(|value| value.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let exactness = match parts.next()?.to_ascii_lowercase().as_str() {
                "application/json" => 3,
                "application/*" => 2,
                "*/*" => 1,
                _ => return None,
            };
            let weight = parts
                .filter_map(|parameter| parameter.split_once('='))
                .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
                .map_or(1.0, |(_, weight)| weight.trim().parse().unwrap_or(1.0_f32));
            Some((exactness, weight.clamp(0.0, 1.0)))
        });
    ranges
        .max_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)))
        .map_or(0.0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(suffix: Option<&str>, query: Option<&str>, accept: &[&str]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        negotiate(suffix, query, &headers)
    }

    #[test]
    fn accept() {
        let table: [(&[&str], bool); 19] = [
            (&[], true),
            (&["*/*"], true),
            (&["application/*"], true),
            (&["application/json"], true),
            (&["APPLICATION/JSON"], true),
            (&["application/json; charset=utf-8"], true),
            (&["application/json;q=0.1"], true),
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                true,
            ),
            (&["text/html", "application/json"], true),
            (&["application/json;q=0, application/json"], true),
            (&["application/json;q=0"], false),
            (&["application/json;q=0, */*"], false),
            (&["*/*;q=0"], false),
            (&["text/html"], false),
            (&["application/xml"], false),
            (&["text/plain"], false),
            (&[""], false),
            (&["garbage"], false),
            (&["json"], false),
        ];
        for (accept, taken) in table {
            assert_eq!(check(None, None, accept).is_ok(), taken, "{accept:?}");
        }
    }

    #[test]
    fn formats() {
        let table = [
            (None, None, true),
            (Some("json"), None, true),
            (Some("xml"), None, false),
            (Some("api"), None, false),
            (Some("json"), Some("format=xml"), true),
            (None, Some("format=json"), true),
            (None, Some("format=api"), true),
            (None, Some("format="), true),
            (None, Some("x=1&format=xml"), false),
            (None, Some("format=json&format=xml"), false),
            (None, Some("format=xml&format=json"), true),
            (None, Some("format=%FF"), false),
        ];
        for (suffix, query, known) in table {
            let outcome = check(suffix, query, &[]);
            assert_eq!(outcome.is_ok(), known, "{suffix:?} {query:?}");
        }
    }
}
