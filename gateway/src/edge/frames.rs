//! Where the frames of a WebSocket end in what is written to the client (RFC 6455 §5.2): only between two of
//! them may a frame of our own stand.

use std::io::Cursor;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::frame::{Frame, FrameHeader};

/// "Unauthorized" in IANA's registry of close codes: the token that opened the connection no longer counts.
const UNAUTHORIZED: u16 = 3000;

/// How far the bytes to the client have come: first the head of the `101`, then frames.
#[derive(Debug)]
pub(super) enum Frames {
    /// So many bytes of the blank line that ends the head.
    Head(usize),
    /// The first bytes of a frame's header; none between two frames.
    Header(Vec<u8>),
    /// So many bytes of a frame's payload are still to come.
    Payload(u64),
    /// What was written is no frame: nothing is known any more.
    Lost,
}

impl Frames {
    /// Before the head of the `101` is written.
    pub(super) fn new() -> Self {
        Self::Head(0)
    }

    /// Follows bytes that were written.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        const BLANK: &[u8] = b"\r\n\r\n";
        let mut bytes = bytes;
        while let Some((byte, rest)) = bytes.split_first() {
            match self {
                Self::Lost => return,
                Self::Payload(left) => {
                    let step = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                    bytes = bytes.get(step..).unwrap_or_default();
                    *left -= step as u64;
                    if *left == 0 {
                        *self = Self::Header(Vec::new());
                    }
                    continue;
                }
                Self::Head(seen) => {
                    let due = BLANK.get(*seen) == Some(byte);
                    *seen = match (due, byte) {
                        (true, _) => *seen + 1,
                        (false, b'\r') => 1,
                        (false, _) => 0,
                    };
                    if *seen == BLANK.len() {
                        *self = Self::Header(Vec::new());
                    }
                }
                Self::Header(begun) => {
                    begun.push(*byte);
                    match FrameHeader::parse(&mut Cursor::new(&*begun)) {
                        Ok(None) => {}
                        Ok(Some((_, 0))) => *self = Self::Header(Vec::new()),
                        Ok(Some((_, length))) => *self = Self::Payload(length),
                        Err(_) => *self = Self::Lost,
                    }
                }
            }
            bytes = rest;
        }
    }

    /// A frame of ours may stand here.
    pub(super) fn is_between(&self) -> bool {
        matches!(self, Self::Header(begun) if begun.is_empty())
    }
}

/// The last frame of a connection whose token no longer counts.
pub(super) fn farewell() -> Vec<u8> {
    let close = Frame::close(Some(CloseFrame {
        code: CloseCode::from(UNAUTHORIZED),
        reason: "the sign-in has ended".into(),
    }));
    let mut bytes = Vec::new();
    // Writing into a vector cannot fail.
    let _ = close.format(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    fn frame(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::message(vec![7; length], OpCode::Data(Data::Binary), true)
            .format(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn nothing_stands_between_before_the_head_has_ended() {
        let mut frames = Frames::new();
        for byte in &SWITCH[..SWITCH.len() - 1] {
            frames.follow(&[*byte]);
            assert!(!frames.is_between());
        }
        frames.follow(&SWITCH[SWITCH.len() - 1..]);
        assert!(frames.is_between());
    }

    #[test]
    fn what_is_no_frame_is_never_between() {
        let mut frames = Frames::new();
        frames.follow(SWITCH);
        // A reserved opcode.
        frames.follow(&[0x83, 0]);
        frames.follow(&frame(0));
        assert!(!frames.is_between());
    }

    #[test]
    fn the_farewell_is_one_short_unmasked_close_frame() {
        let bytes = farewell();
        assert_eq!(bytes[0], 0x88);
        assert_eq!(usize::from(bytes[1]), bytes.len() - 2);
        assert_eq!(u16::from_be_bytes([bytes[2], bytes[3]]), UNAUTHORIZED);
    }

    proptest! {
        /// However the stream is cut into pieces, "between" is exactly where one frame has ended.
        #[test]
        fn frames_end_where_they_end(
            lengths in prop::collection::vec(prop_oneof![0_usize..130, Just(65_535), Just(65_536)], 1..5),
            cuts in prop::collection::vec(1_usize..9, 1..40),
        ) {
            let mut stream = SWITCH.to_vec();
            let mut ends = vec![stream.len()];
            for length in lengths {
                stream.extend(frame(length));
                ends.push(stream.len());
            }
            let mut frames = Frames::new();
            let mut at = 0_usize;
            for cut in cuts.iter().cycle() {
                // Small steps around the ends, long ones within.
                let near = ends.iter().any(|end| at.abs_diff(*end) < 16);
                let next = stream.len().min(at + if near { *cut } else { 8 });
                frames.follow(&stream[at..next]);
                at = next;
                prop_assert_eq!(frames.is_between(), ends.contains(&at), "at {}", at);
                if at == stream.len() {
                    break;
                }
            }
        }
    }
}
