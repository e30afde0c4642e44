//! The flags that say where the configuration comes from, shared by every command that needs one.

use std::path::PathBuf;

/// Where the configuration comes from, and what a flag overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct ServeArgs {
    /// The configuration file (or the environment variable GATEWAY_CONFIG).
    #[arg(long, short = 'c', value_name = "FILE", conflicts_with = "upstream")]
    pub config: Option<PathBuf>,
    /// Run without a file: put login and tokens in front of this one service.
    #[arg(long, short = 'u', value_name = "URL")]
    pub upstream: Option<String>,
    /// With --upstream: who may do what without a token.
    ///
    /// read-public (the default): everyone may GET and HEAD, everything else needs a token.
    /// token: everything needs a token.
    #[arg(long, value_name = "ACCESS", requires = "upstream", value_parser = ["read-public", "token"])]
    pub access: Option<String>,
    /// Where clients connect (without a file: 127.0.0.1:8080).
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Where /livez, /readyz and /metrics are served (without a file: 127.0.0.1:9901).
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// The folder that holds users, keys and the first password (without a file: ~/.local/state/gateway).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// For trying things out on this machine only: short passwords such as admin/admin work.
    ///
    /// Binds to loopback addresses alone and marks the data folder, so that a normal start refuses
    /// it until those passwords are changed. There is no key and no variable for this.
    #[arg(long)]
    pub insecure_dev: bool,
}
