//! The command line: what can be written, and the commands that need nothing but the configuration.
//!
//! Invariants: no password is ever taken from the arguments, which other users of the machine can read;
//! every command that reads has `--json`; exit codes are those of [`Exit`] and no others.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::config::{self, ConfigProblems};

mod args;
mod check;
mod explain;
mod keys;
mod provision;
mod running;
mod selftest;
mod shell;
mod show;
mod storage;
mod tokens;
mod users;

pub use args::{
    AdminCommand, CheckArgs, Cli, Command, ConfigCommand, ExplainArgs, HealthcheckArgs, KeyCommand,
    PasswordArgs, ProvisionCommand, SelftestArgs, StoreArgs, TokenCommand, UserCommand,
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

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let env = config::process_env();
    let colours = std::io::stderr().is_terminal();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut streams = Streams {
        out: &mut out,
        err: &mut err,
        colours,
    };
    let exit = run_offline(&cli.command, &env, &mut streams)
        .unwrap_or_else(|| run(&cli.command, &env, &mut streams));
    exit.into()
}

/// Runs the commands that need a store or a running gateway.
fn run(command: &Command, env: &[(String, String)], streams: &mut Streams<'_>) -> Exit {
    let ran = match command {
        Command::Serve(args) => running::serve(args, env, streams),
        Command::Healthcheck(args) => running::healthcheck(args, env, streams),
        Command::Selftest(args) => selftest::run(args, streams),
        Command::Admin {
            command: AdminCommand::InitialPassword { store },
        } => running::initial_password(store, env, streams),
        Command::Explain(args) => explain::run(args, env, streams),
        Command::User { command } => users::run(command, env, streams),
        Command::Token { command } => tokens::run(command, env, streams),
        Command::Key {
            command: KeyCommand::List { store, json },
        } => keys::list(store, *json, env, streams),
        Command::Provision { command } => provision::run(command, env, streams),
        Command::Check(_)
        | Command::Config { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(Exit::Ok),
    };
    ran.unwrap_or_else(|failure| failure.tell(streams))
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
enum Failure {
    /// The configuration cannot be used.
    Problems(ConfigProblems),
    /// Anything else: what to say, and the exit code.
    Text(String, Exit),
}

impl Failure {
    fn failed(text: impl std::fmt::Display) -> Self {
        Self::Text(text.to_string(), Exit::Failed)
    }

    fn tell(self, streams: &mut Streams<'_>) -> Exit {
        match self {
            Self::Problems(problems) => report_problems(&problems, streams),
            Self::Text(text, exit) => {
                // The exit code says it too.
                let _ = writeln!(streams.err, "error: {text}");
                exit
            }
        }
    }
}

impl From<ConfigProblems> for Failure {
    fn from(problems: ConfigProblems) -> Self {
        Self::Problems(problems)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

/// Result of a command.
type Ran = Result<Exit, Failure>;

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
        | Command::Selftest(_)
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
