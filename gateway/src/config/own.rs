//! The rules of the gateway's own endpoints, which stand in front of every route.

use super::{AuthConfig, Profile};
use crate::policy::{Access, Builtin, Pattern, RuleSpec, Target};

/// Role that the `users` endpoint asks for.
const ADMIN: &str = "admin";
/// `Allow` of the recorded contract.
const ALLOW_TOKEN: &str = "POST, OPTIONS";
const ALLOW_LIST: &str = "GET, POST, HEAD, OPTIONS";
const ALLOW_ITEM: &str = "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
const ALLOW_KEYS: &str = "GET, HEAD, OPTIONS";

/// The rules of the gateway's own endpoints.
pub(super) fn builtin_rules(auth: &AuthConfig) -> Vec<RuleSpec> {
    let mount = &auth.mount;
    let public = |path: String, builtin, allow| own_rule(path, builtin, Access::Public, allow);
    let admin = || Access::Roles(vec![ADMIN.to_owned()]);
    let mut rules = vec![
        public(mount.clone(), Builtin::Login, ALLOW_TOKEN),
        public(format!("{mount}/verify"), Builtin::Verify, ALLOW_TOKEN),
        own_rule(
            format!("{mount}/users"),
            Builtin::Users,
            admin(),
            ALLOW_LIST,
        ),
        own_rule(
            format!("{mount}/users/*"),
            Builtin::Users,
            admin(),
            ALLOW_ITEM,
        ),
    ];
    if auth.profile == Profile::DrfJwt {
        rules.push(public(
            format!("{mount}/refresh"),
            Builtin::Refresh,
            ALLOW_TOKEN,
        ));
        rules.push(public(
            "/api-token-refresh".to_owned(),
            Builtin::Refresh,
            ALLOW_TOKEN,
        ));
        rules.push(public(
            "/api-token-verify".to_owned(),
            Builtin::Verify,
            ALLOW_TOKEN,
        ));
    }
    // Every method is ours here, so that none of them reaches a service behind a `/**`.
    rules.push(public(
        "/.well-known/jwks.json".to_owned(),
        Builtin::Jwks,
        ALLOW_KEYS,
    ));
    rules
}

/// Whatever else lies under the mount is nobody's, so that a later endpoint takes an address from no service.
pub(super) fn closed_rule(mount: &str) -> RuleSpec {
    rule(format!("{mount}/**"), Target::Nowhere, Access::Public, None)
}

fn own_rule(path: String, builtin: Builtin, access: Access, allow: &str) -> RuleSpec {
    rule(
        path,
        Target::Builtin(builtin),
        access,
        Some(allow.to_owned()),
    )
}

fn rule(path: String, target: Target, access: Access, allow: Option<String>) -> RuleSpec {
    RuleSpec {
        path,
        methods: Vec::new(),
        target,
        access,
        allow,
        allow_get_body: false,
        websocket: false,
        forward_authorization: false,
    }
}

/// Says whether every path that the pattern `path` matches lies under `prefix`.
pub(super) fn is_under(path: &str, prefix: &str) -> bool {
    match (
        Pattern::parse(&format!("{prefix}/**")),
        Pattern::parse(path),
    ) {
        (Ok(wide), Ok(narrow)) => wide.covers(&narrow),
        _ => false,
    }
}
