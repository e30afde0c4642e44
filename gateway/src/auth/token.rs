//! Minting and verifying our own tokens.
//!
//! Invariants: [`Verified`] is made in this module alone; who a token speaks for, and what that user may,
//! is taken from the [`View`] of now and never from the token.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cache::TokenCache;
use super::claims::{StrictObject, Times};
use super::external::ExternalIssuer;
use super::keys::{Key, KeyRing, TokenAlgorithm};
use super::view::View;
use crate::user::{UnixSeconds, User, UserId};

mod error;
mod parts;
mod verified;

pub use error::TokenError;
use parts::{Parts, check_parameters, is_type};
pub(super) use verified::Proven;
pub use verified::{Identity, Verified};

/// Longest life of a token that is accepted, in seconds, whatever it says itself.
const MAX_LIFETIME_SECS: u64 = 24 * 60 * 60;

/// Which claims our tokens carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimSet {
    /// RFC 9068: `typ: at+jwt`, `iss`, `sub`, `aud`, `exp`, `iat`, `jti`, `client_id`, `sid`, `ver`.
    AccessToken,
    /// `user_id`, `username`, `email`, `exp`, `orig_iat`, `jti`, `sid`, `ver`.
    DrfJwt,
}

/// What tokens must look like here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// Which claims.
    pub claims: ClaimSet,
    /// Our `iss`.
    pub issuer: String,
    /// Our `aud`.
    pub audience: String,
    /// Lifetime, seconds.
    pub ttl: u64,
    /// Clock difference forgiven, seconds.
    pub leeway: u64,
    /// How long after the first login a token may be refreshed, seconds.
    pub refresh_limit: u64,
    /// Accept tokens without `jti`, `sid` and `ver`.
    pub legacy: bool,
}

/// The random names of a token and of the login it goes back to: 128 bits each, base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// This token.
    pub jti: String,
    /// The login.
    pub sid: String,
}

/// Whom and what a token is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Our keys.
    pub keys: &'a KeyRing,
    /// Our users.
    pub view: &'a View,
    /// What our tokens must look like.
    pub rules: &'a TokenRules,
    /// Other issuers.
    pub external: &'a [ExternalIssuer],
    /// Tokens that these keys, rules and issuers have verified before.
    pub cache: Option<&'a TokenCache>,
}

/// Verifies one token against the keys and users of now.
///
/// # Errors
/// The first check that fails, in the order of the recorded contract.
pub fn verify(token: &str, trust: &Trust<'_>, now: UnixSeconds) -> Result<Verified, TokenError> {
    if let Some(proven) = trust.cache.and_then(|cache| cache.get(token)) {
        return stand(proven, trust, now);
    }
    let proven = Arc::new(prove(token, trust, now)?);
    let verified = stand(Arc::clone(&proven), trust, now)?;
    if let Some(cache) = trust.cache {
        cache.put(token, &proven);
    }
    Ok(verified)
}

/// What a token proves by itself: as true tomorrow as today, while keys and rules stay the same.
fn prove(token: &str, trust: &Trust<'_>, now: UnixSeconds) -> Result<Proven, TokenError> {
    let parts = Parts::split(token)?;
    match claimed_issuer(&parts, trust.external) {
        Some(issuer) => prove_external(&parts, issuer, now),
        None => prove_ours(&parts, trust, now),
    }
}

/// The other issuer that a token claims; it only chooses whose keys the token must prove itself with.
fn claimed_issuer<'a>(
    parts: &Parts<'_>,
    external: &'a [ExternalIssuer],
) -> Option<&'a ExternalIssuer> {
    if external.is_empty() {
        return None;
    }
    let claims = StrictObject::parse(&parts.payload)?;
    let claimed = claims.0.get("iss").and_then(Value::as_str)?;
    external
        .iter()
        .find(|issuer| issuer.spec().issuer == claimed)
}

/// What depends on the moment: time, the user of now, the session.
fn stand(proven: Arc<Proven>, trust: &Trust<'_>, now: UnixSeconds) -> Result<Verified, TokenError> {
    proven.times.check(now, proven.leeway)?;
    let identity = match &proven.external {
        Some(subject) => Identity::External(Arc::clone(subject)),
        None => {
            let user = find_user(&proven.claims, trust.view, trust.rules)?;
            check_session(&proven.claims, &user, trust.rules)?;
            Identity::Local(user)
        }
    };
    Ok(Verified { identity, proven })
}

