//! Every way a request can be refused, and what the client is told: one table.
//!
//! What the operator needs to know as well is logged where it happens; nothing
//! here carries a cause that a client must not see.

use hyper::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::json;

/// The wrong fields of a body, each with its texts, in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, Vec<String>)>);

impl FieldErrors {
    /// Notes what is wrong with `field`.
    pub fn push(&mut self, field: &'static str, texts: Vec<String>) {
        self.0.push((field, texts));
    }

    /// Whether every field is right.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, texts) in &self.0 {
            map.serialize_entry(field, texts)?;
        }
        map.end()
    }
}

/// Why a request is not done.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body ended early or its framing is wrong.
    BodyCut,
    /// The body is longer than this many bytes.
    BodyTooLarge(usize),
    /// The body took too long.
    BodyTooSlow,
    /// The queue of changes is full.
    Busy,
    /// An identity header was sent twice, so that nobody knows whom to believe.
    DuplicateIdentity,
    /// Fields of the body are wrong.
    Fields(FieldErrors),
    /// `Host` is missing or there are several (RFC 9112 §3.2).
    Host,
    /// This service failed; the log says how.
    Internal,
    /// The resource does not have this method.
    MethodNotAllowed(String),
    /// The body as a whole is wrong.
    NonField(String),
    /// The client accepts nothing that could be answered.
    NotAcceptable,
    /// No such thing.
    NotFound,
    /// A write by nobody.
    NotSignedIn,
    /// A client's request, identity and all, reached the provisioning address.
    ProvisioningByClient,
    /// No gateway secret is there yet to compare with.
    SecretMissing,
    /// The request took too long.
    Slow,
    /// The body cannot be parsed; with the whole text.
    Unparsable(String),
    /// The request did not come through the gateway.
    Unproven,
    /// The body is of a media type that is not read; with the one sent.
    UnsupportedMediaType(String),
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BodyCut
            | Self::DuplicateIdentity
            | Self::Fields(_)
            | Self::Host
            | Self::NonField(_)
            | Self::Unparsable(_) => StatusCode::BAD_REQUEST,
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::ProvisioningByClient | Self::Unproven => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy | Self::SecretMissing | Self::Slow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The challenge of a 401 (RFC 9110 §11.6.1). The gateway in front reads
    /// tokens, so it is the gateway's.
    #[must_use]
    pub fn challenge(&self) -> Option<&'static str> {
        (*self == Self::NotSignedIn).then_some(r#"JWT realm="api""#)
    }

    /// After how many seconds to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<&'static str> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some("1")
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let detail = match self {
            Self::Fields(errors) => return encode(errors),
            Self::NonField(text) => return encode(&single("non_field_errors", vec![text.clone()])),
            Self::BodyCut => "The body was cut short.".to_owned(),
            Self::BodyTooLarge(bytes) => format!("The body is longer than {bytes} bytes."),
            Self::BodyTooSlow => "The body took too long.".to_owned(),
            Self::Busy => "Too many changes at once.".to_owned(),
            Self::DuplicateIdentity => "An identity header was sent twice.".to_owned(),
            Self::Host => "Exactly one Host header is needed.".to_owned(),
            Self::Internal => "The service failed.".to_owned(),
            Self::MethodNotAllowed(method) => format!("Method \"{method}\" not allowed."),
            Self::NotAcceptable => "Could not satisfy the request Accept header.".to_owned(),
            Self::NotFound => "Not found.".to_owned(),
            Self::NotSignedIn => "Authentication credentials were not provided.".to_owned(),
            Self::ProvisioningByClient => "Only the gateway keeps the list of people.".to_owned(),
            Self::SecretMissing => "The gateway secret is not there yet.".to_owned(),
            Self::Slow => "The request took too long.".to_owned(),
            Self::Unparsable(text) => text.clone(),
            Self::Unproven => "This service answers its gateway only.".to_owned(),
            Self::UnsupportedMediaType(sent) => {
                format!("Unsupported media type \"{sent}\" in request.")
            }
        };
        encode(&single("detail", detail))
    }
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "an answer could not be written as JSON");
        Self::Internal
    }
}

fn single<T>(name: &'static str, value: T) -> std::collections::BTreeMap<&'static str, T> {
    std::collections::BTreeMap::from([(name, value)])
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Strings, lists and maps of strings always can be said in JSON.
    json::to_bytes(value).unwrap_or_default()
}
