//! Why a token is not valid.

/// Why a token is not valid. For the log; clients of the standard profile see one text for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of strict base64url, or not JSON objects without repeated members.
    #[error("malformed")]
    Malformed,
    /// `alg` is not one that a key of ours is for.
    #[error("algorithm not accepted")]
    Algorithm,
    /// `crit`, `b64`, `zip` or `enc` in the header (RFC 7515 §4.1.11, RFC 7797 §7).
    #[error("header parameter not understood")]
    Header,
    /// `typ` names another kind of token.
    #[error("wrong token type")]
    Type,
    /// No key of ours made this signature.
    #[error("bad signature")]
    Signature,
    /// `iat` is no number.
    #[error("iat is not a number of seconds")]
    IssuedAtType,
    /// `nbf` is no number.
    #[error("nbf is not a number of seconds")]
    NotBeforeType,
    /// `exp` is no number.
    #[error("exp is not a number of seconds")]
    ExpiryType,
    /// There is no `exp`.
    #[error("no exp")]
    NoExpiry,
    /// `nbf` or `iat` lies in the future.
    #[error("not yet valid")]
    NotYetValid,
    /// `exp` is over.
    #[error("expired")]
    Expired,
    /// It would live longer than any token of ours.
    #[error("lifetime too long")]
    Lifetime,
    /// `iss` is not ours.
    #[error("wrong issuer")]
    Issuer,
    /// `aud` is not ours.
    #[error("wrong audience")]
    Audience,
    /// It names no user.
    #[error("no subject")]
    NoSubject,
    /// No such user.
    #[error("unknown user")]
    UnknownUser,
    /// Name and number belong to different users.
    #[error("user name and number do not belong together")]
    OtherUser,
    /// The user may not log in any more.
    #[error("user is not active")]
    Inactive,
    /// `jti`, `sid` or `ver` is absent or of a wrong type.
    #[error("no session")]
    NoSession,
    /// Made before the user's password, roles or state changed.
    #[error("revoked")]
    Revoked,
}

impl TokenError {
    /// The text of the recorded contract.
    pub fn drf_text(self) -> &'static str {
        match self {
            Self::Malformed | Self::Signature | Self::NotBeforeType | Self::ExpiryType => {
                "Error decoding signature."
            }
            Self::Algorithm
            | Self::Header
            | Self::Type
            | Self::IssuedAtType
            | Self::NotYetValid
            | Self::Lifetime
            | Self::Issuer
            | Self::Audience => "Incorrect authentication credentials.",
            Self::Expired => "Signature has expired.",
            Self::NoExpiry | Self::NoSubject | Self::NoSession | Self::OtherUser => {
                "Invalid payload."
            }
            Self::UnknownUser | Self::Revoked => "Invalid signature.",
            Self::Inactive => "User account is disabled.",
        }
    }
}
