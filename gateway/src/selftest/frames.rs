//! HTTP/2 (RFC 9113) frame by frame, with fields in HPACK (RFC 7541) as literals: what no library would send.
//! Of what comes back, statuses and ends of streams are read.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::target::Stream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// RFC 9113 §4.2: no peer may send more before it is told that it may.
const MAX_FRAME: usize = 16 * 1024;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Status(u16),
    /// The stream was reset.
    Reset,
    /// The connection ended.
    Gone,
    /// Nothing came in time.
    Late,
    /// An answer that this reader does not understand.
    Unread,
}

/// A header field: name and value.
pub(super) type Field<'a> = (&'a str, &'a str);

/// Sends one request on its own connection.
pub(super) fn ask(
    mut stream: Stream,
    fields: &[Field<'_>],
    body: &[u8],
    patience: Duration,
) -> Outcome {
    let end = if body.is_empty() { END_STREAM } else { 0 };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    frame(&mut bytes, HEADERS, END_HEADERS | end, 1, &block(fields));
    if !body.is_empty() {
        frame(&mut bytes, DATA, END_STREAM, 1, body);
    }
    // A server that has closed has said why, or will be seen as gone.
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
    match outcome(&mut stream, Instant::now() + patience) {
        Ok(outcome) => outcome,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
        {
            Outcome::Late
        }
        Err(_) => Outcome::Gone,
    }
}

fn outcome(stream: &mut Stream, deadline: Instant) -> io::Result<Outcome> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Outcome::Late);
        }
        stream.set_patience(left)?;
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Ok(Outcome::Unread);
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        let ours = u32::from_be_bytes(id) & 0x7fff_ffff == 1;
        let mut answer = Vec::new();
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut answer, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(&mut answer, PING, ACK, 0, &payload),
            HEADERS if ours => match fields_of(&payload, flags).and_then(status) {
                Some(100..200) => {}
                Some(status) => return Ok(Outcome::Status(status)),
                None => return Ok(Outcome::Unread),
            },
            RST_STREAM if ours => return Ok(Outcome::Reset),
            GOAWAY => return Ok(Outcome::Gone),
            _ => {}
        }
        // As above.
        let _ = stream.write_all(&answer).and_then(|()| stream.flush());
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    // Nothing of the corpus comes near 16 MiB.
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    out.extend(length.iter().skip(1));
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

/// Fields as literals without indexing (RFC 7541 §6.2.2), so that any name and value can be sent.
fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        string(&mut out, name);
        string(&mut out, value);
    }
    out
}

fn string(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    match u8::try_from(length) {
        Ok(short) if short < 127 => out.push(short),
        _ => {
            // RFC 7541 §5.1.
            out.push(127);
            length -= 127;
            while length >= 128 {
                out.push(128 | u8::try_from(length % 128).unwrap_or_default());
                length /= 128;
            }
            out.push(u8::try_from(length).unwrap_or_default());
        }
    }
    out.extend(text.as_bytes());
}

/// A header block without padding and priority (RFC 9113 §6.2).
fn fields_of(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let mut fields = payload;
    if flags & PADDED != 0 {
        let (padding, rest) = fields.split_first()?;
        fields = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
    }
    if flags & PRIORITY != 0 {
        fields = fields.get(5..)?;
    }
    Some(fields)
}

/// The status, which stands first (RFC 9113 §8.3), in any of the forms in which a server may write it.
fn status(block: &[u8]) -> Option<u16> {
    // Changes of the table's size may stand before it.
    let mut bytes = block.iter().copied().skip_while(|byte| byte & 0xe0 == 0x20);
    let first = bytes.next()?;
    if first & 0x80 != 0 {
        // RFC 7541 appendix A.
        let known = [200, 204, 206, 304, 400, 404, 500];
        return known
            .get(usize::from(first & 0x7f).checked_sub(8)?)
            .copied();
    }
    // `:status` by its index, indexed or not (RFC 7541 §6.2).
    if !matches!(first, 0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e) {
        return None;
    }
    let length = bytes.next()?;
    let text: Vec<u8> = bytes.take(usize::from(length & 0x7f)).collect();
    let digits = if length & 0x80 == 0 {
        text.iter()
            .map(|byte| byte.checked_sub(b'0').map(u16::from))
            .collect::<Option<Vec<u16>>>()?
    } else {
        huffman_digits(&text)?
    };
    match digits.as_slice() {
        [a, b, c] if digits.iter().all(|digit| *digit < 10) => Some(a * 100 + b * 10 + c),
        _ => None,
    }
}

/// Three digits (RFC 7541 appendix B): 0, 1 and 2 have five bits, the others six.
fn huffman_digits(text: &[u8]) -> Option<Vec<u16>> {
    let bits = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut bits = bits.collect::<Vec<u16>>().into_iter();
    let mut digits = Vec::new();
    while digits.len() < 3 {
        let mut code = 0;
        for _ in 0..5 {
            code = code * 2 + bits.next()?;
        }
        if code > 2 {
            code = (code * 2 + bits.next()?)
                .checked_sub(0x19)?
                .checked_add(3)?;
        }
        digits.push(code);
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_form() {
        for (block, want) in [
            (&[0x88][..], Some(200)),
            (&[0x8d], Some(404)),
            (&[0x20, 0x8e], Some(500)),
            (&[0x48, 3, b'4', b'0', b'1'], Some(401)),
            (&[0x08, 3, b'4', b'2', b'1'], Some(421)),
            // As in RFC 7541 C.6.1, and as this gateway writes 401.
            (&[0x48, 0x82, 0x64, 0x02], Some(302)),
            (&[0x48, 0x82, 0x68, 0x01], Some(401)),
            (&[0x80], None),
            (&[0x90], None),
            (&[0x00, 1, b'a'], None),
            (&[0x48, 3, b'4', b'x', b'1'], None),
            (&[0x48, 0x82, 0xff, 0xff], None),
            (&[0x48], None),
            (&[], None),
        ] {
            assert_eq!(status(block), want, "{block:x?}");
        }
    }

    #[test]
    fn padding_and_priority_are_no_fields() {
        assert_eq!(fields_of(&[2, 0x88, 0, 0], PADDED), Some(&[0x88][..]));
        assert_eq!(
            fields_of(&[0, 0, 0, 0, 1, 0x88], PRIORITY),
            Some(&[0x88][..])
        );
        assert_eq!(fields_of(&[9, 0x88], PADDED), None);
        assert_eq!(fields_of(&[], PADDED), None);
    }

    #[test]
    fn long_strings_have_long_lengths() {
        let mut out = Vec::new();
        string(&mut out, &"x".repeat(1337 + 127));
        // RFC 7541 C.1.2 has 1337 behind a prefix of five bits, with the same two octets.
        assert_eq!(out.get(..3), Some(&[127, 0b1011_1001, 0b0000_1010][..]));
    }
}
