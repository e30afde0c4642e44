//! The decision: may this request pass? Total, pure, on one screen.
//!
//! Invariant: a [`Permit`] is made here and nowhere else, and without one nothing is forwarded.

use std::sync::Arc;

use crate::auth::credential::Credential;
use crate::auth::external::ExternalIssuer;
use crate::auth::keys::KeyRing;
use crate::auth::token::{self, TokenRules, Trust, Verified};
use crate::auth::view::View;
use crate::policy::{Access, Builtin, Policy, Rule, RuleId, Target, UpstreamId};
use crate::refusal::{Habits, Refusal};
use crate::request::{Body, Method, RequestFacts, Upgrade};
use crate::user::UnixSeconds;

/// Everything a request may read: immutable, swapped whole. A request holds one from start to end.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Who may reach what.
    pub policy: Arc<Policy>,
    /// Wire habits.
    pub habits: Arc<Habits>,
    /// What tokens must look like.
    pub token_rules: Arc<TokenRules>,
    /// Keys.
    pub keys: Arc<KeyRing>,
    /// Users.
    pub view: Arc<View>,
    /// Other issuers.
    pub external: Arc<Vec<ExternalIssuer>>,
}

impl Snapshot {
    /// What tokens of requests are judged by.
    pub fn trust(&self) -> Trust<'_> {
        Trust {
            keys: &self.keys,
            view: &self.view,
            rules: &self.token_rules,
            external: &self.external,
        }
    }

    /// What tokens are judged by where only our own count.
    pub fn own_trust(&self) -> Trust<'_> {
        Trust {
            external: &[],
            ..self.trust()
        }
    }
}

/// What happens with a request. Every request ends in exactly one.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The gateway answers itself.
    Answer(Builtin, Option<Verified>),
    /// The upstream answers.
    Forward(Permit),
    /// Nobody does.
    Refuse(Refusal),
}

/// Proof that the policy said yes to this request.
#[derive(Debug, Clone)]
pub struct Permit {
    upstream: UpstreamId,
    identity: Option<Verified>,
    websocket: bool,
    forward_authorization: bool,
}

impl Permit {
    /// Where the request may go.
    pub fn upstream(&self) -> UpstreamId {
        self.upstream
    }

    /// Who sent it; `None` is anonymous.
    pub fn identity(&self) -> Option<&Verified> {
        self.identity.as_ref()
    }

    /// A WebSocket may be opened.
    pub fn websocket(&self) -> bool {
        self.websocket
    }

    /// The client's `Authorization` goes on to the upstream.
    pub fn forward_authorization(&self) -> bool {
        self.forward_authorization
    }
}

/// A decision and the rule it was made under.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The rule that the address met, where there is one.
    pub rule: Option<RuleId>,
    /// The decision.
    pub decision: Decision,
}

/// Decides. `now` is in seconds since 1970.
pub fn decide(snapshot: &Snapshot, facts: &RequestFacts, now: UnixSeconds) -> Judgement {
    let policy = &snapshot.policy;
    let found = policy.find(&facts.path, &facts.method);
    let id = found.or_else(|| policy.find_any_method(&facts.path));
    let rule = id.and_then(|id| policy.rule(id));
    let decision =
        judge(snapshot, facts, now, rule, found.is_some()).unwrap_or_else(Decision::Refuse);
    Judgement { rule: id, decision }
}

fn judge(
    snapshot: &Snapshot,
    facts: &RequestFacts,
    now: UnixSeconds,
    rule: Option<&Rule>,
    takes_method: bool,
) -> Result<Decision, Refusal> {
    let habits = &snapshot.habits;
    if !snapshot.policy.serves_host(&facts.host) {
        return Err(Refusal::Misdirected);
    }
    if snapshot.policy.is_guarded(&facts.path) {
        return Err(Refusal::NoRoute);
    }
    let rule = rule
        .filter(|rule| rule.target != Target::Nowhere)
        .ok_or(Refusal::NoRoute)?;
    if let Target::Builtin(
        builtin @ (Builtin::Login | Builtin::Refresh | Builtin::Verify | Builtin::Jwks),
    ) = rule.target
    {
        return Ok(Decision::Answer(builtin, None));
    }
    let served = takes_method && is_served(&facts.method, rule);
    if !served && !habits.conceal_methods {
        return Err(Refusal::Method(facts.method.as_str().to_owned()));
    }
    if facts.method.is_read() && facts.body != Body::Empty && !rule.allow_get_body {
        return Err(Refusal::BodyOnRead);
    }
    let identity = authenticate(snapshot, facts, now)?;
    admit(&rule.access, habits, facts, identity.as_ref())?;
    // Where another reading of the path meets another rule, that one must say yes as well.
    snapshot
        .policy
        .for_other_readings(&facts.path, &facts.method, |other| match other {
            None => Err(Refusal::NoRoute),
            Some(other) if other.target == Target::Nowhere => Err(Refusal::NoRoute),
            Some(other) => admit(&other.access, habits, facts, identity.as_ref()),
        })?;
    if !served {
        return Err(Refusal::Method(facts.method.as_str().to_owned()));
    }
    Ok(match rule.target {
        Target::Nowhere => return Err(Refusal::NoRoute),
        // Our own addresses are for our own users: another issuer's administrator is not ours.
        Target::Builtin(_)
            if identity
                .as_ref()
                .is_some_and(|verified| verified.local().is_none()) =>
        {
            return Err(Refusal::Forbidden("not a user of this gateway"));
        }
        Target::Builtin(builtin) => Decision::Answer(builtin, identity),
        Target::Upstream(upstream) => Decision::Forward(Permit {
            upstream,
            identity,
            websocket: rule.websocket && facts.upgrade == Upgrade::WebSocket,
            forward_authorization: rule.forward_authorization,
        }),
    })
}

/// TRACE, TRACK and CONNECT never; an unknown method only where the rule names it.
fn is_served(method: &Method, rule: &Rule) -> bool {
    match method {
        Method::Never(_) => false,
        Method::Other(name) => rule.methods().any(|m| m == name),
        Method::Get
        | Method::Head
        | Method::Post
        | Method::Put
        | Method::Patch
        | Method::Delete
        | Method::Options => true,
    }
}

/// A credential that is present must be valid, on open addresses too: bad never becomes anonymous.
fn authenticate(
    snapshot: &Snapshot,
    facts: &RequestFacts,
    now: UnixSeconds,
) -> Result<Option<Verified>, Refusal> {
    match &facts.credential {
        Credential::None => Ok(None),
        Credential::Malformed(why) => Err(Refusal::Credential(*why)),
        Credential::One(token) => Ok(Some(token::verify(token, &snapshot.trust(), now)?)),
    }
}

fn admit(
    access: &Access,
    habits: &Habits,
    facts: &RequestFacts,
    identity: Option<&Verified>,
) -> Result<(), Refusal> {
    let open = match access {
        Access::Public => true,
        // A WebSocket is a channel, and some frameworks take a `_method` in the query for the real one: neither
        // is a read, whatever the method. Nor has a question a body, which not every server reads to its end.
        Access::ReadPublic => {
            let question = facts.method == Method::Options && facts.body == Body::Empty;
            facts.upgrade != Upgrade::WebSocket
                && !facts.query_overrides_method
                && (facts.method.is_read() || (question && habits.options_open))
        }
        Access::Token | Access::Roles(_) => false,
    };
    match (identity, access) {
        (None, _) if !open => Err(Refusal::Anonymous),
        (Some(verified), Access::Roles(roles)) if !verified.has_any_role(roles) => {
            Err(Refusal::Forbidden("role"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
