//! A small gateway that does everything right, but for one flaw that is asked for. It takes one request from
//! a connection, answers it and closes; what it does not know to be well formed is 400.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::flaw::Flaw;

/// The one token that is valid: `{"alg":"EdDSA","kid":"k","typ":"at+jwt"}`, `{"sub":"1","username":"admin"}`.
pub(super) const TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiIxIiwidXNlcm5hbWUiOiJhZG1pbiJ9.QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ";

/// It listens until it is dropped.
pub(super) struct Fake {
    pub(super) addr: SocketAddr,
    accepting: AbortHandle,
}

impl Fake {
    pub(super) async fn start(flaw: Flaw) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let addr = listener.local_addr().expect("an address");
        let accepting = tokio::spawn(async move {
            let mut poisoned = false;
            let mut kept = Vec::new();
            for taken in 0_usize.. {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                if flaw == Flaw::Hangs || (flaw == Flaw::HangsLater && taken >= 100) {
                    kept.push(stream);
                    continue;
                }
                let (head, body) = read(&mut stream).await;
                if std::mem::take(&mut poisoned) {
                    continue;
                }
                let answer = answer(flaw, &head, &body, addr).await;
                poisoned = flaw == Flaw::Poisoned && answer.starts_with("HTTP/1.1 400");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                // What is still to come would reset the connection, and the answer with it.
                let mut rest = [0; 4096];
                while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
            }
        });
        Self {
            addr,
            accepting: accepting.abort_handle(),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The head, and what came with it or was announced by a length.
async fn read(stream: &mut TcpStream) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            let length = text
                .split("content-length: ")
                .nth(1)
                .and_then(|t| t.split('\r').next());
            let wanted = length
                .and_then(|l| l.parse().ok())
                .filter(|l| *l < 100_000)
                .unwrap_or(0);
            let chunked = text.contains("transfer-encoding: chunked");
            return (bytes, rest(stream, body, wanted, chunked).await);
        }
        if stream.read_buf(&mut bytes).await.map_or(true, |n| n == 0) {
            return (bytes, Vec::new());
        }
    }
}

async fn rest(stream: &mut TcpStream, mut body: Vec<u8>, wanted: usize, chunked: bool) -> Vec<u8> {
    let ended = |body: &[u8]| body.windows(4).any(|w| w == b"\r\n\r\n");
    let over = |body: &[u8]| body.len() >= wanted && (!chunked || ended(body));
    while !over(&body) && stream.read_buf(&mut body).await.is_ok_and(|n| n > 0) {}
    body
}

/// A well-formed request.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) lines: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a str,
    pub(super) raw: &'a str,
}

impl<'a> Ask<'a> {
    pub(super) fn all(&self, name: &str) -> Vec<&'a str> {
        let named = self
            .lines
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }
}

/// A response after which the connection closes.
pub(super) fn respond(status: u16, more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn refused(flaw: Flaw, error: bool) -> String {
    let error = if error {
        ", error=\"invalid_token\""
    } else {
        ""
    };
    let one = format!("WWW-Authenticate: Bearer realm=\"a\"{error}\r\n");
    let two = if flaw == Flaw::TwoChallenges {
        one.as_str()
    } else {
        ""
    };
    respond(401, &format!("{one}{two}"), "{}")
}

async fn answer(flaw: Flaw, head: &[u8], body: &[u8], addr: SocketAddr) -> String {
    match flaw {
        Flaw::Silent => return String::new(),
        Flaw::Garbage => return "220 this is mail\r\n\r\n".to_owned(),
        Flaw::Always200 => return respond(200, "", "ok"),
        Flaw::Always400 => return respond(400, "", ""),
        Flaw::Always401 => return refused(flaw, false),
        _ => {}
    }
    let (head, body) = (String::from_utf8_lossy(head), String::from_utf8_lossy(body));
    let Some(ask) = parse(flaw, &head, &body) else {
        return respond(400, "", "");
    };
    if !is_own_host(flaw, &ask, addr) {
        return respond(421, "", "");
    }
    let first = judge(flaw, &ask).await;
    let looks_like_one = body.starts_with("DELETE /");
    if flaw == Flaw::ServesBodies && looks_like_one {
        first.replace("Connection: close\r\n", "") + &respond(200, "", "")
    } else {
        first
    }
}

fn is_own_host(flaw: Flaw, ask: &Ask<'_>, addr: SocketAddr) -> bool {
    let host = ask.all("host").join(",");
    let own = format!("localhost:{}", addr.port());
    match flaw {
        Flaw::AnyHost => true,
        Flaw::CaseOfHosts => host == own,
        _ => host.to_lowercase().replace("localhost.:", "localhost:") == own,
    }
}

/// Takes apart what is beyond doubt.
fn parse<'a>(flaw: Flaw, head: &'a str, body: &'a str) -> Option<Ask<'a>> {
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next()?;
    let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let mut fields = Vec::new();
    for line in lines {
        let lax = flaw == Flaw::LaxHeads;
        let (name, value) = line.split_once(':').or_else(|| lax.then_some((line, "")))?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = !name.is_empty()
            && name.bytes().all(token)
            && value.bytes().all(|b| (b' '..0x7f).contains(&b));
        // A credential may be any bytes: it is judged by itself.
        if !lax && !fits && !name.eq_ignore_ascii_case("authorization") {
            return None;
        }
        fields.push((name.trim(), value.trim()));
    }
    let ask = Ask {
        method,
        target,
        lines: fields,
        body,
        raw: head,
    };
    let path = target.split('?').next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
    let dots = path.split('/').any(|s| s == "." || s == "..");
    let exact = flaw == Flaw::ExactPaths && target.starts_with('/');
    let origin = target.starts_with('/')
        && path.bytes().all(plain)
        && !dots
        && !path.contains("//")
        && !target.contains('#');
    let connect = method == "CONNECT" && flaw == Flaw::Tunnels;
    if !origin && !exact && !connect && flaw != Flaw::LaxTargets {
        return None;
    }
    let framed = is_framed(&ask, version) || flaw == Flaw::LaxFraming;
    let hosts = ask.all("host");
    let host = hosts.len() == 1 && !hosts[0].contains([' ', ',', '@']) && !hosts[0].is_empty();
    (framed
        && (host || matches!(flaw, Flaw::LaxTargets | Flaw::LaxHeads))
        && version.starts_with("HTTP/1."))
    .then_some(ask)
}

fn is_framed(ask: &Ask<'_>, version: &str) -> bool {
    let (lengths, codings) = (ask.all("content-length"), ask.all("transfer-encoding"));
    let number = |l: &&str| l.len() < 10 && !l.is_empty() && l.bytes().all(|b| b.is_ascii_digit());
    let chunks = ask.body.starts_with(|c: char| c.is_ascii_hexdigit());
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => true,
        ([length], []) => number(length),
        ([], ["chunked"]) => version == "HTTP/1.1" && chunks,
        _ => false,
    }
}