fn prove_ours(
    parts: &Parts<'_>,
    trust: &Trust<'_>,
    now: UnixSeconds,
) -> Result<Proven, TokenError> {
    let Trust { keys, rules, .. } = trust;
    let names = check_header(&parts.header, keys, rules)?;
    let lenient = rules.claims == ClaimSet::DrfJwt;
    let signed_by_us = keys
        .candidates(names.algorithm, names.kid.as_deref(), lenient)
        .any(|key| key.verifies(parts.message.as_bytes(), parts.signature));
    if !signed_by_us {
        return Err(TokenError::Signature);
    }
    let claims = StrictObject::parse(&parts.payload).ok_or(TokenError::Malformed)?;
    let times = check_times(&claims, lenient, now, rules.leeway)?;
    check_issuer_and_audience(&claims, rules)?;
    Ok(Proven {
        claims,
        times,
        leeway: rules.leeway,
        external: None,
    })
}

fn prove_external(
    parts: &Parts<'_>,
    issuer: &ExternalIssuer,
    now: UnixSeconds,
) -> Result<Proven, TokenError> {
    let header = &parts.header;
    let algorithm = header.text("alg", TokenError::Algorithm)?;
    let algorithm = algorithm
        .and_then(|name| issuer.algorithm(name))
        .ok_or(TokenError::Algorithm)?;
    check_parameters(header)?;
    // Many providers say `JWT` or nothing; what is typed as anything else is no access token.
    let typ = header.text("typ", TokenError::Type)?.unwrap_or("JWT");
    if !is_type(typ, "at+jwt") && !is_type(typ, "JWT") {
        return Err(TokenError::Type);
    }
    let kid = header.text("kid", TokenError::Malformed)?;
    if !issuer.verifies(algorithm, kid, parts.message.as_bytes(), parts.signature) {
        return Err(TokenError::Signature);
    }
    let claims = StrictObject::parse(&parts.payload).ok_or(TokenError::Malformed)?;
    let times = check_times(&claims, false, now, issuer.leeway())?;
    check_audience(&claims, &issuer.spec().audiences)?;
    let subject = issuer.subject(&claims).ok_or(TokenError::NoSubject)?;
    claims.text("jti", TokenError::NoSession)?;
    Ok(Proven {
        claims,
        times,
        leeway: issuer.leeway(),
        external: Some(Arc::new(subject)),
    })
}

fn check_times(
    claims: &StrictObject,
    fractions: bool,
    now: UnixSeconds,
    leeway: u64,
) -> Result<Times, TokenError> {
    let times = Times::read(claims, fractions)?;
    times.check(now, leeway)?;
    if times.exp.saturating_sub(times.iat.unwrap_or(now)) > MAX_LIFETIME_SECS {
        return Err(TokenError::Lifetime);
    }
    Ok(times)
}

/// Header and claims of a token as it stands, **not verified**: for people to look at, for nothing else.
///
/// # Errors
/// [`TokenError::Malformed`]
pub fn contents(token: &str) -> Result<(Value, Value), TokenError> {
    let parts = Parts::split(token)?;
    let claims = StrictObject::parse(&parts.payload).ok_or(TokenError::Malformed)?;
    Ok((Value::Object(parts.header.0), Value::Object(claims.0)))
}

struct KeyNames {
    algorithm: TokenAlgorithm,
    kid: Option<String>,
}

fn check_header(
    header: &StrictObject,
    keys: &KeyRing,
    rules: &TokenRules,
) -> Result<KeyNames, TokenError> {
    let algorithm = header
        .text("alg", TokenError::Algorithm)?
        .and_then(TokenAlgorithm::from_name)
        .filter(|algorithm| keys.has(*algorithm))
        .ok_or(TokenError::Algorithm)?;
    check_parameters(header)?;
    if rules.claims == ClaimSet::DrfJwt {
        // Recorded: `typ` and `kid` are not looked at. The one secret is the only key there is.
        let kid = header
            .0
            .get("kid")
            .and_then(Value::as_str)
            .map(str::to_owned);
        return Ok(KeyNames { algorithm, kid });
    }
    let typ = header.text("typ", TokenError::Type)?.unwrap_or_default();
    let typ = typ.strip_prefix("application/").unwrap_or(typ);
    let accepted =
        typ.eq_ignore_ascii_case("at+jwt") || (rules.legacy && typ.eq_ignore_ascii_case("JWT"));
    if !accepted {
        return Err(TokenError::Type);
    }
    Ok(KeyNames {
        algorithm,
        kid: header
            .text("kid", TokenError::Malformed)?
            .map(str::to_owned),
    })
}

fn check_issuer_and_audience(claims: &StrictObject, rules: &TokenRules) -> Result<(), TokenError> {
    if rules.claims == ClaimSet::DrfJwt {
        // Recorded: tokens of this contract have no audience, and one that has is meant for somebody else.
        return if claims.0.contains_key("aud") {
            Err(TokenError::Audience)
        } else {
            Ok(())
        };
    }
    if claims.text("iss", TokenError::Issuer)? != Some(&rules.issuer) {
        return Err(TokenError::Issuer);
    }
    check_audience(claims, std::slice::from_ref(&rules.audience))
}

