//! Repetitions that Go's library refuses and the engine here takes: those of a repetition,
//! more than a thousand, and a thousand in all where one stands within another.

use crate::Fault;

/// More repetitions than Go's library takes, one within another multiplied.
const MOST: u32 = 1_000;

/// Follows what is repeated while a pattern is read.
pub(super) struct Repeats<'a> {
    pattern: &'a str,
    /// Where the repetition begins that was read just now.
    last: Option<usize>,
    /// How often at most something in the last piece is repeated; none where no piece
    /// stands before.
    piece: Option<u32>,
    /// The most of the pieces before it, of each group that is open.
    groups: Vec<u32>,
}

impl<'a> Repeats<'a> {
    pub(super) fn new(pattern: &'a str) -> Self {
        Self {
            pattern,
            last: None,
            piece: None,
            groups: vec![0],
        }
    }

    pub(super) fn pattern(&self) -> &'a str {
        self.pattern
    }

    /// Something that can be repeated was read.
    pub(super) fn piece(&mut self) {
        self.close_piece();
        self.piece = Some(1);
    }

    /// Something was read that is no piece, such as flags: it parts repetitions.
    pub(super) fn nothing(&mut self) {
        self.last = None;
    }

    /// A group begins.
    pub(super) fn open(&mut self) {
        self.close_piece();
        self.groups.push(0);
    }

    /// A group ends. One that nobody began is found to be at fault elsewhere.
    pub(super) fn close(&mut self) {
        self.close_piece();
        if self.groups.len() > 1 {
            let most = self.groups.pop().unwrap_or_default();
            self.piece = Some(most.max(1));
        }
    }

    /// Another alternative begins.
    pub(super) fn alternative(&mut self) {
        self.close_piece();
    }

    /// Takes the repetition at the start of `rest`: `*`, `+`, `?`, `{n}`, `{n,}` or
    /// `{n,m}`, each with a `?` behind it or without. What stands behind it.
    pub(super) fn take(&mut self, rest: &'a str) -> Result<&'a str, Fault> {
        let count = count(rest);
        let end = count.as_ref().map_or(1, |count| count.end);
        if let Some(Count { low, high, .. }) = count
            && (low.max(high.unwrap_or(0)) > MOST || high.is_some_and(|high| low > high))
        {
            return Err(Fault::new("invalid repeat count", &rest[..end]));
        }
        let behind = &rest[end..];
        let behind = behind.strip_prefix('?').unwrap_or(behind);
        let at = self.pattern.len() - rest.len();
        let until = self.pattern.len() - behind.len();
        if let Some(last) = self.last {
            let both = &self.pattern[last..until];
            return Err(Fault::new("invalid nested repetition operator", both));
        }
        // Without a piece before it the engine refuses it.
        if let Some(within) = self.piece {
            let many = count.map_or(within, |count| count.of(within));
            if many > MOST {
                let this = &self.pattern[at..until];
                return Err(Fault::new("invalid repeat count", this));
            }
            self.piece = Some(many);
            self.last = Some(at);
        }
        Ok(behind)
    }

    fn close_piece(&mut self) {
        self.last = None;
        if let (Some(piece), Some(most)) = (self.piece.take(), self.groups.last_mut()) {
            *most = (*most).max(piece);
        }
    }
}

/// How often something is repeated.
struct Count {
    low: u32,
    /// None for any number.
    high: Option<u32>,
    /// Bytes of it.
    end: usize,
}

impl Count {
    /// How often what is repeated `within` times is repeated with this around it.
    fn of(&self, within: u32) -> u32 {
        match (self.high, self.high.unwrap_or(self.low)) {
            (Some(0), _) => 0,
            (_, 0 | 1) => within,
            (_, many) => within.saturating_mul(many),
        }
    }
}

/// `{n}`, `{n,}` or `{n,m}`, if one stands at the start.
fn count(rest: &str) -> Option<Count> {
    let inside = rest.strip_prefix('{')?;
    // No further than it can reach: a megabyte of braces would be read a million times.
    let mut bytes = inside.bytes();
    let end = bytes.position(|byte| !(byte.is_ascii_digit() || byte == b','))?;
    let inside = inside[end..].starts_with('}').then(|| &inside[..end])?;
    let (low, high) = match inside.split_once(',') {
        Some((low, "")) => (number(low)?, None),
        Some((low, high)) => (number(low)?, Some(number(high)?)),
        None => (number(inside)?, Some(number(inside)?)),
    };
    let end = inside.len() + 2;
    Some(Count { low, high, end })
}

/// A number without a zero before it; of one that is too large, one that is too large.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let sound = digits && (text.len() < 2 || !text.starts_with('0'));
    sound.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Whether a repetition stands at the start, not a brace that is itself.
pub(super) fn begins(rest: &str) -> bool {
    rest.starts_with(['*', '+', '?']) || count(rest).is_some()
}
