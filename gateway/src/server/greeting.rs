//! What a person sees at start: where it listens, what is open, where the first password lies, what to try.

use std::fmt::Write as _;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{Config, Profile};
use crate::first_start::{ADMIN_NAME, Prepared};

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
    let mut text = format!("listening on {address}\nadmin on {admin}\n\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    for open in config.public_summary() {
        line(format_args!("{open}"));
    }
    line(format_args!(
        "everything else needs a token, or is refused\n\nanswered by the gateway itself, never forwarded:"
    ));
    for own in config.builtin_addresses() {
        line(format_args!("  {own}"));
    }
    let password = match &prepared.initial_password_file {
        Some(file) => {
            line(format_args!(
                "\nthe password of the user `{ADMIN_NAME}` lies in {} (for a day, or until it is changed)",
                file.display()
            ));
            format!("$(cat {})", quoted(&file.to_string_lossy()))
        }
        None if config.server.insecure_dev && config.auth.admin_password.is_none() => {
            ADMIN_NAME.to_owned()
        }
        None => "<password>".to_owned(),
    };
    let scheme = match config.auth.profile {
        Profile::Standard => "Bearer",
        Profile::DrfJwt => "JWT",
    };
    let http = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{http}://{}{}", reachable(address), config.auth.mount);
    line(format_args!(
        "\ntry it: log in, then use the token; without it the second line is answered 401"
    ));
    line(format_args!(
        "  token=$(curl -s {url}/ -d username={ADMIN_NAME} --data-urlencode \"password={password}\" | {TOKEN_OF_ANSWER})"
    ));
    line(format_args!(
        "  curl -i {url}/users/ -H \"Authorization: {scheme} $token\""
    ));
    text
}

/// Takes the token out of the answer to a log-in, with nothing but what every machine has.
const TOKEN_OF_ANSWER: &str = r#"sed 's/.*"token":"\([^"]*\)".*/\1/'"#;

/// One word of a shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Where this machine reaches a listener: on every address means on the loopback one as well.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ServeArgs, resolve};

    fn greeting(data_dir: &str, listen: &str, insecure_dev: bool, file: Option<&str>) -> String {
        let args = ServeArgs {
            upstream: Some("http://127.0.0.1:9".to_owned()),
            data_dir: Some(data_dir.into()),
            insecure_dev,
            ..ServeArgs::default()
        };
        let prepared = Prepared {
            signing_keys: Vec::new(),
            initial_password_file: file.map(Into::into),
            created: file.is_some(),
        };
        text(
            &resolve(&args, []).unwrap().config,
            &prepared,
            listen.parse().unwrap(),
            "127.0.0.1:2".parse().unwrap(),
        )
    }

    #[test]
    fn the_lines_to_try_stand_any_data_folder_and_listener() {
        let text = greeting("/it's", "0.0.0.0:80", false, Some("/it's here/password"));
        assert!(
            text.starts_with("listening on 0.0.0.0:80\nadmin on 127.0.0.1:2\n"),
            "{text}"
        );
        assert!(
            text.contains(r#""password=$(cat '/it'\''s here/password')""#),
            "{text}"
        );
        assert!(
            text.contains("http://127.0.0.1:80/api-auth/users/"),
            "{text}"
        );
        assert!(!text.contains("http://0.0.0.0"), "{text}");
        assert!(
            greeting("/d", "[::]:80", false, None).contains("http://[::1]:80/api-auth/ "),
            "{text}"
        );
    }

    #[test]
    fn a_password_is_shown_in_development_only() {
        assert!(greeting("/d", "127.0.0.1:1", true, None).contains("\"password=admin\""));
        assert!(greeting("/d", "127.0.0.1:1", false, None).contains("\"password=<password>\""));
    }
}