/// One text, or a list of texts, of which one is meant for us.
fn check_audience(claims: &StrictObject, wanted: &[String]) -> Result<(), TokenError> {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| wanted.iter().any(|known| known == text))
    };
    match claims.0.get("aud") {
        Some(Value::Array(list)) if list.iter().all(Value::is_string) && list.iter().any(ours) => {
            Ok(())
        }
        Some(value) if ours(value) => Ok(()),
        _ => Err(TokenError::Audience),
    }
}

/// The user of now, active, and the only one that the token can mean.
fn find_user(
    claims: &StrictObject,
    view: &View,
    rules: &TokenRules,
) -> Result<Arc<User>, TokenError> {
    let user = match rules.claims {
        ClaimSet::AccessToken => by_subject(claims, view)?,
        ClaimSet::DrfJwt => by_name(claims, view)?,
    };
    if !user.active {
        return Err(TokenError::Inactive);
    }
    match (rules.claims, claims.0.get("user_id")) {
        (ClaimSet::DrfJwt, Some(id)) if id.as_u64() != Some(user.id.0) => {
            Err(TokenError::OtherUser)
        }
        // A name alone may be that of a removed user whom the token was made for.
        (ClaimSet::DrfJwt, None) if !rules.legacy || !made_for(claims, &user) => {
            Err(TokenError::NoSubject)
        }
        _ => Ok(user),
    }
}

/// Says whether the token was made when this user already was.
fn made_for(claims: &StrictObject, user: &User) -> bool {
    let made = claims
        .0
        .get("orig_iat")
        .or_else(|| claims.0.get("iat"))
        .and_then(Value::as_f64);
    made.is_some_and(|made| made >= user.created_at as f64)
}

fn by_subject(claims: &StrictObject, view: &View) -> Result<Arc<User>, TokenError> {
    let sub = claims
        .text("sub", TokenError::NoSubject)?
        .ok_or(TokenError::NoSubject)?;
    // One spelling for one number: `01` is nobody.
    let id = sub
        .parse::<u64>()
        .ok()
        .filter(|id| id.to_string() == sub)
        .ok_or(TokenError::UnknownUser)?;
    view.user(UserId(id))
        .cloned()
        .ok_or(TokenError::UnknownUser)
}

fn by_name(claims: &StrictObject, view: &View) -> Result<Arc<User>, TokenError> {
    match claims.0.get("username") {
        None | Some(Value::Null) => Err(TokenError::NoSubject),
        Some(Value::String(name)) if name.is_empty() => Err(TokenError::NoSubject),
        Some(Value::String(name)) => view
            .user_named(name)
            .cloned()
            .ok_or(TokenError::UnknownUser),
        Some(_) => Err(TokenError::UnknownUser),
    }
}

/// `ver` must be the user's epoch of now: every older token died when it rose.
fn check_session(claims: &StrictObject, user: &User, rules: &TokenRules) -> Result<(), TokenError> {
    let jti = claims.text("jti", TokenError::NoSession)?;
    let sid = claims.text("sid", TokenError::NoSession)?;
    let ver = claims.0.get("ver");
    if !rules.legacy && (jti.is_none() || sid.is_none() || ver.is_none()) {
        return Err(TokenError::NoSession);
    }
    match ver {
        Some(ver) if ver.as_u64() != Some(u64::from(user.epoch)) => Err(TokenError::Revoked),
        // A legacy token cannot say under which epoch it was made: it counts until there is a second one.
        None if user.epoch > 0 => Err(TokenError::Revoked),
        _ => Ok(()),
    }
}

/// Makes a token for a user.
///
/// # Errors
/// Where the cryptographic library refuses the key.
pub fn mint(
    user: &User,
    key: &Key,
    rules: &TokenRules,
    session: &Session,
    orig_iat: &Value,
    now: UnixSeconds,
) -> Result<String, jsonwebtoken::errors::Error> {
    let exp = now.saturating_add(rules.ttl);
    match rules.claims {
        ClaimSet::DrfJwt => {
            let claims = json!({
                "user_id": user.id, "username": user.username, "email": user.email, "exp": exp,
                "orig_iat": orig_iat, "jti": session.jti, "sid": session.sid, "ver": user.epoch,
            });
            key.sign("JWT", false, &claims)
        }
        ClaimSet::AccessToken => {
            let claims = json!({
                "iss": rules.issuer, "sub": user.id.to_string(), "aud": rules.audience, "exp": exp, "iat": now,
                "jti": session.jti, "client_id": rules.audience, "sid": session.sid, "ver": user.epoch,
                "username": user.username, "roles": user.roles,
            });
            key.sign("at+jwt", true, &claims)
        }
    }
}

#[cfg(test)]
mod tests;
