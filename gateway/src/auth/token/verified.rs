//! What a token that was checked proves.

use std::sync::Arc;

use serde_json::Value;

use super::super::claims::{StrictObject, Times};
use super::super::external::ExternalSubject;
use crate::user::{UnixSeconds, User};

/// Who a token speaks for.
#[derive(Debug, Clone)]
pub enum Identity {
    /// One of our users, as of now.
    Local(Arc<User>),
    /// Somebody whom another issuer vouches for.
    External(Arc<ExternalSubject>),
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(user) => write!(f, "user {} (number {})", user.username, user.id),
            Self::External(subject) => write!(f, "{} of {}", subject.subject, subject.issuer),
        }
    }
}

/// What a token's signature vouches for, under one set of keys and rules.
#[derive(Debug)]
pub(in crate::auth) struct Proven {
    pub(super) claims: StrictObject,
    pub(super) times: Times,
    /// Seconds forgiven of its times.
    pub(super) leeway: u64,
    /// Whom another issuer vouches for; `None` for a token of ours.
    pub(super) external: Option<Arc<ExternalSubject>>,
}

/// Proof that a token was checked in full: signature, algorithm, times, issuer, audience, and for our own
/// tokens the session, and that the user exists, is active and has not changed since.
#[derive(Debug, Clone)]
pub struct Verified {
    pub(super) identity: Identity,
    pub(super) proven: Arc<Proven>,
}

impl Verified {
    /// Who the token speaks for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The user, where it is one of ours.
    pub fn local(&self) -> Option<&Arc<User>> {
        match &self.identity {
            Identity::Local(user) => Some(user),
            Identity::External(_) => None,
        }
    }

    /// Says whether the bearer holds one of these roles; exact comparison.
    pub fn has_any_role(&self, wanted: &[String]) -> bool {
        match &self.identity {
            Identity::Local(user) => user.has_any_role(wanted),
            Identity::External(subject) => subject.roles.iter().any(|role| wanted.contains(role)),
        }
    }

    /// End of life.
    pub fn expires(&self) -> UnixSeconds {
        self.proven.times.exp
    }

    /// From this second on it counts no longer: its end and the clock difference that is forgiven.
    pub fn ends(&self) -> UnixSeconds {
        self.expires().saturating_add(self.proven.leeway)
    }

    /// The token's own name, where it has one.
    pub fn jti(&self) -> Option<&str> {
        self.claim("jti")?.as_str()
    }

    /// The login it goes back to, where it names one.
    pub fn sid(&self) -> Option<&str> {
        self.local()?;
        self.claim("sid")?.as_str()
    }

    /// `orig_iat` as it was sent: the recorded refresh keeps its very form.
    pub fn orig_iat(&self) -> Option<&Value> {
        self.local()?;
        self.claim("orig_iat")
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        self.proven.claims.0.get(name)
    }
}
