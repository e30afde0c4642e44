//! The three parts of a token (RFC 7515 §3.1), and what is refused of any header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TokenError;
use crate::auth::claims::StrictObject;
use crate::auth::credential::MAX_TOKEN_BYTES;

/// A token taken apart; nothing of it is trusted.
pub(super) struct Parts<'a> {
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
    pub(super) header: StrictObject,
    pub(super) payload: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Size and shape come first: nothing is decoded of what cannot be a token.
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES || token.bytes().filter(|b| *b == b'.').count() != 2 {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        // Strict: no padding, no other alphabet, no stray trailing bits (RFC 7515 §2).
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| TokenError::Malformed)
        };
        decode(signature)?;
        let payload = decode(payload)?;
        let header = StrictObject::parse(&decode(header)?).ok_or(TokenError::Malformed)?;
        Ok(Self {
            message,
            signature,
            header,
            payload,
        })
    }
}

/// Parameters that change what a signature is over, or that must be understood (RFC 7515 §4.1.11,
/// RFC 7797 §3).
pub(super) fn check_parameters(header: &StrictObject) -> Result<(), TokenError> {
    let odd = ["crit", "b64", "zip", "enc"]
        .iter()
        .any(|name| header.0.contains_key(*name));
    if odd { Err(TokenError::Header) } else { Ok(()) }
}

/// RFC 7515 §4.1.9: `application/` may be left out, case does not count.
pub(super) fn is_type(typ: &str, wanted: &str) -> bool {
    typ.strip_prefix("application/")
        .unwrap_or(typ)
        .eq_ignore_ascii_case(wanted)
}
