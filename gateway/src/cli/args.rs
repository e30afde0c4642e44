//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, ConfigProblems, Resolved, ServeArgs};

mod selftest;

pub use selftest::SelftestArgs;

const EXAMPLES: &str = "\
Examples:
  gateway serve --upstream http://127.0.0.1:8000     login and tokens in front of one service
  gateway serve --config config/gateway.toml         with a configuration file
  gateway check --config config/gateway.toml         is it right, and what does it open?
  gateway explain DELETE /tasks/1/ --config config/gateway.toml      who may do that?
  gateway user add alice --role admin                asks for the password
  gateway admin initial-password                     the password that the first start made

Commands about users, tokens and keys work on the data folder, beside a running gateway or without one.
Name it as the gateway was started: with the same --config or --data-dir; without them it is the
folder of a gateway that was started with --upstream.

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
  gateway explain GET /tasks/ --config config/gateway.toml
  gateway explain POST /tasks/ --config config/gateway.toml --token \"$TOKEN\"
  gateway explain DELETE /anything --upstream http://127.0.0.1:8000")]
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
    /// See what services were told about users, and tell them again.
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
    /// Send the attack corpus to a running gateway and say which security properties it holds.
    #[command(after_help = selftest::HELP)]
    Selftest(SelftestArgs),
    /// Look at the configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look up the first administrator's password.
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

/// Which store a command works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct StoreArgs {
    /// The configuration file (or the environment variable GATEWAY_CONFIG).
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder that holds users and keys, instead of the configured or the default one.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl StoreArgs {
    /// The configuration whose store is meant. Without a file it is what a start with `--upstream`
    /// would use, so that `gateway user add` works beside one.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub fn resolve(
        &self,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Resolved, ConfigProblems> {
        let env: Vec<(String, String)> = env.into_iter().collect();
        let has_file = self.config.is_some()
            || env
                .iter()
                .any(|(name, value)| name == "GATEWAY_CONFIG" && !value.is_empty());
        let args = ServeArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            // Nothing connects to it: a configuration has at least one upstream.
            upstream: (!has_file).then(|| "http://127.0.0.1:1".to_owned()),
            ..ServeArgs::default()
        };
        config::resolve(&args, env)
    }
}

/// Where a password comes from: a prompt unless one of these is given. Never the command line itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input (one line).
    #[arg(long, conflicts_with = "password_file")]
    pub password_stdin: bool,
    /// Read the password from a file (without its last newline).
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user; asks for the password.
    #[command(after_help = "\
Examples:
  gateway user add alice --role admin --email alice@example.com
  gateway user add robot --password-file robot.password")]
    Add {
        /// Name to log in with.
        name: String,
        /// A role; may be given several times. `admin` may manage users.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// E-mail address.
        #[arg(long, value_name = "ADDRESS", default_value = "")]
        email: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List users.
    List {
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password; the user's tokens stop working at once.
    Passwd {
        /// Name of the user.
        name: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArgs,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Let a user log in again.
    Enable {
        /// Name of the user.
        name: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Keep a user out; its tokens stop working at once.
    Disable {
        /// Name of the user.
        name: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove a user for good. Its number is never given out again.
    Remove {
        /// Name of the user.
        name: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Change a user's roles or e-mail address.
    #[command(
        group(clap::ArgGroup::new("change").required(true).multiple(true).args(["roles", "no_roles", "email"])),
        after_help = "\
Examples:
  gateway user set alice --role admin --role editor
  gateway user set alice --no-roles --email alice@example.com"
    )]
    Set {
        /// Name of the user.
        name: String,
        /// A role; may be given several times. The roles given replace all earlier ones.
        #[arg(long = "role", value_name = "ROLE", conflicts_with = "no_roles")]
        roles: Vec<String>,
        /// Take all roles away.
        #[arg(long)]
        no_roles: bool,
        /// E-mail address.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a user without the password, as a log-in would make it.
    Mint {
        /// Name of the user.
        name: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what a token holds and whether it is valid now.
    Inspect {
        /// The token; `-` reads it from standard input.
        token: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `provision …`
#[derive(Debug, Subcommand)]
pub enum ProvisionCommand {
    /// Show how far each service has been told, and what it refused.
    Status {
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send again what a service refused.
    Retry {
        /// Name of the upstream.
        upstream: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Send every user again.
    Resync {
        /// Name of the upstream.
        upstream: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// `key …`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List key ids, algorithms and ages.
    List {
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
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

/// `admin …`
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Print the random password that the first start made, while its file is there.
    InitialPassword {
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
}
