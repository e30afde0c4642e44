//! Arguments of the commands that work on the store.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{self, ConfigProblems, Resolved, ServeArgs};

/// Which store a command works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct StoreArgs {
    /// The configuration file (or the environment variable GATEWAY_CONFIG).
    #[arg(long, short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder that holds users and keys.
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
        /// A role; may be given several times.
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
    /// Make a token for a user, as a log-in would.
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

/// `admin …`
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Print the random password that the first start made.
    InitialPassword {
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
}
