//! Path patterns: literal segments, `*` for one segment, `**` at the end for any rest.

use std::fmt;

/// A parsed path pattern.
///
/// It also covers the forms of an address that servers treat alike: with and without the last slash,
/// and with `;parameters` behind a segment. `/admin` covers `/admin/` and `/admin;x=y`, not
/// `/administrator`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    tail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No `/` in front.
    #[error("it does not begin with `/`")]
    NoSlash,
    /// `**` elsewhere than at the end.
    #[error("`**` may stand only at the end")]
    TailInside,
    /// A star beside other text.
    #[error("`*` stands for a whole segment and cannot be part of one")]
    PartialStar,
    /// An empty segment, `.` or `..`.
    #[error("it has an empty segment, `.` or `..`")]
    OddSegment,
    /// A byte that no decoded path segment should be compared with.
    #[error("it contains {0:?}, which never matches")]
    OddCharacter(char),
}

impl PatternError {
    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            Self::NoSlash => "begin with a slash: `/tasks/**`",
            Self::TailInside => {
                "write `/a/*/b` for one segment in the middle, `/a/**` for everything below `/a`"
            }
            Self::PartialStar => "write `/files/*` and let the service judge the name",
            Self::OddSegment => "write the path without `//`, `/./` and `/../`",
            Self::OddCharacter(_) => {
                "write the decoded path, without a query, fragment or `;` parameters"
            }
        }
        .to_owned()
    }
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong and [`PatternError::help`] what to write.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let rest = text.strip_prefix('/').ok_or(PatternError::NoSlash)?;
        if let Some(odd) = text
            .chars()
            .find(|c| c.is_control() || "%?#;\\ ".contains(*c))
        {
            return Err(PatternError::OddCharacter(odd));
        }
        let (body, tail) = match rest.strip_suffix("**") {
            Some(body) if body.is_empty() || body.ends_with('/') => (body, true),
            Some(_) => return Err(PatternError::PartialStar),
            None => (rest, false),
        };
        let body = body.strip_suffix('/').unwrap_or(body);
        let mut segments = Vec::new();
        if !body.is_empty() {
            for part in body.split('/') {
                segments.push(match part {
                    "" | "." | ".." => return Err(PatternError::OddSegment),
                    "*" => Segment::Any,
                    "**" => return Err(PatternError::TailInside),
                    text if text.contains('*') => return Err(PatternError::PartialStar),
                    text => Segment::Literal(text.to_owned()),
                });
            }
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
            tail,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether a decoded path lies under this pattern.
    pub fn matches(&self, path: &str) -> bool {
        self.matches_by(path, |part, text| part == text)
    }

    /// The same for a server that folds case.
    pub fn matches_folded(&self, path: &str) -> bool {
        self.matches_by(path, |part, text| {
            part.to_lowercase() == text.to_lowercase()
        })
    }

    fn matches_by(&self, path: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let Some(rest) = path.strip_prefix('/') else {
            return false;
        };
        let mut parts = rest.split('/');
        for segment in &self.segments {
            let Some(part) = parts.next() else {
                return false;
            };
            let bare = part.split_once(';').map_or(part, |(bare, _)| bare);
            let fits = match segment {
                Segment::Literal(text) => same(bare, text),
                Segment::Any => !bare.is_empty(),
            };
            if !fits {
                return false;
            }
        }
        // What is left may be nothing or the empty text behind a last slash.
        self.tail
            || parts
                .next()
                .is_none_or(|last| bare_is_empty(last) && parts.next().is_none())
    }

    /// Segments in front of the first wildcard.
    pub fn fixed_segments(&self) -> usize {
        self.segments
            .iter()
            .take_while(|segment| matches!(segment, Segment::Literal(_)))
            .count()
    }

    /// Says whether every path that `other` matches is matched by this pattern too.
    pub fn covers(&self, other: &Self) -> bool {
        let heads = self
            .segments
            .iter()
            .zip(&other.segments)
            .all(|(mine, theirs)| match (mine, theirs) {
                (Segment::Any, _) => true,
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Literal(_), Segment::Any) => false,
            });
        heads
            && if self.tail {
                other.segments.len() >= self.segments.len()
            } else {
                !other.tail && other.segments.len() == self.segments.len()
            }
    }
}

fn bare_is_empty(segment: &str) -> bool {
    segment.is_empty() || segment.starts_with(';')
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}
