//! `gateway selftest`: the attack corpus against a running gateway, and what was found.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::{Exit, Failure, Ran, SelftestArgs, Streams};
use crate::selftest::{self, Found, Options, Report, Target, Trust, Verdict};

/// More than any token.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

pub(super) fn run(args: &SelftestArgs, streams: &mut Streams<'_>) -> Ran {
    let usage = |text: String| Failure::Text(text, Exit::Usage);
    let trust = match &args.cacert {
        _ if args.insecure => Trust::Anything,
        Some(path) => Trust::File(path),
        None => Trust::System,
    };
    let target =
        Target::find(&args.target, args.host.as_deref(), trust).map_err(|error| match error {
            selftest::TargetError::Certificates(_) => Failure::failed(error),
            selftest::TargetError::Lookup { .. } => unreachable(args, &error),
            _ => usage(error.to_string()),
        })?;
    if !target.is_loopback() && !args.yes_remote {
        return Err(usage(format!(
            "{} is not on this machine. This would send it some hundreds of hostile requests, at most fifty a second: malformed \
             messages, paths and tokens, two failing log-ins, and writes without a token to addresses that are made up. \
             If it is yours, or you may: --yes-remote",
            target.url()
        )));
    }
    let options = options(args)?;
    let shows_progress = io::stderr().is_terminal();
    let err = &mut *streams.err;
    let report = selftest::run(&target, &options, |done, all| {
        if shows_progress {
            // Decoration: where it cannot be written nothing is lost.
            let _ = write!(err, "\r{done}/{all} ").and_then(|()| err.flush());
        }
    });
    if shows_progress {
        let _ = write!(streams.err, "\r\x1b[K");
    }
    let report = report.map_err(|why| unreachable(args, &why))?;
    if args.json {
        let text = serde_json::to_string_pretty(&report).map_err(Failure::failed)?;
        writeln!(streams.out, "{text}")?;
    } else {
        print(&report, streams.out)?;
    }
    let summary = report.summary;
    Ok(if summary.not_held > 0 || summary.held == 0 {
        Exit::Failed
    } else {
        Exit::Ok
    })
}

fn unreachable(args: &SelftestArgs, why: &dyn std::fmt::Display) -> Failure {
    Failure::Text(format!("{}: {why}", args.target), Exit::Unreachable)
}

fn options(args: &SelftestArgs) -> Result<Options, Failure> {
    let token = match &args.token_file {
        Some(path) => Some(read_token(path)?),
        None if args.token_stdin => Some(read(io::stdin().lock())?),
        None => None,
    };
    if token
        .as_ref()
        .is_some_and(|token| token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(Failure::Text(
            "what was given as a token is none".to_owned(),
            Exit::Usage,
        ));
    }
    Ok(Options {
        path: args.path.clone(),
        open_path: args.open_path.clone(),
        closed_path: args.closed_path.clone(),
        echo_path: args.echo_path.clone(),
        mount: args.mount.clone(),
        user: args.user.clone(),
        token,
        properties: args.properties.clone(),
        timeout: Duration::from_secs(args.timeout),
        slow: args.slow,
    })
}

fn read_token(path: &Path) -> Result<String, Failure> {
    std::fs::File::open(path)
        .and_then(read)
        .map_err(|e| Failure::failed(format!("{} cannot be read: {e}", path.display())))
}

fn read(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_TOKEN_BYTES).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    print_found(&report.target, &report.found, out)?;
    for line in &report.properties {
        let cases = match (line.verdict, line.cases) {
            (Verdict::CouldNotTell, _) => String::new(),
            (_, 1) => "(1 case)".to_owned(),
            (_, cases) => format!("({cases} cases)"),
        };
        writeln!(
            out,
            "{}  {:<14}  {cases:<11}  {}",
            line.property, line.verdict, line.title
        )?;
        for failure in &line.failures {
            writeln!(out, "      {}: {}", failure.case, failure.why)?;
            writeln!(out, "        sent:     {}", failure.sent)?;
            writeln!(out, "        expected: {}", failure.expected)?;
            writeln!(out, "        got:      {}", failure.got)?;
        }
        for reason in line
            .reasons
            .iter()
            .filter(|_| line.verdict == Verdict::CouldNotTell)
        {
            writeln!(out, "      {reason}")?;
        }
    }
    let summary = report.summary;
    writeln!(
        out,
        "\n{} held, {} not held, {} could not tell; {} connections",
        summary.held, summary.not_held, summary.could_not_tell, report.connections
    )
}

fn print_found(target: &str, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none found".to_owned());
    writeln!(out, "target:              {target}")?;
    writeln!(out, "open for reading:    {}", or_none(&found.open))?;
    writeln!(out, "closed for reading:  {}", or_none(&found.closed))?;
    writeln!(out, "closed for writing:  {}", or_none(&found.write))?;
    writeln!(out, "scheme:              {}", or_none(&found.scheme))?;
    writeln!(out, "log-in:              {}", or_none(&found.login))?;
    writeln!(
        out,
        "token:               {}\n",
        if found.token { "valid" } else { "none" }
    )
}
