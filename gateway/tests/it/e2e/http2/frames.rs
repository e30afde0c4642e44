//! Frames of HTTP/2 (RFC 9113) and fields of HPACK (RFC 7541), written out by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};

pub(in crate::e2e) const DATA: u8 = 0;
pub(in crate::e2e) const HEADERS: u8 = 1;
pub(in crate::e2e) const RST_STREAM: u8 = 3;
pub(in crate::e2e) const SETTINGS: u8 = 4;
pub(in crate::e2e) const PING: u8 = 6;
pub(in crate::e2e) const GOAWAY: u8 = 7;
pub(in crate::e2e) const CONTINUATION: u8 = 9;

pub(in crate::e2e) const END_STREAM: u8 = 1;
pub(in crate::e2e) const END_HEADERS: u8 = 4;

/// `RST_STREAM` and `GOAWAY`: RFC 9113 §7.
pub(in crate::e2e) const REFUSED_STREAM: u32 = 7;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::e2e) enum Outcome {
    Status(u16),
    Reset(u32),
    /// The connection ended.
    Gone,
}

/// A connection that waits for nothing longer than its socket's timeout.
pub(in crate::e2e) struct H2(rustls::StreamOwned<rustls::ClientConnection, TcpStream>);

impl H2 {
    pub(in crate::e2e) fn connect(addr: SocketAddr, trusted: &CertificateDer<'static>) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
        let socket = TcpStream::connect(addr).expect("a connection");
        let patience = Some(Duration::from_secs(15));
        socket.set_read_timeout(patience).expect("a limit");
        socket.set_write_timeout(patience).expect("a limit");
        let mut h2 = Self(rustls::StreamOwned::new(session, socket));
        h2.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2.frame(SETTINGS, 0, 0, &[]);
        h2
    }

    /// The server may have closed: then its answer says so.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    pub(in crate::e2e) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len())
            .expect("a length")
            .to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.send(&frame);
    }

    fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[3], head[4], stream, payload))
    }

    pub(in crate::e2e) fn outcome(&mut self, wanted: u32) -> Outcome {
        let code = |payload: &[u8]| {
            let last = payload.first_chunk::<4>().copied().unwrap_or_default();
            u32::from_be_bytes(last)
        };
        while let Some((kind, flags, stream, payload)) = self.next() {
            match kind {
                SETTINGS if flags == 0 => self.frame(SETTINGS, 1, 0, &[]),
                PING if flags == 0 => self.frame(PING, 1, 0, &payload),
                HEADERS if stream == wanted => return Outcome::Status(status(&payload)),
                RST_STREAM if stream == wanted => return Outcome::Reset(code(&payload)),
                GOAWAY => return Outcome::Gone,
                _ => {}
            }
        }
        Outcome::Gone
    }
}

pub(in crate::e2e) fn length(bytes: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        bytes.push(u8::try_from(value).expect("small"));
        return;
    }
    bytes.push(127);
    value -= 127;
    while value >= 128 {
        bytes.push(u8::try_from(value % 128).expect("small") | 128);
        value /= 128;
    }
    bytes.push(u8::try_from(value).expect("small"));
}

/// A field as a literal (RFC 7541 §6.2); `kind` says whether it goes into the table.
pub(in crate::e2e) fn literal(bytes: &mut Vec<u8>, kind: u8, name: &str, value: &str) {
    bytes.push(kind);
    length(bytes, name.len());
    bytes.extend(name.as_bytes());
    length(bytes, value.len());
    bytes.extend(value.as_bytes());
}

pub(in crate::e2e) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        literal(&mut bytes, 0, name, value);
    }
    bytes
}

/// The status, which stands first, in any of the forms in which a server may write it.
pub(in crate::e2e) fn status(block: &[u8]) -> u16 {
    let mut bytes = block.iter().copied().skip_while(|b| b & 0xe0 == 0x20);
    let first = bytes.next().expect("a field");
    if first & 0x80 != 0 {
        return [200, 204, 206, 304, 400, 404, 500][usize::from(first & 0x7f) - 8];
    }
    assert!(matches!(first, 0x48 | 0x08 | 0x18), "{first:x}");
    let size = bytes.next().expect("a length");
    let text: Vec<u8> = bytes.take(usize::from(size & 0x7f)).collect();
    if size & 0x80 == 0 {
        let text = std::str::from_utf8(&text).expect("digits");
        return text.parse().expect("a number");
    }
    // RFC 7541 appendix B: 0, 1 and 2 have five bits, the other digits six.
    let bits: Vec<u16> = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let number = |bits: &[u16]| bits.iter().fold(0, |sum, bit| sum * 2 + bit);
    let (mut at, mut value) = (0, 0);
    for _ in 0..3 {
        let short = number(&bits[at..at + 5]);
        let digit = if short < 3 {
            at += 5;
            short
        } else {
            at += 6;
            number(&bits[at - 6..at]) - 0x19 + 3
        };
        value = value * 10 + digit;
    }
    value
}
