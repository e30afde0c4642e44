//! What a person sees at start: where it listens, what is open, where the first password lies, what to try.

use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;

use crate::config::{Config, Profile};
use crate::first_start::Prepared;

/// Writes the two machine-readable lines (`listening on …`, `admin on …`) and, for people, the rest.
pub(super) fn write(
    out: &mut dyn Write,
    config: &Config,
    prepared: &Prepared,
    address: SocketAddr,
    admin: SocketAddr,
) {
    let text = text(config, prepared, address, admin);
    // Nobody may be reading; that is no reason not to serve.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(%address, %admin, "listening");
}

fn text(config: &Config, prepared: &Prepared, address: SocketAddr, admin: SocketAddr) -> String {
    let mut text = format!("listening on {address}\nadmin on {admin}\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("\nopen without a token:"));
    for open in config.public_summary() {
        line(format_args!("  {open}"));
    }
    line(format_args!("answered by the gateway itself:"));
    for own in config.builtin_addresses() {
        line(format_args!("  {own}"));
    }
    if let Some(file) = &prepared.initial_password_file {
        line(format_args!(
            "\nthe first password of the user `admin` lies in {}",
            file.display()
        ));
    }
    let password = match &prepared.initial_password_file {
        Some(file) => format!("$(cat {})", file.display()),
        None => "<password>".to_owned(),
    };
    let scheme = match config.auth.profile {
        Profile::Standard => "Bearer",
        Profile::DrfJwt => "JWT",
    };
    let mount = &config.auth.mount;
    let http = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    line(format_args!("\ntry it:"));
    line(format_args!(
        "  curl -s {http}://{address}{mount}/ -d username=admin --data-urlencode \"password={password}\""
    ));
    line(format_args!(
        "  curl -si {http}://{address}/ -X POST -H \"Authorization: {scheme} <token>\""
    ));
    text
}
