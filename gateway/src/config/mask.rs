//! The text of a configuration for showing, with everything starred out that may be a secret.
//!
//! Goes by the words of TOML and not by lines, so that a text over several lines and an inline table are
//! masked like all else; the lexer takes what is no TOML too. In doubt more is starred, never less.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The same text at the same offsets.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut key = 0;
    // Behind the `=` of a secret: how many brackets are open since. It ends with the line, or with them.
    let mut hidden: Option<usize> = None;
    for token in Source::new(text).lex() {
        let span = token.span();
        // What the lexer skips (a byte order mark) stays.
        out.push_str(text.get(out.len()..span.start()).unwrap_or_default());
        let piece = text.get(span.start()..span.end()).unwrap_or_default();
        match token.kind() {
            TokenKind::Equals if hidden.is_none() => {
                let name = text.get(key..span.start()).unwrap_or_default();
                hidden = is_secret(name).then_some(0);
            }
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                hidden = hidden.map(|open| open + 1);
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                hidden = hidden.map(|open| open.saturating_sub(1));
            }
            // A carriage return alone ends no line of TOML.
            TokenKind::Newline if piece.ends_with('\n') => {
                hidden = hidden.filter(|open| *open > 0);
            }
            // A quote too many or too few: a text that was meant as key and value, or holds both.
            _ if piece.contains('=')
                && speaks_of_secrets(text.get(key..span.end()).unwrap_or_default()) =>
            {
                hidden = hidden.or(Some(0));
            }
            _ => {}
        }
        match token.kind() {
            TokenKind::Equals
            | TokenKind::Comma
            | TokenKind::LeftCurlyBracket
            | TokenKind::Newline => {
                out.push_str(piece);
                key = span.end();
            }
            TokenKind::LeftSquareBracket
            | TokenKind::RightSquareBracket
            | TokenKind::RightCurlyBracket
            | TokenKind::Whitespace
            | TokenKind::Dot
            | TokenKind::Eof => out.push_str(piece),
            TokenKind::Comment if speaks_of_secrets(piece) => out.push_str(&stars(piece)),
            _ if hidden.is_some() => out.push_str(&stars(piece)),
            _ => out.push_str(&without_users(piece)),
        }
    }
    out
}

/// Says whether what stands behind this key is to be hidden. A key with an escape in it may be any key.
fn is_secret(key: &str) -> bool {
    let names_a_file = key
        .trim_end_matches([' ', '\t', '"', '\''])
        .to_ascii_lowercase()
        .ends_with("_file");
    key.contains('\\') || (speaks_of_secrets(key) && !names_a_file)
}

fn speaks_of_secrets(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["secret", "password", "passwd", "private"]
        .iter()
        .any(|word| lower.contains(word))
}

/// User names and passwords of URLs starred out.
fn without_users(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        let end = behind.find(['"', '\'', '\n']).unwrap_or(behind.len());
        let (url, after) = behind.split_at(end);
        masked.push_str(before);
        masked.push_str("://");
        match url.rsplit_once('@') {
            Some((user, host)) => masked.push_str(&format!("{}@{host}", stars(user))),
            None => masked.push_str(url),
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// As many bytes, so that every position stays where it was.
fn stars(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'\n' | b'\r' | b' ' => char::from(b),
            _ => '*',
        })
        .collect()
}
