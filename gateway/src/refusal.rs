//! Why not, and what the client is told of it: one table from [`Refusal`] to status, code, text and
//! challenge, per profile. Nothing else in the program knows status codes of refusals.
//!
//! Invariant: the public text never contains the cause. The cause (`Display` of the refusal) goes to the log.

use std::time::Duration;

use serde_json::json;

use crate::answer::Answer;
use crate::auth::credential::Malformed;
use crate::auth::token::TokenError;
use crate::cors::Denied;
use crate::request::BadRequest;

mod fields;
mod habits;

pub use fields::FieldErrors;
pub use habits::{ErrorShape, Habits, LoginAnswer};

/// Why a request is not served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Cannot be judged.
    #[error("bad request: {0}")]
    BadRequest(#[from] BadRequest),
    /// Not a host of ours.
    #[error("misdirected request")]
    Misdirected,
    /// No rule covers the path.
    #[error("no route")]
    NoRoute,
    /// The addressed thing does not exist.
    #[error("not found")]
    NotFound,
    /// The method is not served here.
    #[error("method {0} not allowed")]
    Method(String),
    /// GET or HEAD with a body.
    #[error("a read with a body")]
    BodyOnRead,
    /// Nobody is signed in and somebody must be.
    #[error("no credentials")]
    Anonymous,
    /// The credential is not one token.
    #[error("malformed credential: {0}")]
    Credential(#[from] Malformed),
    /// The token is not valid.
    #[error("invalid token: {0}")]
    Token(#[from] TokenError),
    /// Signed in, but not allowed.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// A page of another origin may not send this.
    #[error("preflight: {0}")]
    Preflight(#[from] Denied),
    /// The client takes none of the forms that there are.
    #[error("not acceptable")]
    NotAcceptable,
    /// The body is larger than the limit.
    #[error("body too large")]
    TooLarge,
    /// The body did not arrive in time.
    #[error("body too slow")]
    TooSlow,
    /// The body's media type is not read here.
    #[error("unsupported media type")]
    MediaType(String),
    /// The body does not parse.
    #[error("body does not parse as {what}")]
    Parse {
        /// `JSON`, `Form`, `Multipart form`.
        what: &'static str,
        /// Position or kind of the error; holds no input.
        detail: String,
    },
    /// The body's fields are wrong.
    #[error("invalid fields")]
    Fields(FieldErrors),
    /// Name and password do not belong to an active user.
    #[error("login failed: {0}")]
    Login(&'static str),
    /// Too many attempts.
    #[error("throttled")]
    Throttled(Duration),
    /// Every worker is busy and the queue is full.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// Logins must arrive over https.
    #[error("login over plain http")]
    HttpsRequired,
    /// The upstream could not be reached.
    #[error("upstream unavailable: {0}")]
    UpstreamDown(String),
    /// The upstream broke off or answered garbage.
    #[error("bad upstream answer: {0}")]
    UpstreamBroken(String),
    /// The upstream did not answer in time.
    #[error("upstream timed out: {0}")]
    UpstreamTimeout(String),
    /// Our own fault.
    #[error("internal: {0}")]
    Internal(String),
}

/// What a refusal is told with.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// Habits of the profile.
    pub habits: &'a Habits,
    /// `Allow` of the address, where it is known.
    pub allow: Option<&'a str>,
}

struct Row {
    status: u16,
    code: &'static str,
    title: &'static str,
    text: String,
}

fn row(status: u16, code: &'static str, title: &'static str, text: impl Into<String>) -> Row {
    Row {
        status,
        code,
        title,
        text: text.into(),
    }
}

impl Refusal {
    /// HTTP status.
    pub fn status(&self, habits: &Habits) -> u16 {
        self.row(habits).status
    }

    /// A short, bounded name for metrics and logs.
    pub fn code(&self) -> &'static str {
        self.row(&Habits::standard()).code
    }

    /// The connection does not outlive the refusal.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::TooLarge
                | Self::TooSlow
                | Self::BodyOnRead
                | Self::Internal(_)
        )
    }

    /// Where the request ends, and whether another one follows, cannot be told.
    pub fn has_no_end(&self) -> bool {
        matches!(self, Self::BadRequest(BadRequest::Framing))
    }

    /// The answer a client gets.
    pub fn answer(&self, telling: Telling<'_>) -> Answer {
        let habits = telling.habits;
        let row = self.row(habits);
        let mut answer = match habits.errors {
            ErrorShape::Drf => self.drf_answer(&row),
            ErrorShape::Problem => self.problem_answer(&row),
        };
        if row.status == 401 {
            answer = answer.header("WWW-Authenticate", self.challenge(habits));
        }
        if let Some(wait) = self.retry_after() {
            answer = answer.header("Retry-After", wait.as_secs().max(1).to_string());
        }
        if let Some(allow) = telling
            .allow
            .filter(|_| habits.errors == ErrorShape::Drf || row.status == 405)
        {
            answer = answer.header("Allow", allow);
        }
        answer
    }

    fn drf_answer(&self, row: &Row) -> Answer {
        let body = match self {
            Self::Fields(errors) => json!(errors),
            Self::Login(_) => json!(FieldErrors::whole(&*row.text)),
            _ => json!({ "detail": row.text }),
        };
        let answer = Answer::json(row.status, &body).header("X-Frame-Options", "SAMEORIGIN");
        if matches!(self, Self::NoRoute) {
            answer
        } else {
            answer.header("Vary", "Accept")
        }
    }

    fn problem_answer(&self, row: &Row) -> Answer {
        let mut body = json!({
            "type": "about:blank", "title": row.title, "status": row.status, "detail": row.text, "code": row.code,
        });
        if let (Self::Fields(errors), Some(object)) = (self, body.as_object_mut()) {
            object.insert("errors".to_owned(), json!(errors));
        }
        Answer::json(row.status, &body)
            .header("Content-Type", "application/problem+json")
            .header("Cache-Control", "no-store")
    }

    /// RFC 6750 §3: `error` only where credentials were sent.
    fn challenge(&self, habits: &Habits) -> String {
        let base = format!("{} realm=\"{}\"", habits.challenge, habits.realm);
        if habits.errors == ErrorShape::Drf {
            return base;
        }
        match self {
            Self::Token(_) | Self::Credential(_) => format!("{base}, error=\"invalid_token\""),
            _ => base,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) => Some(*wait),
            Self::Overloaded(_) | Self::UpstreamDown(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    fn row(&self, habits: &Habits) -> Row {
        let drf = habits.errors == ErrorShape::Drf;
        match self {
            Self::BadRequest(BadRequest::TargetTooLong) => row(
                414,
                "target_too_long",
                "URI Too Long",
                "The address is too long.",
            ),
            Self::BadRequest(BadRequest::HeadersTooLarge) => row(
                431,
                "headers_too_large",
                "Request Header Fields Too Large",
                "The request headers are too large.",
            ),
            Self::BadRequest(why) => row(
                400,
                "bad_request",
                "Bad Request",
                format!("Bad request: {why}."),
            ),
            Self::Misdirected => row(
                421,
                "misdirected",
                "Misdirected Request",
                "This host name is not served here.",
            ),
            Self::NoRoute | Self::NotFound => row(404, "not_found", "Not Found", "Not found."),
            Self::Method(method) => row(
                405,
                "method_not_allowed",
                "Method Not Allowed",
                format!("Method \"{method}\" not allowed."),
            ),
            Self::BodyOnRead => row(
                400,
                "body_not_allowed",
                "Bad Request",
                "This method takes no request body.",
            ),
            Self::Anonymous => row(
                401,
                "no_credentials",
                "Unauthorized",
                "Authentication credentials were not provided.",
            ),
            Self::Credential(Malformed::Repeated) if !drf => row(
                400,
                "repeated_credential",
                "Bad Request",
                "More than one credential was sent.",
            ),
            Self::Credential(why) => row(
                401,
                "malformed_credential",
                "Unauthorized",
                if drf { why.drf_text() } else { INVALID_TOKEN },
            ),
            Self::Token(why) => row(
                401,
                "invalid_token",
                "Unauthorized",
                if drf { why.drf_text() } else { INVALID_TOKEN },
            ),
            Self::Forbidden(_) => row(
                403,
                "forbidden",
                "Forbidden",
                "You do not have permission to perform this action.",
            ),
            Self::Preflight(why) => row(403, why.code(), "Forbidden", why.text()),
            Self::NotAcceptable => row(
                406,
                "not_acceptable",
                "Not Acceptable",
                "Could not satisfy the request Accept header.",
            ),
            Self::TooLarge => row(
                413,
                "body_too_large",
                "Content Too Large",
                "The request body is too large.",
            ),
            Self::TooSlow => row(
                408,
                "body_too_slow",
                "Request Timeout",
                "The request body did not arrive in time.",
            ),
            Self::MediaType(sent) => row(
                415,
                "unsupported_media_type",
                "Unsupported Media Type",
                format!("Unsupported media type \"{sent}\" in request."),
            ),
            Self::Parse { what, detail } => row(
                400,
                "unparsable_body",
                "Bad Request",
                format!("{what} parse error - {detail}"),
            ),
            Self::Fields(_) => row(
                400,
                "invalid_fields",
                "Bad Request",
                "Some fields are missing or wrong.",
            ),
            Self::Login(_) if drf => row(400, "login_failed", "Bad Request", LOGIN_FAILED),
            Self::Login(_) => row(401, "login_failed", "Unauthorized", LOGIN_FAILED),
            Self::Throttled(_) => row(
                429,
                "throttled",
                "Too Many Requests",
                "Too many attempts. Try again later.",
            ),
            Self::Overloaded(_) => row(
                503,
                "overloaded",
                "Service Unavailable",
                "The gateway is busy. Try again in a moment.",
            ),
            Self::HttpsRequired => row(
                403,
                "https_required",
                "Forbidden",
                "Logging in needs https.",
            ),
            Self::UpstreamDown(_) => row(
                503,
                "upstream_unavailable",
                "Service Unavailable",
                "The service is not available.",
            ),
            Self::UpstreamBroken(_) => row(
                502,
                "bad_upstream_answer",
                "Bad Gateway",
                "The service gave no valid answer.",
            ),
            Self::UpstreamTimeout(_) => row(
                504,
                "upstream_timeout",
                "Gateway Timeout",
                "The service did not answer in time.",
            ),
            Self::Internal(_) => row(
                500,
                "internal",
                "Internal Server Error",
                "Something went wrong here.",
            ),
        }
    }
}

/// One text for every token that is not valid: which check failed is for the log alone.
const INVALID_TOKEN: &str = "The access token is missing, malformed, expired or no longer valid.";

const LOGIN_FAILED: &str = "Unable to log in with provided credentials.";

#[cfg(test)]
mod tests;
