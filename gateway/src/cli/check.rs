//! `gateway check`: every problem, or what the configuration opens.

use std::io;

use serde_json::{Value, json};

use super::{CheckArgs, Exit, Streams};
use crate::config::{self, Config, ConfigProblems, Place};

pub(super) fn run(
    args: &CheckArgs,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> io::Result<Exit> {
    match (config::resolve(&args.source, env.to_vec()), args.json) {
        (Ok(resolved), true) => {
            writeln!(streams.out, "{:#}", summary(&resolved.config))?;
            Ok(Exit::Ok)
        }
        (Ok(resolved), false) => {
            print(&resolved.config, streams)?;
            Ok(Exit::Ok)
        }
        (Err(problems), true) => {
            writeln!(streams.out, "{:#}", problems_json(&problems))?;
            Ok(Exit::Configuration)
        }
        (Err(problems), false) => Ok(super::report_problems(&problems, streams)),
    }
}

fn print(config: &Config, streams: &mut Streams<'_>) -> io::Result<()> {
    let out = &mut *streams.out;
    writeln!(out, "The configuration is valid.")?;
    writeln!(out, "clients:        http://{}", config.server.listen)?;
    writeln!(out, "administration: http://{}", config.server.admin_listen)?;
    writeln!(out, "data:           {}", config.server.data_dir.display())?;
    for upstream in &config.upstreams {
        writeln!(
            out,
            "upstream:       {} at {}",
            upstream.name,
            urls(upstream).join(", ")
        )?;
    }
    writeln!(
        out,
        "the gateway's own: {}",
        config.builtin_addresses().join(", ")
    )?;
    for line in config.public_summary() {
        writeln!(out, "{line}")?;
    }
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn urls(upstream: &config::UpstreamConfig) -> Vec<String> {
    upstream.origins.iter().map(ToString::to_string).collect()
}

fn summary(config: &Config) -> Value {
    let upstreams: Vec<Value> = config
        .upstreams
        .iter()
        .map(|u| json!({ "name": u.name, "urls": urls(u), "provision": u.provision }))
        .collect();
    json!({
        "ok": true,
        "listen": config.server.listen,
        "admin_listen": config.server.admin_listen,
        "data_dir": config.server.data_dir,
        "upstreams": upstreams,
        "builtin": config.builtin_addresses(),
        "public": config.public_summary(),
        "warnings": config.warnings,
    })
}

fn problems_json(problems: &ConfigProblems) -> Value {
    let list: Vec<Value> = problems
        .iter()
        .map(|problem| {
            let at = problems.position(problem);
            json!({
                "place": problems.place_name(problem),
                "line": at.map(|(line, _)| line),
                "column": at.map(|(_, column)| column),
                "variable": match &problem.place { Place::Env(name) => Some(name.as_str()), _ => None },
                "flag": match &problem.place { Place::Flag(name) => Some(*name), _ => None },
                "problem": problem.title,
                "help": problem.help,
            })
        })
        .collect();
    json!({ "ok": false, "problems": list })
}
