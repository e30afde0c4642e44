//! `Accept` of requests to our own addresses: JSON is what there is.

/// Says whether a client that sent this takes JSON, or HTML, in whose place it gets JSON (RFC 9110
/// §12.5.1; quality values change nothing where there is one representation).
pub fn takes_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return true };
    accept.split(',').any(|range| {
        let essence = range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        matches!(
            essence.as_str(),
            "*/*" | "application/*" | "application/json" | "text/*" | "text/html"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::takes_json;

    #[test]
    fn json_satisfies_its_ranges_and_no_others() {
        for accept in [
            "*/*",
            "application/json",
            "Application/JSON;q=0.1",
            "text/xml, */*;q=0.1",
            "text/html",
        ] {
            assert!(takes_json(Some(accept)), "{accept}");
        }
        assert!(takes_json(None));
        for accept in [
            "",
            "application/xml",
            "text/plain",
            "json",
            "application/jsonx",
        ] {
            assert!(!takes_json(Some(accept)), "{accept}");
        }
    }
}
