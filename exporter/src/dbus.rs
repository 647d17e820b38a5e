//! A question or two over D-Bus, to a manager that listens on a Unix socket of
//! its own or behind the system's bus.
//!
//! Only what systemd's manager needs: method calls with texts as arguments, and
//! answers read with a cursor. What comes in is not trusted: every length is
//! looked at before it is used. Every read and write has a deadline.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The longest body of an answer, in bytes.
const LONGEST: usize = 16 << 20;
/// The longest head of one.
const LONGEST_HEAD: usize = 64 << 10;
/// Signals and answers to nobody that are passed over before an answer comes.
const PATIENCE: usize = 10_000;

/// A call of a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) member: &'a str,
    pub(crate) arguments: &'a [&'a str],
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Bus {
    stream: UnixStream,
    serial: u32,
}

impl Bus {
    /// Connects, and shows who we are. `greet` is for a bus, which wants to be
    /// greeted; a manager's own socket does not.
    pub(crate) fn connect(socket: &Path, greet: bool, patience: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut bus = Self { stream, serial: 0 };
        bus.authenticate()?;
        if greet {
            let hello = Call {
                destination: "org.freedesktop.DBus",
                path: "/org/freedesktop/DBus",
                interface: "org.freedesktop.DBus",
                member: "Hello",
                arguments: &[],
            };
            bus.ask(&hello)?
                .ok_or_else(|| wrong("the bus refuses us"))?;
        }
        Ok(bus)
    }

    fn authenticate(&mut self) -> io::Result<()> {
        let own = rustix::process::geteuid().as_raw().to_string();
        let hex: String = own.bytes().map(|byte| format!("{byte:02x}")).collect();
        // In one go: systemd's own socket never answers who waits in between.
        let both = format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n");
        self.stream.write_all(both.as_bytes())?;
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") && line.len() < 512 {
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        if !line.starts_with(b"OK ") {
            return Err(wrong("it does not let us in"));
        }
        Ok(())
    }

    /// Asks one question; nothing when it is refused.
    pub(crate) fn ask(&mut self, call: &Call<'_>) -> io::Result<Option<Vec<u8>>> {
        let mut answers = self.ask_all(std::slice::from_ref(call))?;
        Ok(answers.pop().flatten())
    }

    /// Asks several at once; the answers in their order, without those that
    /// were refused.
    pub(crate) fn ask_all(&mut self, calls: &[Call<'_>]) -> io::Result<Vec<Option<Vec<u8>>>> {
        let mut answers = vec![None; calls.len()];
        let first = self.serial.wrapping_add(1);
        let mut out = Vec::new();
        for call in calls {
            self.serial = self.serial.wrapping_add(1);
            out.extend(message(call, self.serial));
        }
        self.stream.write_all(&out)?;
        let mut waiting = calls.len();
        for _ in 0..PATIENCE {
            if waiting == 0 {
                return Ok(answers);
            }
            let answer = self.next()?;
            let at = answer.to.wrapping_sub(first) as usize;
            if let (2 | 3, Some(slot)) = (answer.kind, answers.get_mut(at)) {
                waiting -= 1;
                *slot = (answer.kind == 2).then_some(answer.body);
            }
        }
        Err(wrong("it says too much"))
    }

    fn next(&mut self) -> io::Result<Answer> {
        let mut fixed = [0; 16];
        self.stream.read_exact(&mut fixed)?;
        if fixed[0] != b'l' || fixed[3] != 1 {
            return Err(wrong("it speaks another dialect"));
        }
        let number = |at: usize| {
            let bytes = fixed
                .get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes) as usize
        };
        let (body, head) = (number(4), number(12));
        if body > LONGEST || head > LONGEST_HEAD {
            return Err(wrong("it says too much at once"));
        }
        let mut fields = vec![0; head.next_multiple_of(8)];
        self.stream.read_exact(&mut fields)?;
        let mut text = vec![0; body];
        self.stream.read_exact(&mut text)?;
        Ok(Answer {
            kind: fixed[1],
            to: reply_serial(&fields[..head]).unwrap_or_default(),
            body: text,
        })
    }
}

struct Answer {
    kind: u8,
    to: u32,
    body: Vec<u8>,
}

