//! Lines out of the frames in which an engine sends a container's output, each
//! with its time in front.
//!
//! Long lines come in several frames, each with a time. Without a terminal a
//! frame is one line or a part of one; a terminal's output comes in pieces of
//! any length.

use bollard::container::LogOutput;

use super::{Batch, LONGEST};

/// Puts frames together.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Of standard output and of standard error.
    open: [Vec<u8>; 2],
    /// Whether the open line has become too long.
    skipping: [bool; 2],
    /// Lines up to this time are known, in nanoseconds since 1970.
    known_ns: i64,
    /// Whether known lines may still come.
    catching_up: bool,
    /// The time of the last line.
    pub(super) last_ns: i64,
}

impl Frames {
    /// Lines up to `known_ns` will be left out.
    pub(crate) fn new(known_ns: i64) -> Self {
        Self {
            known_ns,
            catching_up: true,
            last_ns: known_ns,
            ..Self::default()
        }
    }

    /// Takes what the engine sent next.
    pub(crate) fn add_output(&mut self, output: &LogOutput, batch: &mut Batch) {
        match output {
            LogOutput::StdOut { message } => self.take(0, message, batch),
            LogOutput::StdErr { message } => self.take(1, message, batch),
            LogOutput::Console { message } => self.take_terminal(message, batch),
            LogOutput::StdIn { .. } => {}
        }
    }

    /// Takes a frame of a stream: 0 is standard output, 1 is standard error.
    fn take(&mut self, stream: usize, frame: &[u8], batch: &mut Batch) {
        for piece in frame.split_inclusive(|byte| *byte == b'\n') {
            let (time_ns, piece) = timed(piece);
            if let Some(time_ns) = time_ns {
                if self.catching_up && time_ns <= self.known_ns {
                    continue;
                }
                self.catching_up = false;
                self.last_ns = self.last_ns.max(time_ns);
            }
            self.add(stream, piece, batch);
        }
    }

    /// Takes a piece of a terminal's output.
    fn take_terminal(&mut self, piece: &[u8], batch: &mut Batch) {
        for piece in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.open[0].len() + piece.len() > LONGEST {
                batch.too_long += u64::from(!self.skipping[0]);
                self.skipping[0] = !piece.ends_with(b"\n");
                self.open[0].clear();
                continue;
            }
            self.open[0].extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.open[0]);
                if !std::mem::take(&mut self.skipping[0]) {
                    self.take(1, &line, batch);
                }
            }
        }
    }

    fn add(&mut self, stream: usize, piece: &[u8], batch: &mut Batch) {
        let (open, skipping) = (&mut self.open[stream], &mut self.skipping[stream]);
        let ends = piece.ends_with(b"\n");
        if open.len() + piece.len() > LONGEST {
            batch.too_long += u64::from(!*skipping);
            *skipping = true;
            *open = Vec::new();
        }
        match (ends, *skipping) {
            (true, true) => *skipping = false,
            (false, true) => {}
            (true, false) => {
                batch.text.append(open);
                batch.text.extend_from_slice(piece);
            }
            (false, false) => open.extend_from_slice(piece),
        }
    }
}

/// The time in front of a piece, and the piece without it.
fn timed(piece: &[u8]) -> (Option<i64>, &[u8]) {
    // Digits of a second may be left out where they are zeros.
    let Some(end) = piece.iter().take(36).position(|byte| *byte == b' ') else {
        return (None, piece);
    };
    let time = std::str::from_utf8(&piece[..end]).ok();
    let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    match time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()) {
        Some(time_ns) => (Some(time_ns), &piece[end + 1..]),
        None => (None, piece),
    }
}

/// Reads the bytes as output of a container, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) {
    let (mut frames, mut batch) = (Frames::new(0), Batch::default());
    frames.take(0, bytes, &mut batch);
    frames.take_terminal(bytes, &mut batch);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn text(batch: &Batch) -> &str {
        std::str::from_utf8(&batch.text).unwrap()
    }

    #[test]
    fn lines_are_put_together_and_known_ones_left_out() {
        let mut frames = Frames::new(10 * SECOND);
        let mut batch = Batch::default();
        for (stream, frame) in [
            (0, "1970-01-01T00:00:09.000000001Z old\n"),
            (1, "1970-01-01T00:00:10Z old too\n"),
            (0, "1970-01-01T00:00:10.000000001Z new, in "),
            (1, "1970-01-01T00:00:10.000000002Z between\n"),
            (0, "1970-01-01T00:00:11.000000000Z two parts\n"),
            // The clock was set back: nothing is lost of what is told now.
            (0, "1970-01-01T00:00:05Z 2026-01-01T00:00:00Z is its own\n"),
            (0, "without a time\n"),
        ] {
            frames.take(stream, frame.as_bytes(), &mut batch);
        }
        assert_eq!(
            text(&batch),
            "between\nnew, in two parts\n2026-01-01T00:00:00Z is its own\nwithout a time\n"
        );
        assert_eq!(frames.last_ns, 11 * SECOND);
    }

    #[test]
    fn a_terminal_may_cut_anywhere() {
        let mut frames = Frames::new(0);
        let mut batch = Batch::default();
        for piece in [
            "1970-01-01T00:0",
            "0:09Z a\r\n1970-01-01T00:00:10Z b",
            "\r\n",
        ] {
            frames.take_terminal(piece.as_bytes(), &mut batch);
        }
        assert_eq!(batch.lines().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(frames.last_ns, 10 * SECOND);
    }

    #[test]
    fn a_line_that_is_too_long_is_counted_and_not_kept() {
        for terminal in [false, true] {
            let mut frames = Frames::new(0);
            let mut batch = Batch::default();
            let piece = "x".repeat(LONGEST / 4);
            for _ in 0..9 {
                match terminal {
                    true => frames.take_terminal(piece.as_bytes(), &mut batch),
                    false => frames.take(0, piece.as_bytes(), &mut batch),
                }
            }
            match terminal {
                true => frames.take_terminal(b"end\nb\n", &mut batch),
                false => frames.take(0, b"end\nb\n", &mut batch),
            }
            assert_eq!((batch.too_long, text(&batch)), (1, "b\n"), "{terminal}");
            assert!(frames.open[0].capacity() <= 2 * LONGEST);
        }
    }
}
