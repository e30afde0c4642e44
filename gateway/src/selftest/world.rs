//! What there is at the target to test with: an address open for reading, one closed for writing, the
//! challenge, the gateway's own addresses. Found by asking; what is not found is known with its reason.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::client::{Client, End};
use super::wire::Response;
use super::{Lost, Options};

/// Something found, or why not and what to give.
pub(super) type Known<T> = Result<T, String>;

/// An address and how a plain request for it is answered.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) target: String,
    pub(super) answer: Response,
}

/// The keys that are published.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) document: Vec<u8>,
    pub(super) keys: Vec<Value>,
}

/// What is known of the target.
#[derive(Debug)]
pub(super) struct World {
    /// What `Host` says.
    pub(super) host: String,
    /// A path segment that nobody else uses.
    pub(super) random: String,
    /// A read that is answered or refused, to see whether the target still does.
    pub(super) canary: Plain,
    /// GET is answered without a token, by the service.
    pub(super) open: Known<Plain>,
    /// GET is 401 without a token.
    pub(super) closed: Known<Plain>,
    /// DELETE is 401 without a token. Nothing is there to delete.
    pub(super) write: Known<Plain>,
    /// DELETE is 401 and GET is not.
    pub(super) mixed: Known<Plain>,
    /// A bad token is refused on GET.
    pub(super) judged: Known<String>,
    /// Of the challenge.
    pub(super) scheme: Known<String>,
    /// The wire habits are those of the profile `drf-jwt`, which differ where they were recorded so.
    pub(super) recorded: bool,
    /// Where the gateway's log-in lies, without the last slash.
    pub(super) mount: Known<String>,
    pub(super) published: Known<Published>,
    /// Valid, and believed by the target.
    pub(super) token: Known<String>,
    /// A user who exists.
    pub(super) user: Known<String>,
    /// Its answer shows the request that the service was sent.
    pub(super) echo: Known<String>,
    /// So slow cases may run.
    pub(super) slow: bool,
}

/// Where other gateways publish theirs too.
pub(super) const KEYS_PATH: &str = "/.well-known/jwks.json";

/// Travels through to the service, as any header does that means nothing.
pub(super) const MARKER_HEADER: &str = "X-Selftest-Marker";

/// Asks for one address.
pub(super) fn request(method: &str, target: &str, host: &str, more: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")
        .into_bytes()
}

/// A POST with a JSON body.
pub(super) fn post_json(target: &str, host: &str, body: &str) -> Vec<u8> {
    let more = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    [
        request("POST", target, host, &more),
        body.as_bytes().to_vec(),
    ]
    .concat()
}

struct Scout<'a> {
    client: &'a Client<'a>,
    host: &'a str,
}

impl Scout<'_> {
    fn ask(&self, bytes: &[u8]) -> Known<Response> {
        let reply = self.client.ask(bytes);
        match (reply.responses.into_iter().next(), reply.end) {
            (Some(response), _) => Ok(response),
            (None, End::Unreachable(why)) => Err(why),
            (None, End::Late) => Err(format!("no answer within {:?}", self.client.patience())),
            (None, End::Closed | End::Kept) => {
                Err("the connection was closed without an answer".to_owned())
            }
            (None, End::Garbage(_)) => {
                Err("the answer is no HTTP/1.1, or larger than 1 MiB".to_owned())
            }
        }
    }

    fn plain(&self, method: &str, target: &str, more: &str) -> Known<Plain> {
        let answer = self.ask(&request(method, target, self.host, more))?;
        Ok(Plain {
            target: target.to_owned(),
            answer,
        })
    }
}

