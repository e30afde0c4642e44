//! What an upstream learns of the caller, and what it never hears from a client.
//!
//! Invariant: the removal has no condition. It runs for every forwarded request, signed in or not, and
//! after the HTTP layer has acted on `Connection`, so that no client can name our own headers away.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use pingora::Result;
use pingora::http::RequestHeader;

use crate::auth::token::{Identity, Verified};
use crate::config::IdentityHeaders;
use crate::decision::Permit;
use crate::upstream::SECRET_HEADER;

mod removal;

use removal::Removal;

/// Carries the id that ties log lines of one request together.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// What a visible ASCII header value may not hold as it is (RFC 9110 §5.5); `%` so that it can be undone.
const VALUE: &AsciiSet = &CONTROLS.add(b'%');

/// What is said of the request itself.
#[derive(Debug, Clone)]
pub struct Forwarding<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// `http` or `https`, as the client used it.
    pub scheme: &'a str,
    /// `Host` as the client sent it.
    pub authority: &'a str,
    /// Ties log lines together.
    pub request_id: &'a str,
}

/// HTTP/2 may split `Cookie` into several lines; HTTP/1.1 has one (RFC 9113 §8.2.3).
///
/// # Errors
/// Where the HTTP layer refuses the header.
pub fn join_cookies(request: &mut RequestHeader) -> Result<()> {
    let crumbs: Vec<&[u8]> = request
        .headers
        .get_all(http::header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = crumbs.join(&b"; "[..]);
    request.insert_header(http::header::COOKIE, joined)
}

/// Which headers an upstream gets.
#[derive(Debug, Clone)]
pub struct HeaderPlan {
    names: Names,
    secret: Option<HeaderValue>,
    removal: Removal,
}

/// [`IdentityHeaders`], ready to be inserted.
#[derive(Debug, Clone)]
struct Names {
    user_id: Option<Bytes>,
    user: Option<Bytes>,
    email: Option<Bytes>,
    roles: Option<Bytes>,
    status: Option<Bytes>,
}

impl From<IdentityHeaders> for Names {
    fn from(names: IdentityHeaders) -> Self {
        Self {
            user_id: names.user_id.map(Bytes::from),
            user: names.user.map(Bytes::from),
            email: names.email.map(Bytes::from),
            roles: names.roles.map(Bytes::from),
            status: names.status.map(Bytes::from),
        }
    }
}

impl HeaderPlan {
    /// The plan of one upstream.
    pub fn new(names: IdentityHeaders, secret: Option<HeaderValue>) -> Self {
        let own = [
            &names.user_id,
            &names.user,
            &names.email,
            &names.roles,
            &names.status,
        ];
        let removal = Removal::new(own.into_iter().flatten().map(String::as_str));
        Self {
            names: names.into(),
            secret,
            removal,
        }
    }

    /// Removes what only the gateway may say, then says it.
    ///
    /// # Errors
    /// Where the HTTP layer refuses a header; then nothing may be forwarded.
    pub fn apply(
        &self,
        request: &mut RequestHeader,
        permit: &Permit,
        forwarding: &Forwarding<'_>,
    ) -> Result<()> {
        self.remove(request, permit.forward_authorization());
        self.insert_identity(request, permit)?;
        request.insert_header("X-Forwarded-For", forwarding.client.to_string())?;
        request.insert_header("X-Forwarded-Proto", forwarding.scheme)?;
        if !forwarding.authority.is_empty() {
            request.insert_header("X-Forwarded-Host", forwarding.authority)?;
        }
        request.insert_header("X-Request-Id", forwarding.request_id)?;
        if let Some(secret) = &self.secret {
            request.insert_header(SECRET_HEADER, secret.clone())?;
        }
        Ok(())
    }

    fn remove(&self, request: &mut RequestHeader, keep_authorization: bool) {
        let doomed: Vec<http::HeaderName> = request
            .headers
            .keys()
            .filter(|name| {
                self.removal.takes(name.as_str())
                    && !(keep_authorization && *name == http::header::AUTHORIZATION)
            })
            .cloned()
            .collect();
        for name in doomed {
            request.remove_header(&name);
        }
    }

    fn insert_identity(&self, request: &mut RequestHeader, permit: &Permit) -> Result<()> {
        let status = if permit.identity().is_some() {
            "authenticated"
        } else {
            "anonymous"
        };
        let mut insert = |name: &Option<Bytes>, value: &str| match name {
            // An absent value is an absent header: an empty one could be read as a user without a name.
            Some(name) if !value.is_empty() => {
                let value = Cow::from(utf8_percent_encode(value, VALUE));
                request.insert_header(name.clone(), &*value)
            }
            _ => Ok(()),
        };
        insert(&self.names.status, status)?;
        match permit.identity().map(Verified::identity) {
            None => {}
            Some(Identity::Local(user)) => {
                insert(&self.names.user_id, &user.id.to_string())?;
                insert(&self.names.user, &user.username)?;
                insert(&self.names.email, &user.email)?;
                insert(&self.names.roles, &user.roles.join(","))?;
            }
            Some(Identity::External(subject)) => {
                // The issuer is part of the name: subject `1` elsewhere is not our user 1.
                let name = format!("{}|{}", subject.issuer, subject.subject);
                insert(&self.names.user_id, &name)?;
                insert(&self.names.user, &name)?;
                insert(&self.names.roles, &subject.roles.join(","))?;
            }
        }
        Ok(())
    }
}
