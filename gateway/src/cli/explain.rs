//! `gateway explain METHOD PATH`: what the rules make of a request, by the very code that serves it.

use pingora::http::RequestHeader;
use serde_json::json;

use super::storage::Storage;
use super::tokens::{read_token, snapshot};
use super::{Exit, ExplainArgs, Failure, Ran, StoreArgs, Streams};
use crate::auth::cache::TokenCache;
use crate::auth::keys::{KeyMaterial, KeyRing, TokenAlgorithm};
use crate::auth::view::View;
use crate::config::{self, Config};
use crate::decision::{Decision, Snapshot, decide};
use crate::policy::Rule;
use crate::refusal::{Refusal, Telling};
use crate::request::RequestFacts;
use crate::server::STORE_FILE;

pub(super) fn run(args: &ExplainArgs, env: &[(String, String)], streams: &mut Streams<'_>) -> Ran {
    let resolved = config::resolve(&args.source, env.to_vec())?;
    let config = &resolved.config;
    let token = args.token.as_deref().map(read_token).transpose()?;
    let snapshot = match &token {
        None => without_store(config)?,
        Some(_) if !config.server.data_dir.join(STORE_FILE).exists() => {
            return Err(Failure::failed(
                "a token can only be judged by the store that it was made with: there is none",
            ));
        }
        Some(_) => {
            let store = StoreArgs {
                config: args.source.config.clone(),
                data_dir: args.source.data_dir.clone(),
            };
            // The rules are those that were asked about (`--access`); the store knows keys and users.
            Snapshot {
                policy: config.policy.clone().into(),
                ..snapshot(&Storage::open(&store, env)?)?
            }
        }
    };
    let header = header(args, config, token.as_deref())?;
    let limits = config.server.limits.head();
    let (rule, decision) =
        match RequestFacts::parse(&header, None, false, &limits, &snapshot.habits.grammar) {
            Ok(facts) => {
                let judgement = decide(&snapshot, &facts, crate::clock::now());
                (
                    judgement.rule.and_then(|id| snapshot.policy.rule(id)),
                    judgement.decision,
                )
            }
            Err(why) => (None, Decision::Refuse(Refusal::BadRequest(why))),
        };
    tell(args, config, &snapshot, rule, &decision, streams)
}

/// Rules alone: without a token, neither keys nor users matter.
fn without_store(config: &Config) -> Result<Snapshot, Failure> {
    let any = KeyMaterial {
        kid: String::new(),
        algorithm: TokenAlgorithm::Hs256,
        bytes: vec![0; 32].into(),
    };
    Ok(Snapshot {
        policy: config.policy.clone().into(),
        habits: config.auth.habits.clone().into(),
        token_rules: config.token_rules().into(),
        keys: KeyRing::new(&[any]).map_err(Failure::failed)?.into(),
        view: View::default().into(),
        external: config.auth.external.clone().into(),
        tokens: TokenCache::new(0).into(),
        cors: config.cors.clone(),
    })
}

fn header(
    args: &ExplainArgs,
    config: &Config,
    token: Option<&str>,
) -> Result<RequestHeader, Failure> {
    let usage = |what: &str| Failure::Text(format!("this is no {what}"), Exit::Usage);
    let mut header = RequestHeader::build(args.method.as_str(), args.path.as_bytes(), None)
        .map_err(|_| usage("method and path"))?;
    header.set_version(http::Version::HTTP_11);
    header
        .insert_header(http::header::HOST, args.host.as_str())
        .map_err(|_| usage("host name"))?;
    if let Some(token) = token {
        let scheme = &config.auth.habits.challenge;
        header
            .insert_header(http::header::AUTHORIZATION, format!("{scheme} {token}"))
            .map_err(|_| usage("token"))?;
    }
    Ok(header)
}

fn tell(
    args: &ExplainArgs,
    config: &Config,
    snapshot: &Snapshot,
    rule: Option<&Rule>,
    decision: &Decision,
    streams: &mut Streams<'_>,
) -> Ran {
    let route = rule.map(|rule| {
        let methods: Vec<&str> = rule.methods().collect();
        let methods = if methods.is_empty() {
            "all methods".to_owned()
        } else {
            methods.join(", ")
        };
        format!("{} ({methods}), access {}", rule.path(), rule.access)
    });
    let (verdict, status, why) = match decision {
        Decision::Answer(builtin, _) => (
            "answer",
            None,
            format!("the gateway answers itself: {builtin:?}"),
        ),
        Decision::Preflight(answer) => (
            "answer",
            Some(answer.status),
            "the gateway answers this preflight itself".to_owned(),
        ),
        Decision::Forward(permit) => {
            let upstream = config.upstreams.get(permit.upstream().index());
            let name = upstream.map(|u| u.name.clone()).unwrap_or_default();
            let who = permit.identity().map_or_else(
                || "anonymous".to_owned(),
                |verified| verified.identity().to_string(),
            );
            ("forward", None, format!("forwarded to {name} as {who}"))
        }
        Decision::Refuse(refusal) => {
            let answer = refusal.answer(Telling {
                habits: &snapshot.habits,
                allow: None,
            });
            ("refuse", Some(answer.status), refusal.to_string())
        }
    };
    // A preflight has headers that no command line names, and another verdict.
    let unreached = matches!(
        decision,
        Decision::Refuse(Refusal::NoRoute | Refusal::Misdirected | Refusal::BadRequest(_))
    );
    let note = (config.cors.is_some() && args.method == "OPTIONS" && !unreached)
        .then_some("a browser's preflight is answered by the gateway from [cors] instead");
    if args.json {
        let mut body = json!({ "decision": verdict, "status": status, "why": why, "route": route });
        if let (Some(note), Some(object)) = (note, body.as_object_mut()) {
            object.insert("note".to_owned(), note.into());
        }
        writeln!(streams.out, "{body:#}")?;
    } else {
        writeln!(
            streams.out,
            "route:    {}",
            route.as_deref().unwrap_or("none")
        )?;
        let status = status.map(|s| format!(" with {s}")).unwrap_or_default();
        writeln!(streams.out, "decision: {verdict}{status}: {why}")?;
        if let Some(note) = note {
            writeln!(streams.out, "note:     {note}")?;
        }
    }
    Ok(Exit::Ok)
}