impl World {
    /// Asks around.
    ///
    /// # Errors
    /// Where the target does not answer at all.
    pub(super) fn discover(
        client: &Client<'_>,
        options: &Options,
        random: String,
    ) -> Result<Self, Lost> {
        let host = client.target().authority();
        let scout = Scout { client, host };
        let first = options.open_path.as_ref().unwrap_or(&options.path);
        let first = scout.plain("GET", first, "").map_err(Lost)?;
        let mut below = format!("{}/{random}", options.path.trim_end_matches('/'));
        let mut read = scout.plain("GET", &below, "").map_err(Lost)?;
        if matches!(read.answer.status, 301 | 308) {
            // A service that wants the last slash.
            below.push('/');
            read = scout.plain("GET", &below, "").map_err(Lost)?;
        }
        let write = scout.plain("DELETE", &below, "");
        let mount = find_mount(&scout, options);
        let published = find_keys(&scout);

        let users = mount.as_ref().map(|mount| format!("{mount}/users/"));
        let mixed = mixed(&read, &write, options);
        let write =
            write
                .and_then(|plain| expect_401("DELETE", plain))
                .or_else(|why| match &users {
                    Ok(users) => scout
                        .plain("DELETE", &format!("{users}{random}"), "")
                        .and_then(|plain| expect_401("DELETE", plain)),
                    Err(_) => Err(format!(
                        "{why}; --path names one below which writing needs a token"
                    )),
                });
        let closed = match &options.closed_path {
            Some(path) => scout
                .plain("GET", path, "")
                .and_then(|plain| expect_401("GET", plain)),
            None if read.answer.status == 401 => Ok(read),
            None => match &users {
                Ok(users) => scout
                    .plain("GET", users, "")
                    .and_then(|plain| expect_401("GET", plain)),
                Err(_) => Err(
                    "no address is known that needs a token to be read; --closed-path names one"
                        .to_owned(),
                ),
            },
        };
        let open = open(&first, &mixed, options);
        let refusal = closed
            .as_ref()
            .or(write.as_ref())
            .ok()
            .map(|plain| &plain.answer);
        let scheme = scheme(refusal);
        let recorded = scheme.as_deref() == Ok("JWT") && refusal.is_some_and(is_recorded_shape);
        let judged = judged(&scout, &closed, &open, &scheme);
        let token = token(&scout, &judged, &scheme, options.token.as_deref());
        let user = match (&options.user, &token) {
            (Some(user), _) => Ok(user.clone()),
            (None, Ok(token)) => username(token)
                .ok_or_else(|| "the token names no user; --user names one who exists".to_owned()),
            (None, Err(_)) => Err("no user is known to exist; --user names one".to_owned()),
        };
        Ok(Self {
            canary: open.as_ref().unwrap_or(&first).clone(),
            echo: echo(&scout, options, &random),
            host: host.to_owned(),
            random,
            open,
            closed,
            write,
            mixed,
            judged,
            scheme,
            recorded,
            mount,
            published,
            token,
            user,
            slow: options.slow,
        })
    }
}

impl World {
    /// The canary's address, where it is not refused for what a malformed request would be refused for.
    pub(super) fn canary(&self) -> Known<String> {
        match self.canary.answer.status {
            status @ (400 | 500..) => {
                Err(format!("GET {} was answered {status}", self.canary.target))
            }
            _ => Ok(self.canary.target.clone()),
        }
    }
}

fn expect_401(method: &str, plain: Plain) -> Known<Plain> {
    match plain.answer.status {
        401 => Ok(plain),
        status => Err(format!(
            "{method} {} without a token was answered {status}, not 401",
            plain.target
        )),
    }
}

/// A read that the rules let through: the service may know nothing there.
fn is_let_through(answer: &Response) -> bool {
    matches!(answer.status, 200..300 | 404)
}

fn mixed(read: &Plain, write: &Known<Plain>, options: &Options) -> Known<Plain> {
    let closed = write.as_ref().is_ok_and(|write| write.answer.status == 401);
    if closed && is_let_through(&read.answer) {
        return Ok(read.clone());
    }
    Err(format!(
        "nothing below {} is open for reading and closed for writing; --path names such an address",
        options.path
    ))
}

fn open(first: &Plain, mixed: &Known<Plain>, options: &Options) -> Known<Plain> {
    match (first.answer.status, &options.open_path, mixed) {
        (200..300, _, _) => Ok(first.clone()),
        (_, None, Ok(mixed)) => Ok(mixed.clone()),
        (status, ..) => Err(format!(
            "GET {} was answered {status}; --open-path names an address of the service that everyone may read",
            first.target
        )),
    }
}

