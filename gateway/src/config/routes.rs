//! `[[routes]]`, behind the rules of the gateway's own endpoints.
//!
//! Invariant: every address under `auth.mount` is the gateway's own. No route opens, shadows or
//! forwards one.

use super::own::{builtin_rules, closed_rule, is_under};
use super::problem::{Place, Problem};
use super::reader::Reader;
use super::{AuthConfig, UpstreamConfig, hosts, schema};
use crate::policy::{
    Access, Builtin, Policy, RuleField, RuleProblem, RuleSpec, Target, UpstreamId,
};

const BUILTINS: &[(&str, Builtin)] = &[
    ("users", Builtin::Users),
    ("login", Builtin::Login),
    ("refresh", Builtin::Refresh),
    ("verify", Builtin::Verify),
    ("jwks", Builtin::Jwks),
];

/// A rule on its way into the policy, and the `[[routes]]` it comes from (`None`: the gateway's own).
struct Draft {
    spec: RuleSpec,
    route: Option<usize>,
}

/// Reads the routes and compiles the policy; an empty policy where a problem was noted.
pub(super) fn read(
    reader: &mut Reader<'_>,
    auth: &AuthConfig,
    upstreams: &[UpstreamConfig],
    insecure_dev: bool,
    warnings: &mut Vec<String>,
) -> Policy {
    let hosts = hosts::read(reader, insecure_dev);
    if reader.routes.is_empty() {
        reader.problem(Problem::new(
            Place::Absent,
            "there are no routes, so nobody would reach anything",
            "add one: [[routes]] with `path = \"/**\"`, `upstream = \"NAME\"` and `access = \"read-public\"`",
        ));
    }
    let mut routes = Vec::new();
    for (index, place) in reader.routes.clone().into_iter().enumerate() {
        if let Some(spec) = route(reader, index, place, auth, upstreams) {
            routes.push(Draft {
                spec,
                route: Some(index),
            });
        }
    }
    unused_upstreams(reader, &routes, upstreams, warnings);

    // First match wins: our own addresses, then what a route adds below the mount (builtins only),
    // then nothing else below the mount, then the services.
    let under = |draft: &Draft| is_under(&draft.spec.path, &auth.mount);
    let (own, rest): (Vec<Draft>, Vec<Draft>) = routes.into_iter().partition(under);
    let mut drafts: Vec<Draft> = builtin_rules(auth)
        .into_iter()
        .map(|spec| Draft { spec, route: None })
        .collect();
    drafts.extend(own);
    drafts.push(Draft {
        spec: closed_rule(&auth.mount),
        route: None,
    });
    drafts.extend(rest);

    guarded_builtins(reader, &drafts, upstreams);
    let places: Vec<Option<usize>> = drafts.iter().map(|draft| draft.route).collect();
    let specs: Vec<RuleSpec> = drafts.into_iter().map(|draft| draft.spec).collect();
    let guarded: Vec<String> = upstreams
        .iter()
        .filter_map(|u| u.provision.clone())
        .collect();
    Policy::compile(specs, hosts, &guarded).unwrap_or_else(|problems| {
        for problem in problems {
            let noted = rule_problem(reader, &places, problem);
            reader.problem(noted);
        }
        Policy::default()
    })
}

