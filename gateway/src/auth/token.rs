//! Minting and verifying tokens.

/// Why a token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or JSON objects.
    #[error("malformed")]
    Malformed,
}

impl TokenError {
    /// The recorded text.
    pub fn drf_text(self) -> &'static str {
        "Error decoding signature."
    }
}
