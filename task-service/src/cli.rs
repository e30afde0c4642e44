//! The commands, and what each ends with.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, Overrides};
use crate::server::{self, ServeError};
use crate::store::{self, BackupError, StoreError};

/// How long `healthcheck` waits.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// A small tasks-and-users service that sits behind an auth gateway.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until SIGTERM or SIGINT.
    Serve(Place),
    /// Ask the running service whether it is well.
    Healthcheck(Place),
    /// Copy the store to a new file; the service must be stopped.
    Backup {
        /// The file to make.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// The configuration file.
    #[arg(long, env = "TASK_SERVICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The folder of the store.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No copy was made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service does not run.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The service does not answer, or not well.
    #[error("{address} is not well: {cause}")]
    Unwell {
        /// Where it was asked.
        address: SocketAddr,
        /// What came back.
        cause: String,
    },
}

impl CliError {
    /// The exit status: 1 failed, 3 configuration, 4 unreachable. (2, usage, is
    /// clap's.)
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unwell { .. } => 4,
            Self::Config(_)
            | Self::Serve(ServeError::Store(StoreError::Path { .. } | StoreError::Newer { .. })) => {
                3
            }
            Self::Backup(_) | Self::Serve(_) => 1,
        }
    }

    /// What to do about it, where the message does not say so already.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        let store = match self {
            Self::Backup(BackupError::Exists(_)) => return Some("name a file that does not exist"),
            Self::Backup(BackupError::NoStore(_)) => {
                return Some("name the folder of the store with --data-dir or --config");
            }
            Self::Serve(ServeError::Listen { source, .. }) => {
                return Some(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        "stop what listens there, or choose another address with --listen"
                    }
                    _ => "choose an address of this machine with --listen",
                });
            }
            Self::Unwell { .. } => {
                return Some("start the service, or name its address with --listen");
            }
            Self::Config(_) | Self::Serve(ServeError::System(_)) => return None,
            Self::Backup(BackupError::Store(store)) | Self::Serve(ServeError::Store(store)) => {
                store
            }
        };
        match store {
            StoreError::InUse(_) => {
                Some("stop the service that runs on this store, then try again")
            }
            StoreError::Newer { .. } => {
                Some("run the newer version, or restore a backup of this one")
            }
            StoreError::Path { .. } => {
                Some("name a folder that this user may write with --data-dir")
            }
            StoreError::Redb(_) | StoreError::Damaged(_) => Some("restore a backup"),
        }
    }
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// When that fails; [`CliError::exit_code`] says how to end.
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Serve(place) => {
                let config = place.load()?;
                start_log(&config.log_level);
                Ok(server::run(&config)?)
            }
            Command::Healthcheck(place) => healthcheck(place.load()?.listen),
            Command::Backup { file, place } => Ok(store::backup(&place.load()?.data_dir, &file)?),
        }
    }
}

impl Place {
    fn load(self) -> Result<Config, ConfigError> {
        Config::load(&Overrides {
            file: self.config,
            listen: self.listen,
            data_dir: self.data_dir,
        })
    }
}

/// Logs to standard error: lines to read on a terminal, JSON to anything else.
fn start_log(level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_default();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A log that was started before stays as it is.
    let _ = if io::stderr().is_terminal() {
        log.try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
}

fn healthcheck(listen: SocketAddr) -> Result<(), CliError> {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(host, listen.port());
    let status_line = ask(address).map_err(|error| CliError::Unwell {
        address,
        cause: error.to_string(),
    })?;
    if status_line.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(CliError::Unwell {
        address,
        cause: status_line,
    })
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTH_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
    stream.set_write_timeout(Some(HEALTH_TIMEOUT))?;
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
