//! The command line: what can be written, and the commands that need nothing but the configuration.
//!
//! Invariants: no password is ever taken from the arguments, which other users of the machine can read;
//! every command that reads has `--json`; exit codes are those of [`Exit`] and no others.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{ConfigProblems, ServeArgs};

mod args;
mod check;
mod shell;
mod show;

pub use args::{
    AdminCommand, KeyCommand, PasswordArgs, ProvisionCommand, StoreArgs, TokenCommand, UserCommand,
};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Understood, tried, and not done.
    Failed = 1,
    /// The command line makes no sense (clap ends with this code by itself).
    Usage = 2,
    /// The configuration has problems.
    Configuration = 3,
    /// The server or an upstream could not be reached.
    Unreachable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

const EXAMPLES: &str = "\
Examples:
  gateway serve --upstream http://127.0.0.1:8000     login and tokens in front of one service
  gateway serve --config config/gateway.toml         with a configuration file
  gateway check --config config/gateway.toml         is it right, and what does it open?
  gateway explain DELETE /tasks/1/                   who may do that?
  gateway user add alice --role admin                asks for the password

Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration, 4 unreachable.";

/// Puts login, tokens and access rules in front of an HTTP service.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway.
    #[command(after_help = "\
Examples:
  gateway serve --upstream http://127.0.0.1:8000
  gateway serve --upstream http://127.0.0.1:8000 --access token
  gateway serve --config config/gateway.toml --listen 127.0.0.1:9000")]
    Serve(ServeArgs),
    /// Check the configuration and print what it opens; starts nothing.
    Check(CheckArgs),
    /// Say what the access rules make of a request, and why.
    #[command(after_help = "\
Examples:
  gateway explain GET /tasks/
  gateway explain POST /tasks/ --token \"$TOKEN\"")]
    Explain(ExplainArgs),
    /// Manage users; works beside a running gateway.
    User {
        /// What to do.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Make and look into tokens.
    Token {
        /// What to do.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Look after telling services about users.
    Provision {
        /// What to do.
        #[command(subcommand)]
        command: ProvisionCommand,
    },
    /// Look at the keys that tokens are signed with.
    Key {
        /// What to do.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Ask a running gateway whether it is ready (exit code 0, or 4).
    Healthcheck(HealthcheckArgs),
    /// Look at the configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The first administrator.
    Admin {
        /// What to do.
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "\
Example:
  gateway completions bash > /etc/bash_completion.d/gateway")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder; it must exist.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: ServeArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub source: ServeArgs,
    /// Method, in capitals as on the wire.
    pub method: String,
    /// Path with an optional query, e.g. /tasks/1/.
    pub path: String,
    /// The token of the request; `-` reads it from standard input.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The `Host` of the request.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub host: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `healthcheck`
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Which gateway.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Ask at this address instead of the configured `server.admin_listen`.
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<std::net::SocketAddr>,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every value in effect and where it comes from; secrets as `<set>`.
    Show(CheckArgs),
}

/// Where a command writes.
pub struct Streams<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Problems.
    pub err: &'a mut dyn Write,
    /// Problems may be coloured.
    pub colours: bool,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// Runs the commands that need nothing but the configuration; `None` for every other.
pub fn run_offline(
    command: &Command,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Option<Exit> {
    let ran = match command {
        Command::Check(args) => check::run(args, env, streams),
        Command::Config {
            command: ConfigCommand::Show(args),
        } => show::run(args, env, streams),
        Command::Completions { shell } => shell::completions(*shell, streams),
        Command::Man { dir } => shell::man(dir, streams),
        Command::Serve(_)
        | Command::Explain(_)
        | Command::User { .. }
        | Command::Token { .. }
        | Command::Provision { .. }
        | Command::Key { .. }
        | Command::Healthcheck(_)
        | Command::Admin { .. } => return None,
    };
    // Where nobody reads any more (a closed pipe) there is nobody to tell.
    Some(ran.unwrap_or(Exit::Failed))
}

/// Tells of a configuration that cannot be used.
pub fn report_problems(problems: &ConfigProblems, streams: &mut Streams<'_>) -> Exit {
    let text = problems.render(streams.colours);
    // The exit code says it too.
    let _ = writeln!(streams.err, "{text}");
    Exit::Configuration
}

#[cfg(test)]
mod tests;
