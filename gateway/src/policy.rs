//! Who may reach what: raw rules compiled once into a [`Policy`] that answers by first match.
//!
//! Invariants: a path that no rule covers is reached by nobody; a rule that can never match is an error,
//! not a silence; another reading of the same path (case, repeated slashes, further decodings) can only
//! make a verdict stricter.

use std::fmt;

use crate::request::{CanonicalPath, Method};

mod pattern;

pub use pattern::{Pattern, PatternError};

/// Index of an upstream in [`crate::config::Config::upstreams`]. Only the configuration makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpstreamId(u16);

impl UpstreamId {
    /// For the configuration alone, which knows that the upstream exists.
    pub(crate) fn new(index: u16) -> Self {
        Self(index)
    }

    /// Position in the list of upstreams.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What answers a matched request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A service behind the gateway.
    Upstream(UpstreamId),
    /// The gateway itself.
    Builtin(Builtin),
    /// Nobody: the address is kept free and answers 404.
    Nowhere,
}

/// The gateway's own endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Name and password in, token out.
    Login,
    /// A token in, a younger token out.
    Refresh,
    /// A token in, the same token out where it is valid.
    Verify,
    /// Users: list, create, change, remove.
    Users,
    /// Public keys, RFC 7517.
    Jwks,
}

/// Who may use a rule's target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everyone, every method.
    Public,
    /// Everyone for GET and HEAD; a valid token for everything else.
    ReadPublic,
    /// A valid token for everything.
    Token,
    /// A valid token of a user who holds one of these roles.
    Roles(Vec<String>),
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::ReadPublic => f.write_str("read-public"),
            Self::Token => f.write_str("token"),
            Self::Roles(roles) => write!(f, "roles {}", roles.join(", ")),
        }
    }
}

/// One rule as it was written down, with names resolved but patterns not yet parsed.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// Path pattern, e.g. `/tasks/**`.
    pub path: String,
    /// Methods it is for; empty means all. `GET` covers `HEAD`.
    pub methods: Vec<String>,
    /// What answers.
    pub target: Target,
    /// Who may.
    pub access: Access,
    /// `Allow` of the gateway's own answers under this rule.
    pub allow: Option<String>,
    /// Let GET and HEAD carry a body.
    pub allow_get_body: bool,
    /// Let WebSocket upgrades through (they need what a write needs).
    pub websocket: bool,
    /// Send the client's `Authorization` on to the upstream.
    pub forward_authorization: bool,
}

/// Position of a rule in its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(usize);

impl RuleId {
    /// Position in [`Policy::rules`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// A compiled rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pattern: Pattern,
    methods: Vec<Method>,
    /// What answers.
    pub target: Target,
    /// Who may.
    pub access: Access,
    /// `Allow` of the gateway's own answers under this rule.
    pub allow: Option<String>,
    /// Let GET and HEAD carry a body.
    pub allow_get_body: bool,
    /// Let WebSocket upgrades through.
    pub websocket: bool,
    /// Send the client's `Authorization` on to the upstream.
    pub forward_authorization: bool,
}

impl Rule {
    /// The pattern as it was written.
    pub fn path(&self) -> &str {
        self.pattern.as_str()
    }

    /// How many segments of a path are this rule's own; what lies behind them is for the target.
    pub fn fixed_segments(&self) -> usize {
        self.pattern.fixed_segments()
    }

    /// The methods as they were written; empty means all.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(Method::as_str)
    }

    fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (*method == Method::Head && self.methods.contains(&Method::Get))
    }

    fn takes_all_of(&self, other: &Self) -> bool {
        self.methods.is_empty()
            || (!other.methods.is_empty() && other.methods.iter().all(|m| self.takes(m)))
    }
}

/// What is wrong with one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// Index of the rule in the list that was given.
    pub rule: usize,
    /// The key of the rule that is to blame.
    pub field: RuleField,
    /// What is wrong, one line.
    pub text: String,
    /// What to write instead.
    pub help: String,
    /// An earlier rule that is part of the story.
    pub other: Option<usize>,
}

/// A key of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleField {
    /// `path`
    Path,
    /// `methods`
    Methods,
}

/// The compiled rules of one configuration.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    hosts: Option<Vec<String>>,
    guarded: Vec<Pattern>,
    /// Some pattern has a capital letter: a path without any has another reading too.
    has_capitals: bool,
}

impl Policy {
    /// Compiles rules in order. `hosts` limits the names the gateway answers to; `guarded` are path
    /// prefixes that no client reaches under any rule (provisioning).
    ///
    /// # Errors
    /// Every rule that cannot be parsed, repeats an earlier one or can never match.
    pub fn compile(
        specs: Vec<RuleSpec>,
        hosts: Option<Vec<String>>,
        guarded: &[String],
    ) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let mut rules: Vec<(usize, Rule)> = Vec::with_capacity(specs.len());
        for (index, spec) in specs.into_iter().enumerate() {
            match compile_rule(index, spec) {
                Ok(rule) => {
                    if let Some(problem) = unreachable_rule(index, &rule, &rules) {
                        problems.push(problem);
                    }
                    rules.push((index, rule));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let has_capitals = rules
            .iter()
            .any(|(_, rule)| rule.path().chars().any(char::is_uppercase));
        Ok(Self {
            has_capitals,
            rules: rules.into_iter().map(|(_, rule)| rule).collect(),
            hosts: hosts.map(|list| list.iter().map(|h| h.to_ascii_lowercase()).collect()),
            guarded: guarded
                .iter()
                .filter_map(|p| Pattern::parse(&format!("{p}/**")).ok())
                .collect(),
        })
    }

    /// The rules in the order they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Says whether the gateway answers to this host name (lower case, without port and last dot).
    pub fn serves_host(&self, host: &str) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| hosts.iter().any(|h| h == host))
    }

