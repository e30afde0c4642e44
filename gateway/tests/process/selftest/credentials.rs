//! How the fake reads credentials and log-ins, right or with a flaw.

use tokio::net::TcpStream;

use super::fake::{TOKEN, respond};
use super::flaw::Flaw;

/// `None`: none was sent. Otherwise whether it is valid.
pub(super) async fn read(flaw: Flaw, lines: &[&str], target: &str) -> Option<bool> {
    if flaw == Flaw::TokenInQuery && target.contains(TOKEN) {
        return Some(true);
    }
    let value = match lines {
        [] => return None,
        [one] => *one,
        [first, ..] if flaw == Flaw::FirstOfTwo => *first,
        _ => return Some(false),
    };
    let token = value.strip_prefix("Bearer ").unwrap_or_default();
    let parts: Vec<&str> = token.split('.').collect();
    let text = |part: &str| {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(part)
            .unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let header = text(parts[0]);
    if flaw == Flaw::FetchesKeys
        && let Some(at) = header
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
    {
        let _ = TcpStream::connect(at).await;
    }
    let valid = match flaw {
        Flaw::AnyToken => token.len() > 20,
        Flaw::NoneToken => header.to_lowercase().contains("none"),
        Flaw::TrimsTokens => value
            .replace(['"', ','], " ")
            .split_whitespace()
            .any(|word| word == TOKEN),
        Flaw::IgnoresBits => {
            token.trim_end_matches('=').len() == TOKEN.len()
                && token[..TOKEN.len() - 1] == TOKEN[..TOKEN.len() - 1]
        }
        _ => false,
    };
    if flaw == Flaw::BadTokenIsAnonymous && token != TOKEN {
        return None;
    }
    Some(valid || token == TOKEN)
}

/// A token that is not valid.
pub(super) fn bad(flaw: Flaw, lines: &[&str]) -> String {
    let challenge = "WWW-Authenticate: Bearer realm=\"a\", error=\"invalid_token\"\r\n";
    let twice = if flaw == Flaw::TwoChallenges {
        challenge
    } else {
        ""
    };
    let why = if flaw == Flaw::TellsWhy {
        lines.concat().len().to_string()
    } else {
        "{}".to_owned()
    };
    respond(401, &format!("{challenge}{twice}"), &why)
}

pub(super) fn login(flaw: Flaw, method: &str, media: &[&str], body: &str) -> String {
    if method != "POST" {
        return respond(405, "", "");
    }
    if media != ["application/json"] && flaw != Flaw::AnyMedia {
        return respond(415, "", "");
    }
    if body.len() > 8192 && flaw != Flaw::LongLogins {
        return respond(413, "", "");
    }
    if body.matches("\"username\"").count() > 1 && flaw != Flaw::TakesTheLast {
        return respond(400, "", "");
    }
    let fields: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let (name, password) = (fields["username"].as_str(), fields["password"].as_str());
    match (name, password) {
        (Some(name), Some(password)) if password.len() <= 1024 || flaw == Flaw::LongLogins => {
            let known = flaw == Flaw::TellsNames && name == "admin";
            respond(401, "", if known { "wrong password" } else { "wrong" })
        }
        _ => respond(
            400,
            "",
            r#"{"username":["required"],"password":["required"]}"#,
        ),
    }
}