async fn judge(flaw: Flaw, ask: &Ask<'_>) -> String {
    let path = ask.target.split('?').next().unwrap_or_default();
    let folded = ask.method.to_uppercase();
    let method = if flaw == Flaw::FoldsMethods {
        folded.as_str()
    } else {
        ask.method
    };
    if method == "CONNECT" && flaw == Flaw::Tunnels {
        return respond(200, "", "");
    }
    if method == "TRACE" && flaw == Flaw::Traces {
        return respond(200, "", ask.raw);
    }
    if !matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"
    ) {
        return respond(405, "", "");
    }
    let credential = super::credentials::read(flaw, &ask.all("authorization"), ask.target).await;
    let opened = opened(flaw, ask);
    match path {
        "/.well-known/jwks.json" => {
            let private = if flaw == Flaw::PrivateKeys {
                r#","d":"AAAA""#
            } else {
                ""
            };
            let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"AAAA"{private}}}"#);
            respond(200, "", &format!(r#"{{"keys":[{key}]}}"#))
        }
        "/metrics" if flaw == Flaw::ShowsMetrics => {
            respond(200, "", "# TYPE gateway_requests counter\n")
        }
        "/api-auth" | "/api-auth/" => {
            super::credentials::login(flaw, method, &ask.all("content-type"), ask.body)
        }
        "/api-auth/verify/" => {
            let stored = if flaw == Flaw::StoresTokens {
                ""
            } else {
                "Cache-Control: no-store\r\n"
            };
            respond(200, stored, &format!(r#"{{"token":"{TOKEN}"}}"#))
        }
        _ if is_users(flaw, path) => match credential {
            _ if opened => respond(200, "", "[]"),
            Some(true) => respond(200, "", "[]"),
            Some(false) => super::credentials::bad(flaw, &ask.all("authorization")),
            None if flaw == Flaw::OpenHead && method == "HEAD" => respond(200, "", ""),
            None => refused(flaw, false),
        },
        _ if path.starts_with("/api-auth/") && flaw != Flaw::ForwardsItsOwn => respond(404, "", ""),
        _ => super::service::answer(flaw, ask, method, credential, opened),
    }
}

/// Closed, in any case and with a dot behind it too.
fn is_users(flaw: Flaw, path: &str) -> bool {
    let relaxed = path.to_lowercase().replace("./", "/");
    let read = if flaw == Flaw::ExactPaths {
        path
    } else {
        &relaxed
    };
    read.starts_with("/api-auth/users/")
}

/// Opened by what must not open anything.
fn opened(flaw: Flaw, ask: &Ask<'_>) -> bool {
    match flaw {
        Flaw::UpgradePasses => ask.has("upgrade"),
        Flaw::BelievesHeaders => ask.has("x-original-url") || ask.has("x-http-method-override"),
        Flaw::BelievesMarkers => ask.has("x-middleware-subrequest"),
        Flaw::MatchesTheQuery => ask.target.contains("?x=/"),
        Flaw::TrustsProbes => ask
            .all("user-agent")
            .iter()
            .any(|agent| agent.contains("probe")),
        _ => false,
    }
}