    /// Says whether any reading of the path lies where only the gateway itself may write.
    pub fn is_guarded(&self, path: &CanonicalPath) -> bool {
        !self.guarded.is_empty()
            && path.any_reading(|reading| self.guarded.iter().any(|p| p.matches_folded(reading)))
    }

    /// The rule that the path as it is forwarded meets first.
    pub fn find(&self, path: &CanonicalPath, method: &Method) -> Option<RuleId> {
        self.find_reading(path.decoded(), method)
    }

    /// A rule of this policy.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0)
    }

    /// Calls `judge` with what each other reading of the path meets on a server that folds case: a rule, or
    /// `None` where no rule covers it. Stops at the first error.
    ///
    /// # Errors
    /// The first that `judge` returns.
    pub fn for_other_readings<E>(
        &self,
        path: &CanonicalPath,
        method: &Method,
        mut judge: impl FnMut(Option<&Rule>) -> Result<(), E>,
    ) -> Result<(), E> {
        let met = |reading: &str| {
            let fits = |rule: &&Rule| rule.takes(method) && rule.pattern.matches_folded(reading);
            self.rules.iter().find(fits)
        };
        if self.has_capitals {
            judge(met(path.decoded()))?;
        }
        path.other_readings()
            .try_for_each(|reading| judge(met(reading)))
    }

    /// The rule that this path would meet with any method: what an answer about the address itself
    /// (`Allow`) is taken from where no rule takes the method.
    pub fn find_any_method(&self, path: &CanonicalPath) -> Option<RuleId> {
        self.position(|rule| rule.pattern.matches(path.decoded()))
    }

    fn find_reading(&self, path: &str, method: &Method) -> Option<RuleId> {
        self.position(|rule| rule.takes(method) && rule.pattern.matches(path))
    }

    fn position(&self, fits: impl Fn(&Rule) -> bool) -> Option<RuleId> {
        self.rules.iter().position(fits).map(RuleId)
    }
}

fn compile_rule(index: usize, spec: RuleSpec) -> Result<Rule, RuleProblem> {
    let problem = |field, text: String, help: String| RuleProblem {
        rule: index,
        field,
        text,
        help,
        other: None,
    };
    let pattern = Pattern::parse(&spec.path).map_err(|e| {
        problem(
            RuleField::Path,
            format!("`{}` is not a path pattern: {e}", spec.path),
            e.help(),
        )
    })?;
    let mut methods = Vec::with_capacity(spec.methods.len());
    for name in &spec.methods {
        let method = Method::parse(name);
        if matches!(method, Method::Never(_)) {
            return Err(problem(
                RuleField::Methods,
                format!("{name} is never forwarded"),
                "leave it out: TRACE, TRACK and CONNECT are always refused".to_owned(),
            ));
        }
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            return Err(problem(
                RuleField::Methods,
                format!("`{name}` is not a method name"),
                format!(
                    "methods are case-sensitive and in capitals: write `{}`",
                    name.to_ascii_uppercase()
                ),
            ));
        }
        methods.push(method);
    }
    Ok(Rule {
        pattern,
        methods,
        target: spec.target,
        access: spec.access,
        allow: spec.allow,
        allow_get_body: spec.allow_get_body,
        websocket: spec.websocket,
        forward_authorization: spec.forward_authorization,
    })
}

/// First match wins, so a rule that an earlier one covers wholly is dead: almost always a mistake in
/// the order, and one that opens what was meant to be closed.
fn unreachable_rule(index: usize, rule: &Rule, earlier: &[(usize, Rule)]) -> Option<RuleProblem> {
    let (other, cover) = earlier
        .iter()
        .find(|(_, e)| e.pattern.covers(&rule.pattern) && e.takes_all_of(rule))?;
    let same = cover.pattern == rule.pattern && rule.takes_all_of(cover);
    let path = rule.path();
    let (text, help) = if same {
        (
            format!("the route `{path}` stands here a second time"),
            "remove one of the two".to_owned(),
        )
    } else {
        (
            format!(
                "this route can never match: `{}` above already takes every request for `{path}`",
                cover.path()
            ),
            "the first match wins: move the narrower route above the wider one, or remove it"
                .to_owned(),
        )
    };
    Some(RuleProblem {
        rule: index,
        field: RuleField::Path,
        text,
        help,
        other: Some(*other),
    })
}

#[cfg(test)]
mod tests;
