//! `/.well-known/jwks.json`: our public keys (RFC 7517).

use super::{Call, no_such_method};
use crate::answer::Answer;
use crate::refusal::Refusal;

/// Answers GET and HEAD.
///
/// # Errors
/// 405 for any other method.
pub fn answer(call: &Call<'_>) -> Result<Answer, Refusal> {
    if !call.facts.method.is_read() {
        return Err(no_such_method(&call.facts.method));
    }
    Ok(Answer::json(200, &call.snapshot.keys.jwks())
        .header("Content-Type", "application/jwk-set+json")
        .header("Cache-Control", "public, max-age=300"))
}