fn route(
    reader: &mut Reader<'_>,
    index: usize,
    place: Place,
    auth: &AuthConfig,
    upstreams: &[UpstreamConfig],
) -> Option<RuleSpec> {
    let key = |name: &str| format!("routes.{index}.{name}");
    let target = target(reader, index, &place, upstreams);
    let access = access(reader, index);
    let spec = RuleSpec {
        path: reader.get(&key("path"), String::new()),
        methods: match reader.list(&key("methods")) {
            Some(items) => items.into_iter().map(|(text, _)| text).collect(),
            None => Vec::new(),
        },
        target,
        access,
        allow: reader.optional(&key("allow")),
        allow_get_body: reader.get(&key("allow_get_body"), false),
        websocket: reader.get(&key("websocket"), false),
        forward_authorization: reader.get(&key("forward_authorization"), false),
    };
    if !reader.has(&key("path")) {
        reader.problem(Problem::new(
            place,
            "this route has no `path`",
            "write which addresses it is for: `path = \"/tasks/**\"`",
        ));
        return None;
    }
    if reader.has(&key("methods")) && spec.methods.is_empty() {
        reader.wrong(
            &key("methods"),
            "the list is empty, so nothing would match",
            "name methods, or remove the key: then every method is meant",
        );
    }
    let header_safe = |c: char| c.is_ascii() && !c.is_ascii_control();
    if spec
        .allow
        .as_deref()
        .is_some_and(|a| !a.chars().all(header_safe))
    {
        reader.wrong(
            &key("allow"),
            "it goes into a header",
            "write methods: \"GET, POST, HEAD, OPTIONS\"",
        );
    }
    if matches!(spec.target, Target::Upstream(_)) {
        if is_under(&spec.path, &auth.mount) {
            reader.wrong(
                &key("path"),
                format!(
                    "`{}` lies under `{}`, where the gateway's own endpoints are",
                    spec.path, auth.mount
                ),
                "choose another path, or move the endpoints with `mount` in [auth]",
            );
            return None;
        }
        let provision = upstreams
            .iter()
            .find_map(|u| u.provision.as_ref().filter(|p| is_under(&spec.path, p)));
        if let Some(prefix) = provision {
            reader.wrong(
                &key("path"),
                format!(
                    "no client reaches `{}`: the gateway keeps users in step under `{prefix}`",
                    spec.path
                ),
                "remove this route, or move `provision`",
            );
            return None;
        }
    }
    Some(spec)
}

fn target(
    reader: &mut Reader<'_>,
    index: usize,
    place: &Place,
    upstreams: &[UpstreamConfig],
) -> Target {
    let (upstream_key, builtin_key) = (
        format!("routes.{index}.upstream"),
        format!("routes.{index}.builtin"),
    );
    let upstream: Option<String> = reader.optional(&upstream_key);
    let builtin: Option<String> = reader.optional(&builtin_key);
    match (upstream, builtin) {
        (Some(_), Some(_)) => {
            let problem = Problem::new(
                reader.place(&builtin_key),
                "this route has both `upstream` and `builtin`",
                "keep the one that shall answer",
            )
            .related(reader.place(&upstream_key), "and this");
            reader.problem(problem);
        }
        (None, None) if !reader.has(&upstream_key) && !reader.has(&builtin_key) => {
            reader.problem(Problem::new(
                place.clone(),
                "this route says not what answers",
                "add `upstream = \"NAME\"` for a service, or `builtin = \"users\"` for the gateway's own",
            ));
        }
        (None, None) => {}
        (Some(name), None) => match upstreams.iter().position(|u| u.name == name) {
            Some(at) => {
                return Target::Upstream(UpstreamId::new(u16::try_from(at).unwrap_or(u16::MAX)));
            }
            None => unknown_upstream(reader, &upstream_key, &name, upstreams),
        },
        (None, Some(name)) => match BUILTINS.iter().find(|(known, _)| *known == name) {
            Some((_, builtin)) => return Target::Builtin(*builtin),
            None => {
                let names: Vec<&str> = BUILTINS.iter().map(|(n, _)| *n).collect();
                let help = match schema::nearest(&name, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it can be {}", names.join(", ")),
                };
                reader.wrong(&builtin_key, format!("the gateway has no `{name}`"), help);
            }
        },
    }
    // A problem was noted: the policy is compiled for its own problems and then thrown away.
    Target::Nowhere
}

fn unknown_upstream(reader: &mut Reader<'_>, key: &str, name: &str, upstreams: &[UpstreamConfig]) {
    let names: Vec<&str> = upstreams.iter().map(|u| u.name.as_str()).collect();
    let help = match schema::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => {
            format!("add [upstreams.{name}] with `urls = [\"http://host:8000\"]`")
        }
        None => format!("there is {}; or add [upstreams.{name}]", names.join(", ")),
    };
    reader.wrong(key, format!("there is no upstream `{name}`"), help);
}