/// Which question this is the answer to.
fn reply_serial(fields: &[u8]) -> Option<u32> {
    // The head begins at byte 16, so alignment is the same as from 0.
    let mut cursor = Cursor::new(fields);
    loop {
        cursor.align(8)?;
        let code = cursor.byte()?;
        let signature = cursor.signature()?.to_owned();
        match (code, signature.as_str()) {
            (5, "u") => return cursor.number(),
            (_, "s" | "o") => drop(cursor.text()?),
            (_, "g") => drop(cursor.signature()?),
            (_, "u") => drop(cursor.number()?),
            _ => return None,
        }
    }
}

fn message(call: &Call<'_>, serial: u32) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in call.arguments {
        put_text(&mut body, argument);
    }
    let mut fields = Vec::new();
    let mut field = |code: u8, kind: u8, text: &str| {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        if kind == b'g' {
            fields.push(u8::try_from(text.len()).unwrap_or_default());
            fields.extend(text.as_bytes());
            fields.push(0);
        } else {
            put_text(&mut fields, text);
        }
    };
    field(1, b'o', call.path);
    field(2, b's', call.interface);
    field(3, b's', call.member);
    field(6, b's', call.destination);
    if !call.arguments.is_empty() {
        field(8, b'g', &"s".repeat(call.arguments.len()));
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes();
    let mut out = vec![b'l', 1, 0, 1];
    out.extend(length(&body));
    out.extend(serial.to_le_bytes());
    out.extend(length(&fields));
    out.extend(&fields);
    pad(&mut out, 8);
    out.extend(body);
    out
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend(u32::try_from(text.len()).unwrap_or_default().to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

/// Reads an answer's body from its begin on; nothing where it ends too soon.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether nothing is left before `end`.
    pub(crate) fn is_at(&self, end: usize) -> bool {
        self.at >= end
    }

    pub(crate) fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    /// A number of four bytes.
    pub(crate) fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A number of eight bytes.
    pub(crate) fn long(&mut self) -> Option<u64> {
        self.align(8)?;
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// A text or the path of an object.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.number()? as usize;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.take(1)?;
        Some(text)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.take(1)?;
        Some(text)
    }

    /// Where an array of structures ends, and its first one begins.
    pub(crate) fn array(&mut self) -> Option<usize> {
        let length = self.number()? as usize;
        self.align(8)?;
        let end = self.at.checked_add(length)?;
        (end <= self.bytes.len()).then_some(end)
    }

    /// A value of any type, as a text; numbers are written out.
    pub(crate) fn variant(&mut self) -> Option<String> {
        Some(match self.signature()? {
            "s" | "o" => self.text()?.to_owned(),
            "u" => self.number()?.to_string(),
            "t" => self.long()?.to_string(),
            _ => return None,
        })
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the bytes as the head of an answer, for those who throw any at it.
pub(crate) fn any(bytes: &[u8]) {
    let _ = reply_serial(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let call = Call {
            destination: "d",
            path: "/p",
            interface: "i",
            member: "m",
            arguments: &["one", "two"],
        };
        let bytes = message(&call, 7);
        assert_eq!(&bytes[..4], b"l\x01\0\x01");
        assert_eq!(bytes[8], 7);
        let head = usize::from(bytes[12]);
        let body = &bytes[16 + head.next_multiple_of(8)..];
        let mut cursor = Cursor::new(body);
        assert_eq!(
            (cursor.text(), cursor.text(), cursor.text()),
            (Some("one"), Some("two"), None)
        );
        assert_eq!(usize::from(bytes[4]), body.len());
    }

    #[test]
    fn lengths_that_lie_are_noticed() {
        let long = [0xff, 0xff, 0xff, 0xff, b'a', 0];
        assert_eq!(Cursor::new(&long).text(), None);
        assert_eq!(Cursor::new(&long).array(), None);
        assert_eq!(Cursor::new(&[1, b't', 0, 0, 1]).variant(), None);
        assert_eq!(Cursor::new(&[5, b's']).variant(), None);
        assert_eq!(Cursor::new(&[1, 0xff, 0]).variant(), None);
        assert_eq!(reply_serial(&[9, 1, b'x', 0]), None);
        assert_eq!(reply_serial(&[]), None);
        let mut fields = vec![6, 1, b's', 0];
        put_text(&mut fields, ":1.5");
        pad(&mut fields, 8);
        fields.extend([5, 1, b'u', 0, 9, 0, 0, 0]);
        assert_eq!(reply_serial(&fields), Some(9));
    }
}
