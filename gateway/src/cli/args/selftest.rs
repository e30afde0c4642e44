//! `selftest`

use std::path::PathBuf;

use clap::Args;

use crate::selftest::{Property, properties};

pub(super) const HELP: &str = "\
Examples:
  gateway selftest --target http://127.0.0.1:8080
  gateway selftest --target http://127.0.0.1:8080 --path /tasks/ --token-file token
  gateway selftest --target https://127.0.0.1:8443 --host tasks.example.com --cacert ca.pem
  gateway selftest --target http://127.0.0.1:8080 --property P001 --property P031 --json

With the token that you give nothing is sent but reads, and one POST to the gateway's own verify/. Every
write goes without one to an address that is made up for the run: a gateway that holds refuses it, one
that does not passes it on to the service. More in docs/SELFTEST.md.

Exit codes: 0 nothing is not held, 1 something is not held or nothing is held, 2 usage, 4 unreachable.";

/// `selftest`
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// The gateway: http://HOST:PORT or https://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// An address of the service that is open for reading; what is below it needs a token to be written.
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = path)]
    pub path: String,
    /// An address that everyone may read, if --path is none.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub open_path: Option<String>,
    /// An address that needs a token to be read, instead of the gateway's own users/.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub closed_path: Option<String>,
    /// An open address whose answer shows the request that the service was sent, headers and all.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub echo_path: Option<String>,
    /// Where the gateway's own addresses lie: `auth.mount`.
    #[arg(long, value_name = "PATH", default_value = "/api-auth", value_parser = path)]
    pub mount: String,
    /// The name to say in `Host` and TLS, where it is not the target's.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// A user who exists, for one log-in with a wrong password; without it the one that the token names.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read a valid token from a file; `gateway token mint NAME` makes one.
    #[arg(long, value_name = "FILE", conflicts_with = "token_stdin")]
    pub token_file: Option<PathBuf>,
    /// Read a valid token from standard input.
    #[arg(long)]
    pub token_stdin: bool,
    /// Only this property, e.g. P031; may be given several times.
    #[arg(long = "property", value_name = "P", value_parser = property)]
    pub properties: Vec<Property>,
    /// Longest wait for an answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=120))]
    pub timeout: u64,
    /// Also what takes long: heads that dribble in (up to a minute).
    #[arg(long)]
    pub slow: bool,
    /// Believe certificates that these (PEM) vouch for, and no others.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub cacert: Option<PathBuf>,
    /// Believe any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// Yes, the target is on another machine, and you may attack it.
    #[arg(long)]
    pub yes_remote: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn path(text: &str) -> Result<String, String> {
    let fits = text.starts_with('/')
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#{}\"<>\\".contains(&b));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a path begins with / and has no query".to_owned())
    }
}

/// `P031`, `p31` or `31`.
fn property(text: &str) -> Result<Property, String> {
    let number = text
        .trim_start_matches(['P', 'p'])
        .parse::<u8>()
        .ok()
        .map(Property);
    let known = properties();
    match number {
        Some(property) if known.iter().any(|(known, _)| *known == property) => Ok(property),
        _ => {
            let all: Vec<String> = known.iter().map(|(known, _)| known.to_string()).collect();
            Err(format!("a client can see these: {}", all.join(", ")))
        }
    }
}