fn access(reader: &mut Reader<'_>, index: usize) -> Access {
    const NAMES: [(&str, Access); 3] = [
        ("public", Access::Public),
        ("read-public", Access::ReadPublic),
        ("token", Access::Token),
    ];
    let key = format!("routes.{index}.access");
    let roles_key = format!("{key}.roles");
    if let Some(roles) = reader.list(&roles_key) {
        if roles.is_empty() {
            reader.wrong(
                &roles_key,
                "the list is empty, so nobody would be let in",
                "name at least one role, e.g. `{ roles = [\"admin\"] }`",
            );
        }
        for (role, place) in &roles {
            if role.is_empty()
                || role.contains(',')
                || role.chars().any(|c| c.is_control() || c.is_whitespace())
            {
                reader.problem(Problem::new(
                    place.clone(),
                    format!("`{role}` is not the name of a role"),
                    "write one word, e.g. \"admin\"",
                ));
            }
        }
        return Access::Roles(roles.into_iter().map(|(role, _)| role).collect());
    }
    let text = reader.get(&key, "token".to_owned());
    if let Some((_, access)) = NAMES.iter().find(|(name, _)| *name == text) {
        return access.clone();
    }
    let help = match schema::nearest(&text.replace('_', "-"), NAMES.iter().map(|(name, _)| *name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "it can be `public`, `read-public`, `token` or `{ roles = [\"admin\"] }`".to_owned()
        }
    };
    reader.wrong(&key, format!("`{text}` is no kind of access"), help);
    Access::Token
}

/// A provisioning prefix closes everything below it, and must not close the gateway's own addresses.
fn guarded_builtins(reader: &mut Reader<'_>, drafts: &[Draft], upstreams: &[UpstreamConfig]) {
    for upstream in upstreams {
        let Some(prefix) = &upstream.provision else {
            continue;
        };
        let closed = drafts.iter().find(|d| {
            matches!(d.spec.target, Target::Builtin(_)) && is_under(&d.spec.path, prefix)
        });
        if let Some(draft) = closed {
            reader.wrong(
                &format!("upstreams.{}.provision", upstream.name),
                format!(
                    "no client could reach the gateway's own `{}` any more",
                    draft.spec.path
                ),
                "choose a prefix of its own, e.g. \"/people\"",
            );
        }
    }
}

fn unused_upstreams(
    reader: &Reader<'_>,
    routes: &[Draft],
    upstreams: &[UpstreamConfig],
    warnings: &mut Vec<String>,
) {
    for (index, upstream) in upstreams.iter().enumerate() {
        let used = routes
            .iter()
            .any(|d| matches!(d.spec.target, Target::Upstream(id) if id.index() == index));
        let broken = reader
            .problems
            .iter()
            .any(|p| p.title.contains("no upstream"));
        if !used && !broken {
            warnings.push(format!(
                "no route leads to upstream `{}`: add one, or remove [upstreams.{}]",
                upstream.name, upstream.name
            ));
        }
    }
}

/// Where in the file a problem of the policy lies.
fn rule_problem(reader: &Reader<'_>, places: &[Option<usize>], problem: RuleProblem) -> Problem {
    let field = match problem.field {
        RuleField::Path => "path",
        RuleField::Methods => "methods",
    };
    let route = |rule: usize| places.get(rule).copied().flatten();
    let place = route(problem.rule).map_or(Place::Absent, |index| {
        reader.place(&format!("routes.{index}.{field}"))
    });
    match problem.other {
        None => Problem::new(place, problem.text, problem.help),
        Some(other) => match route(other) {
            Some(index) => Problem::new(place, problem.text, problem.help).related(
                reader.place(&format!("routes.{index}.path")),
                "this one comes first",
            ),
            None => Problem::new(
                place,
                "this address is the gateway's own, so the route can never match",
                "choose another path; `gateway check` lists the gateway's own addresses",
            ),
        },
    }
}
