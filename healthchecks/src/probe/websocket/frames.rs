//! Messages of a WebSocket: sent with a mask, as a client must, and read whole,
//! in however many pieces they come.

use super::super::reason::{Failure, Reason, Step};
use super::super::talk::Talk;

/// A message is no longer, in bytes; the bound of a talk is higher.
const MOST: usize = 60 << 10;

const CONTINUED: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Sends a message.
pub(super) async fn send(talk: &mut Talk, text: &str) -> Step<()> {
    talk.send(&frame(TEXT, text.as_bytes())).await
}

/// Says the normal end; it does not matter whether it arrives.
pub(super) async fn close(talk: &mut Talk) {
    let _ = talk.send(&frame(CLOSE, &[3, 0xe8])).await;
}

/// The next message; pings between are answered.
pub(super) async fn message(talk: &mut Talk) -> Step<Vec<u8>> {
    let mut whole = Vec::new();
    talk.begin();
    loop {
        let head = talk.bytes(2).await?;
        let (last, kind) = (head[0] & 0x80 != 0, head[0] & 0x0f);
        let length = match head[1] {
            // A server that masks breaks the rules.
            128.. => return Err(Failure::new(Reason::Protocol, "a masked frame came")),
            126 => {
                let bytes = talk.bytes(2).await?;
                usize::from(bytes[0]) << 8 | usize::from(bytes[1])
            }
            127 => MOST + 1,
            length => usize::from(length),
        };
        if length + whole.len() > MOST {
            return Err(Failure::new(
                Reason::BodyTooLarge,
                format!("a message has more than {MOST} bytes"),
            ));
        }
        let piece = talk.bytes(length).await?;
        match kind {
            CONTINUED | TEXT | BINARY => {
                whole.extend(piece);
                if last {
                    return Ok(whole);
                }
            }
            PING => talk.send(&frame(PONG, &piece)).await?,
            PONG => {}
            CLOSE => {
                return Err(Failure::new(
                    Reason::Closed,
                    "the other side closed the WebSocket",
                ));
            }
            _ => return Err(Failure::new(Reason::Protocol, "an unknown frame came")),
        }
    }
}

/// A frame with a mask of zeros: it hides nothing here that a cache could take for something else.
fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match u16::try_from(bytes.len()) {
        Ok(short @ ..126) => frame.push(0x80 | u8::try_from(short).unwrap_or_default()),
        Ok(long) => {
            frame.push(0x80 | 126);
            frame.extend(long.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(bytes);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_stands_in_front_in_three_forms() {
        let head = |length: usize| frame(TEXT, &vec![b'x'; length])[..4].to_vec();
        assert_eq!(head(5), [0x81, 0x85, 0, 0]);
        assert_eq!(head(125), [0x81, 0xfd, 0, 0]);
        assert_eq!(head(126), [0x81, 0xfe, 0, 126]);
        assert_eq!(head(70_000), [0x81, 0xff, 0, 0]);
        assert_eq!(frame(CLOSE, &[3, 0xe8]), [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]);
    }
}
