//! `[cors]`: which pages of other origins may send requests and read the answers, and how a browser is told
//! (Fetch standard, "CORS protocol").
//!
//! It tells browsers what a page may do for its visitor. It lets nobody in and keeps nobody out: every other
//! program ignores it, and each request is judged by the rules as ever.
//!
//! Invariants: `*` and credentials never stand in one answer, for [`Origins`] cannot say both; a preflight
//! that is not granted is told nothing that a browser could take for a yes.

use std::fmt;

use crate::answer::Answer;
use crate::request::Preflight;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";

/// What the answer to a preflight depends on, granted or not.
pub const PREFLIGHT_VARY: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// Whose pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's, and never with credentials.
    Any,
    /// Those of these origins.
    Listed {
        /// As browsers write them in `Origin`, compared byte for byte.
        origins: Vec<String>,
        /// Answers to requests with cookies or client certificates may be read too.
        credentials: bool,
    },
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("every origin"),
            Self::Listed { origins, .. } => f.write_str(&origins.join(", ")),
        }
    }
}

/// What pages of other origins may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages.
    pub origins: Origins,
    /// The methods of their requests. `*` is not used: browsers take it literally beside credentials.
    pub methods: Vec<String>,
    /// The headers that they may set, in lower case. Here `*` would never cover `Authorization`.
    pub headers: Vec<String>,
    /// The headers of an answer that they may read, as one line; empty for none beside the usual ones.
    pub expose_headers: String,
    /// How many seconds a browser may remember the answer to a preflight.
    pub max_age: u64,
}

/// Why a preflight is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not one of the origins.
    #[error("the origin is not in cors.origins")]
    Origin,
    /// Not one of the methods.
    #[error("the method is not in cors.methods")]
    Method,
    /// A header that is not one of the headers.
    #[error("a header is not in cors.headers")]
    Header,
}

impl Denied {
    /// A short, bounded name for metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Origin => "cors_origin",
            Self::Method => "cors_method",
            Self::Header => "cors_header",
        }
    }

    /// What the client is told: what it could find out by asking with other values anyway.
    pub fn text(self) -> &'static str {
        match self {
            Self::Origin => "Pages of this origin may not send requests here.",
            Self::Method => "Pages of other origins may not use this method here.",
            Self::Header => "Pages of other origins may not send one of these headers here.",
        }
    }
}

impl Cors {
    /// Answers a preflight.
    ///
    /// # Errors
    /// Why the page may not send its request. That is a 403 without any `Access-Control-Allow-…`: a browser
    /// wants both the header and a good status, so either alone stops the page, and the status shows in logs.
    pub fn preflight(&self, asked: &Preflight) -> Result<Answer, Denied> {
        let origin = self.allowed(Some(&asked.origin)).ok_or(Denied::Origin)?;
        if !self.methods.iter().any(|m| m == asked.method.as_str()) {
            return Err(Denied::Method);
        }
        if asked
            .headers
            .iter()
            .any(|name| !self.headers.contains(name))
        {
            return Err(Denied::Header);
        }
        let mut answer = Answer::empty(204)
            .header(ALLOW_ORIGIN, origin)
            .header("Access-Control-Allow-Methods", self.methods.join(", "))
            .header("Access-Control-Max-Age", self.max_age.to_string());
        if self.credentials() {
            answer = answer.header(ALLOW_CREDENTIALS, "true");
        }
        if !self.headers.is_empty() {
            answer = answer.header("Access-Control-Allow-Headers", self.headers.join(", "));
        }
        Ok(answer.vary(PREFLIGHT_VARY))
    }

    /// What the answer to a request from a page of this origin says; nothing where the page may not read it.
    pub fn lines<'a>(
        &'a self,
        origin: Option<&'a str>,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let exposed = Some(self.expose_headers.as_str()).filter(|names| !names.is_empty());
        let allowed = self.allowed(origin).into_iter();
        allowed.flat_map(move |origin| {
            [
                Some((ALLOW_ORIGIN, origin)),
                self.credentials().then_some((ALLOW_CREDENTIALS, "true")),
                exposed.map(|names| ("Access-Control-Expose-Headers", names)),
            ]
            .into_iter()
            .flatten()
        })
    }

    /// What every answer depends on, those to requests without an origin too: a cache would hand one of those
    /// to a page that may not read it then (Fetch standard, "CORS protocol and HTTP caches").
    pub fn vary(&self) -> Option<&'static str> {
        match self.origins {
            Origins::Any => None,
            Origins::Listed { .. } => Some("Origin"),
        }
    }

    /// `*` goes to everybody, whatever is said of an origin: the answer depends on nothing, and caches share it.
    fn allowed<'a>(&self, origin: Option<&'a str>) -> Option<&'a str> {
        match &self.origins {
            Origins::Any => Some("*"),
            Origins::Listed { origins, .. } => {
                origin.filter(|origin| origins.iter().any(|known| known == origin))
            }
        }
    }

    fn credentials(&self) -> bool {
        match self.origins {
            Origins::Any => false,
            Origins::Listed { credentials, .. } => credentials,
        }
    }
}

#[cfg(test)]
mod tests;
