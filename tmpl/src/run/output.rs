//! The text that a run has made so far, within its limit.

use crate::{Value, html, print};

pub(crate) struct Output {
    text: String,
    limit: usize,
    page: Option<html::Page>,
}

impl Output {
    pub(crate) fn new(limit: usize, page: Option<html::Page>) -> Self {
        Self {
            text: String::new(),
            limit,
            page,
        }
    }

    /// Text of the template itself.
    pub(super) fn literal(&mut self, text: &str) -> Result<(), String> {
        match &mut self.page {
            Some(page) => page.literal(text, &mut self.text),
            None => self.text.push_str(text),
        }
        self.within()
    }

    /// A value, escaped where that is asked for.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), String> {
        let text = print::plain(value, self.limit)?;
        match &mut self.page {
            Some(page) => page.value(&text, value, &mut self.text)?,
            None => self.text.push_str(&text),
        }
        self.within()
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn within(&self) -> Result<(), String> {
        match self.text.len() > self.limit {
            true => Err(print::too_large(self.limit)),
            false => Ok(()),
        }
    }
}
