//! The text being made, with the flags of the verb in hand, width and limit.

/// What stands between the percent sign and the verb.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    /// `%#v`: as Go source.
    pub(super) source: bool,
}

pub(super) struct Printer {
    text: String,
    limit: usize,
    pub(super) flags: Flags,
}

impl Printer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            limit,
            flags: Flags::default(),
        }
    }

    pub(super) fn finish(self) -> Result<String, String> {
        match self.full() {
            true => Err(super::too_large(self.limit)),
            false => Ok(self.text),
        }
    }

    /// Whether the limit is passed; what is added from then on is lost.
    pub(super) fn full(&self) -> bool {
        self.text.len() > self.limit
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if !self.full() {
            self.text.push_str(text);
        }
    }

    pub(super) fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    /// Adds a text, filled up to the width.
    pub(super) fn pad(&mut self, text: &str) {
        let width = self.flags.width.unwrap_or(0);
        let missing = width.saturating_sub(text.chars().count());
        if missing == 0 {
            return self.push_str(text);
        }
        if self.flags.minus {
            self.push_str(text);
            self.fill(' ', missing);
        } else {
            self.fill(if self.flags.zero { '0' } else { ' ' }, missing);
            self.push_str(text);
        }
    }

    pub(super) fn fill(&mut self, c: char, count: usize) {
        // One past the limit is enough to be full.
        let room = (self.limit + 1).saturating_sub(self.text.len());
        for _ in 0..count.min(room) {
            self.text.push(c);
        }
    }

    /// Pads with spaces even if zeros are asked for.
    pub(super) fn pad_with_spaces(&mut self, text: &str) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }
}
