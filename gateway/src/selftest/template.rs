//! Requests as they are written in the corpus, with `{names}` for what differs from target to target.

use super::world::{Known, Plain, World};

/// Bytes to send, and the same for people: without tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) sent: Vec<u8>,
    pub(super) shown: Vec<u8>,
}

impl Request {
    /// Bytes that hold no secret.
    pub(super) fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        let sent = bytes.into();
        Self {
            shown: sent.clone(),
            sent,
        }
    }

    /// Bytes of which others are shown.
    pub(super) fn secret(sent: impl Into<Vec<u8>>, shown: &str) -> Self {
        Self {
            sent: sent.into(),
            shown: shown.into(),
        }
    }

    fn push(&mut self, piece: &Self) {
        self.sent.extend_from_slice(&piece.sent);
        self.shown.extend_from_slice(&piece.shown);
    }
}

/// Writes out a template. `{}` stands for `hole`, `{length}` for the length of what follows the head; a name
/// that is not known stands for itself.
///
/// # Errors
/// What is missing at this target.
pub(super) fn fill(template: &[u8], hole: &Request, world: &World) -> Known<Request> {
    let (head, body) = match position(template, b"\r\n\r\n") {
        Some(end) => template.split_at(end + 4),
        None => (template, &[][..]),
    };
    let body = write(body, hole, world, None)?;
    let mut whole = write(head, hole, world, Some(body.sent.len()))?;
    whole.push(&body);
    Ok(whole)
}

fn write(mut text: &[u8], hole: &Request, world: &World, length: Option<usize>) -> Known<Request> {
    let mut out = Request::default();
    while let Some(open) = position(text, b"{") {
        let (before, rest) = text.split_at(open);
        out.push(&Request::plain(before));
        let end = position(rest, b"}").unwrap_or(rest.len() - 1);
        let (named, after) = rest.split_at(end + 1);
        let name = named
            .get(1..end)
            .and_then(|name| std::str::from_utf8(name).ok());
        let piece = match (name, length) {
            (Some(""), _) => Some(write_hole(hole, world)),
            (Some("length"), Some(length)) => Some(Ok(Request::plain(length.to_string()))),
            (Some(name), _) => look_up(name, world),
            (None, _) => None,
        };
        match piece {
            Some(piece) => {
                out.push(&piece?);
                text = after;
            }
            None => {
                out.push(&Request::plain("{"));
                text = rest.get(1..).unwrap_or_default();
            }
        }
    }
    out.push(&Request::plain(text));
    Ok(out)
}

/// What fills the hole may hold names itself.
fn write_hole(hole: &Request, world: &World) -> Known<Request> {
    if hole.sent == hole.shown {
        write(&hole.sent, &Request::default(), world, None)
    } else {
        Ok(hole.clone())
    }
}

fn look_up(name: &str, world: &World) -> Option<Known<Request>> {
    let target = |plain: &Known<Plain>| {
        plain
            .as_ref()
            .map(|plain| plain.target.clone())
            .map_err(String::clone)
    };
    let text = match name {
        "host" => Ok(world.host.clone()),
        "random" => Ok(world.random.clone()),
        "open" => target(&world.open),
        "canary" => world.canary(),
        "closed" => target(&world.closed),
        "write" => target(&world.write),
        "mixed" => target(&world.mixed),
        "judged" => world.judged.clone(),
        "scheme" => world.scheme.clone(),
        "mount" => world.mount.clone(),
        "echo" => world.echo.clone(),
        // Longer than a password may be, and than a log-in may be.
        "long" => Ok("X".repeat(1_100)),
        "padding" => Ok("x".repeat(9_000)),
        "token" => {
            let token = world.token.as_ref().map_err(String::clone);
            return Some(token.map(|token| Request::secret(token.as_str(), "<token>")));
        }
        // A whole request that must never be taken for one.
        "inner" => target(&world.write)
            .map(|write| format!("DELETE {write} HTTP/1.1\r\nHost: {}\r\n\r\n", world.host)),
        _ => return None,
    };
    Some(text.map(Request::plain))
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}
