//! AMQP 0-9-1 on the wire: frames, and the few kinds of values that we say and
//! hear. Anything may come in; what makes no sense is an error, never a panic.

/// A frame that is larger is refused, in bytes. We tell the server so.
pub(super) const LARGEST: usize = 1 << 20;
/// What ends each frame.
pub(super) const END: u8 = 0xce;

/// Kinds of frames.
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// A frame without what encloses it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: Vec<u8>,
}

/// The length of the whole frame that begins here; nothing while its head has
/// not come. An error when it is none, or too large.
pub(super) fn length(come: &[u8]) -> Result<Option<usize>, ()> {
    let Some(head) = come.get(..7) else {
        return Ok(None);
    };
    let kind = head[0];
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    // A server that speaks another version begins with the name of the protocol.
    if ![METHOD, HEADER, BODY, HEARTBEAT].contains(&kind) || size > LARGEST {
        return Err(());
    }
    Ok(Some(7 + size + 1))
}

/// Reads a frame that has come whole.
pub(super) fn frame(whole: &[u8]) -> Option<Frame> {
    let (head, rest) = whole.split_at_checked(7)?;
    let (end, payload) = rest.split_last()?;
    (*end == END).then(|| Frame {
        kind: head[0],
        channel: u16::from_be_bytes([head[1], head[2]]),
        payload: payload.to_vec(),
    })
}

/// Writes a payload.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    /// The begin of a method.
    pub(super) fn method(class: u16, method: u16) -> Self {
        Self::default().short(class).short(method)
    }

    pub(super) fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn short(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn long_long(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A short text; cut where it is too long for one.
    pub(super) fn text(mut self, text: &str) -> Self {
        let bytes = &text.as_bytes()[..text.len().min(255)];
        self.0.push(bytes.len() as u8);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn long_text(self, text: &[u8]) -> Self {
        let mut out = self.long(u32::try_from(text.len()).unwrap_or(0));
        out.0.extend_from_slice(text);
        out
    }

    /// A table of whole numbers.
    pub(super) fn numbers(self, entries: &[(&str, i32)]) -> Self {
        let mut inner = Self::default();
        for (name, value) in entries {
            inner = inner.text(name).byte(b'I').long(value.cast_unsigned());
        }
        self.long_text(&inner.0)
    }

    /// The whole frame.
    pub(super) fn frame(self, kind: u8, channel: u16) -> Vec<u8> {
        let out = Self::default().byte(kind).short(channel);
        out.long_text(&self.0).byte(END).0
    }
}

/// Reads a payload.
#[derive(Debug)]
pub(super) struct In<'a>(pub(super) &'a [u8]);

impl<'a> In<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn long_long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.byte()?;
        let bytes = self.bytes(length.into())?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_whole_and_not_before() {
        let out = Out::method(60, 20).text("a").numbers(&[("x", 5)]);
        let payload = out.0.clone();
        let whole = out.frame(METHOD, 7);
        assert_eq!(length(&whole[..6]), Ok(None));
        assert_eq!(length(&whole), Ok(Some(whole.len())));
        let read = frame(&whole).unwrap();
        assert_eq!((read.kind, read.channel), (METHOD, 7));
        assert_eq!(read.payload, payload);
        let mut payload = In(&payload);
        assert_eq!((payload.short(), payload.short()), (Some(60), Some(20)));
        assert_eq!(payload.text().as_deref(), Some("a"));
        assert_eq!(payload.long(), Some(7));
        let mut broken = whole;
        *broken.last_mut().unwrap() = 0;
        assert_eq!(frame(&broken), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(length(b"AMQP\0\0\x09\x01"), Err(()));
        assert_eq!(length(&[METHOD, 0, 0, 0xff, 0, 0, 0]), Err(()));
        assert_eq!(frame(&[]), None);
        assert_eq!(In(&[3, b'a']).text(), None);
        assert_eq!(In(&[0; 7]).long_long(), None);
    }
}
