//! `serve`, and what is asked of a gateway that runs or has run.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Exit, Failure, HealthcheckArgs, Ran, StoreArgs, Streams};
use crate::config::{self, ServeArgs};
use crate::first_start::INITIAL_PASSWORD_FILE;
use crate::server::reachable;

/// Longest wait of a health check.
const HEALTH_TIME: Duration = Duration::from_secs(3);

pub(super) fn serve(args: &ServeArgs, env: &[(String, String)], streams: &mut Streams<'_>) -> Ran {
    let resolved = config::resolve(args, env.to_vec())?;
    let _log = crate::telemetry::init(&resolved.config.log).map_err(Failure::failed)?;
    let (args, env) = (args.clone(), env.to_vec());
    let reread = std::sync::Arc::new(move || config::resolve(&args, env.clone()));
    crate::server::run(&resolved, reread, streams.out).map_err(|error| {
        let exit = if error.is_configuration() {
            Exit::Configuration
        } else {
            Exit::Failed
        };
        Failure::Text(error.to_string(), exit)
    })?;
    Ok(Exit::Ok)
}

pub(super) fn healthcheck(
    args: &HealthcheckArgs,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    let configured = args.store.resolve(env.to_vec())?.config.server.admin_listen;
    let address = reachable(args.admin_listen.unwrap_or(configured));
    let unreachable = |what: String| Failure::Text(format!("{address}: {what}"), Exit::Unreachable);
    let status = ask(address).map_err(|e| unreachable(e.to_string()))?;
    if status.split(' ').nth(1) != Some("200") {
        return Err(unreachable(format!("not ready ({status})")));
    }
    writeln!(streams.out, "ready")?;
    Ok(Exit::Ok)
}

/// The status line of `/readyz`.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTH_TIME)?;
    stream.set_read_timeout(Some(HEALTH_TIME))?;
    stream.set_write_timeout(Some(HEALTH_TIME))?;
    write!(
        stream,
        "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

pub(super) fn initial_password(
    store: &StoreArgs,
    env: &[(String, String)],
    streams: &mut Streams<'_>,
) -> Ran {
    let path = store
        .resolve(env.to_vec())?
        .config
        .server
        .data_dir
        .join(INITIAL_PASSWORD_FILE);
    match std::fs::read_to_string(&path) {
        Ok(password) => {
            write!(streams.out, "{password}")?;
            Ok(Exit::Ok)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Failure::failed(format!(
            "{} is not there: the gateway has not run yet, the password was changed or given by you, or a day has \
             passed. `gateway user passwd admin` sets a new one",
            path.display()
        ))),
        Err(e) => Err(Failure::failed(format!(
            "{} cannot be read: {e}",
            path.display()
        ))),
    }
}