/// The log-in, known by its refusal of an empty object, which counts as no attempt.
fn find_mount(scout: &Scout<'_>, options: &Options) -> Known<String> {
    let mount = options.mount.trim_end_matches('/');
    let answer = scout.ask(&post_json(&format!("{mount}/"), scout.host, "{}"))?;
    let text = answer.text();
    if answer.status == 400 && text.contains("\"username\"") && text.contains("\"password\"") {
        return Ok(mount.to_owned());
    }
    Err(format!(
        "this gateway's log-in is not at {mount}/; --mount says where"
    ))
}

fn find_keys(scout: &Scout<'_>) -> Known<Published> {
    let answer = scout.ask(&request("GET", KEYS_PATH, scout.host, ""))?;
    let keys = answer
        .json()
        .and_then(|set| set.get("keys")?.as_array().cloned());
    match keys {
        Some(keys) if answer.status == 200 => Ok(Published {
            document: answer.body,
            keys,
        }),
        _ => Err(format!("no key set is published at {KEYS_PATH}")),
    }
}

fn scheme(refusal: Option<&Response>) -> Known<String> {
    let refusal =
        refusal.ok_or_else(|| "no 401 was seen, so the scheme is not known".to_owned())?;
    refusal
        .header("www-authenticate")
        .and_then(|challenge| challenge.split([' ', ',']).next())
        .filter(|scheme| !scheme.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| "the 401 has no WWW-Authenticate".to_owned())
}

fn is_recorded_shape(refusal: &Response) -> bool {
    refusal
        .json()
        .is_some_and(|body| body.get("detail").is_some() && body.get("status").is_none())
}

/// Nothing that could be a token anywhere.
pub(super) const NO_TOKEN: &str = "gateway.self.test";

fn judged(
    scout: &Scout<'_>,
    closed: &Known<Plain>,
    open: &Known<Plain>,
    scheme: &Known<String>,
) -> Known<String> {
    if let Ok(closed) = closed {
        return Ok(closed.target.clone());
    }
    let (open, scheme) = (
        open.as_ref().map_err(String::clone)?,
        scheme.as_ref().map_err(String::clone)?,
    );
    let bad = format!("Authorization: {scheme} {NO_TOKEN}\r\n");
    scout
        .plain("GET", &open.target, &bad)
        .and_then(|plain| expect_401("GET", plain))
        .map(|plain| plain.target)
        .map_err(|_| {
            "no read is known that a bad token is refused on; --closed-path names one".to_owned()
        })
}

fn token(
    scout: &Scout<'_>,
    judged: &Known<String>,
    scheme: &Known<String>,
    given: Option<&str>,
) -> Known<String> {
    let token = given.ok_or_else(|| {
        "a valid token is needed; --token-file or --token-stdin gives one".to_owned()
    })?;
    let (judged, scheme) = (
        judged.as_ref().map_err(String::clone)?,
        scheme.as_ref().map_err(String::clone)?,
    );
    let good = format!("Authorization: {scheme} {token}\r\n");
    match scout.plain("GET", judged, &good)?.answer.status {
        status @ (400 | 401) => Err(format!(
            "the token that was given is refused ({status}); a new one is needed"
        )),
        _ => Ok(token.to_owned()),
    }
}

/// Who a token says it is for.
fn username(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("username")?.as_str().map(str::to_owned)
}

fn echo(scout: &Scout<'_>, options: &Options, random: &str) -> Known<String> {
    let path = options.echo_path.as_ref().ok_or_else(|| {
        "only the service behind sees this; --echo-path names an open address whose answer shows the request".to_owned()
    })?;
    let marker = format!("{MARKER_HEADER}: {random}\r\n");
    let shown = scout.plain("GET", path, &marker)?.answer;
    if shown.status == 200 && shown.text().contains(random) {
        Ok(path.clone())
    } else {
        Err(format!(
            "GET {path} ({}) does not show the headers of the request",
            shown.status
        ))
    }
}
