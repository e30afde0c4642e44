//! The one canonicaliser of paths.
//!
//! A path is either refused or kept byte for byte: what was judged is what is forwarded. The policy
//! matches the path decoded once, as every server behind us reads it; further readings that some
//! servers make (case folded, slashes merged, decoded again) are kept beside it so that the policy can
//! hold the stricter rule.

use unicode_normalization::UnicodeNormalization;

/// How often a path is decoded in search of another reading.
const DECODINGS: usize = 4;

/// A path that can be read in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath {
    raw: String,
    /// `None` where decoding changes nothing.
    decoded: Option<String>,
    others: Vec<String>,
}

impl CanonicalPath {
    /// Reads the path part of an origin-form target. `None` where it is ambiguous: control or non-ASCII
    /// bytes, `\`, `#`, broken percent-encoding, an encoded slash, backslash, control byte or invalid
    /// UTF-8, and dot segments in any spelling, `;parameters` behind the dots included.
    pub fn parse(raw: &str) -> Option<Self> {
        if !raw.starts_with('/')
            || raw
                .bytes()
                .any(|b| b <= b' ' || b >= 0x7f || b"\\#\"<>".contains(&b))
        {
            return None;
        }
        let decoded = if raw.contains('%') {
            Some(decode_strict(raw)?)
        } else {
            None
        };
        let judged = decoded.as_deref().unwrap_or(raw);
        if judged.split('/').any(is_dot_segment) {
            return None;
        }
        let others = other_readings(judged);
        Some(Self {
            raw: raw.to_owned(),
            decoded,
            others,
        })
    }

    /// The target of `OPTIONS *` (RFC 9112 §3.2.4), which no pattern matches.
    pub fn asterisk() -> Self {
        Self {
            raw: "*".to_owned(),
            decoded: None,
            others: Vec::new(),
        }
    }

    /// The bytes that are forwarded.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The path decoded once: what rules are matched with.
    pub fn decoded(&self) -> &str {
        self.decoded.as_deref().unwrap_or(&self.raw)
    }

    /// The readings that differ from [`Self::decoded`].
    pub fn other_readings(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(String::as_str)
    }

    /// Says whether `test` holds for any reading.
    pub fn any_reading(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        test(self.decoded()) || self.other_readings().any(test)
    }
}

/// Decodes once; `None` for anything that decodes to a byte with a meaning in paths.
fn decode_strict(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    let broken = bytes.iter().enumerate().any(|(i, b)| {
        *b == b'%'
            && !bytes
                .get(i + 1..i + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return None;
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    for (index, piece) in raw.split('/').enumerate() {
        if index > 0 {
            decoded.push(b'/');
        }
        let piece: Vec<u8> = percent_encoding::percent_decode_str(piece).collect();
        if piece.iter().any(|b| *b < b' ' || b"/\\\x7f".contains(b)) {
            return None;
        }
        decoded.extend(piece);
    }
    String::from_utf8(decoded).ok()
}

fn is_dot_segment(segment: &str) -> bool {
    let bare = segment.split_once(';').map_or(segment, |(bare, _)| bare);
    bare == "." || bare == ".."
}

/// Every further way in which a server might read the path. Empty for almost every request.
fn other_readings(judged: &str) -> Vec<String> {
    let plain = |b: u8| !(b.is_ascii_uppercase() || b"%\\;".contains(&b) || b >= 0x80);
    let odd_end = |segment: &str| segment.ends_with(['.', ' ']);
    if judged.bytes().all(plain) && !judged.contains("//") && !judged.split('/').any(odd_end) {
        return Vec::new();
    }
    let mut readings: Vec<String> = Vec::new();
    let mut text = judged.to_owned();
    for _ in 0..DECODINGS {
        let resolved = resolve(&text);
        for reading in [resolved.to_lowercase(), resolve(&relaxed(&text)), resolved] {
            if reading != judged && !readings.contains(&reading) {
                readings.push(reading);
            }
        }
        let again = percent_encoding::percent_decode_str(&text)
            .decode_utf8_lossy()
            .into_owned();
        if again == text {
            break;
        }
        text = again;
    }
    readings
}

/// As file systems that fold case and drop trailing dots and blanks read it, after compatibility
/// characters (a full-width full stop) have become what they look like.
fn relaxed(text: &str) -> String {
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    let segments = folded.split('/').map(|segment| {
        let trimmed = segment.trim_end_matches(['.', ' ']);
        // Dot segments are for `resolve`.
        if trimmed.is_empty() { segment } else { trimmed }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Backslashes as slashes, parameters dropped, slashes merged, dot segments resolved (RFC 3986 §5.2.4).
fn resolve(text: &str) -> String {
    let slashed = text.replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    let mut last_is_empty = false;
    for segment in slashed.split('/') {
        let bare = segment.split_once(';').map_or(segment, |(bare, _)| bare);
        last_is_empty = matches!(bare, "" | "." | "..");
        match bare {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let mut out = String::with_capacity(slashed.len());
    for name in &kept {
        out.push('/');
        out.push_str(name);
    }
    if last_is_empty || out.is_empty() {
        out.push('/');
    }
    out
}
