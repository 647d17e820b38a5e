//! Filling in the texts of one message.
//!
//! A template that fails does not keep the message from going out: something
//! plain stands in its place, and the longest text says what is wrong.

use std::cell::RefCell;

use tmpl::{Mode, Template, Value};

use crate::config::Text;
use crate::notification::Notification;

/// Fills in the texts of one message.
pub(crate) struct Filler<'a> {
    message: &'a Notification,
    data: Value,
    mode: Mode,
    /// Whether each value that fails tells all that is known.
    tells: bool,
    faults: RefCell<Vec<String>>,
}

impl<'a> Filler<'a> {
    pub(crate) fn new(message: &'a Notification) -> Self {
        Self {
            message,
            data: super::notice(message).value(),
            mode: Mode::Text,
            tells: false,
            faults: RefCell::default(),
        }
    }

    /// Values are escaped for HTML from here on.
    pub(crate) fn html(mut self) -> Self {
        self.mode = Mode::Html;
        self
    }

    /// For a message of the user's own form, which has no text that would tell what
    /// failed: each value that does tells everything that is known.
    pub(crate) fn telling(mut self) -> Self {
        self.tells = true;
        self
    }

    /// A value of the user's own form, or what stands in its place if it fails.
    pub(crate) fn value(&self, text: &Text) -> Result<String, String> {
        self.fill(text, Mode::Text).ok_or_else(|| {
            let faults = self.faults.borrow();
            match faults.last().filter(|_| self.tells) {
                Some(fault) => super::plain_text(self.message, fault),
                None => String::new(),
            }
        })
    }

    /// A short text, such as a URL or a colour; empty if it fails.
    pub(crate) fn word(&self, text: &Text) -> String {
        self.fill(text, Mode::Text).unwrap_or_default()
    }

    /// A title; the state and the name of the alerts if it fails.
    pub(crate) fn title(&self, text: &Text) -> String {
        self.fill(text, Mode::Text)
            .unwrap_or_else(|| super::plain_title(self.message))
    }

    /// The longest text, to be filled in last: it tells what failed before, and
    /// everything that is known if it fails itself.
    pub(crate) fn body(&self, text: &Text) -> String {
        let filled = self.fill(text, self.mode);
        let faults = self.faults.borrow().join("; ");
        match filled {
            Some(filled) if faults.is_empty() => filled,
            Some(filled) => format!("{filled}\n\nA template failed: {faults}"),
            None => super::plain_text(self.message, &faults),
        }
    }

    /// What failed so far.
    pub(crate) fn faults(&self) -> Option<String> {
        let faults = self.faults.borrow();
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    /// A template that the message cannot do without.
    pub(crate) fn must(&self, template: &Template) -> Result<String, String> {
        let message = self.message;
        let label = |name: &str| super::label_of(message, name);
        let ack_url = message.ack_url();
        let env = super::env(message, &label, &ack_url);
        template
            .execute(&self.data, &env, Mode::Text)
            .map_err(|err| err.to_string())
    }

    fn fill(&self, text: &Text, mode: Mode) -> Option<String> {
        let template = match text {
            Text::Plain(text) => return Some(text.to_string()),
            Text::Template(template) => template,
        };
        let message = self.message;
        let label = |name: &str| super::label_of(message, name);
        let ack_url = message.ack_url();
        let env = super::env(message, &label, &ack_url);
        let filled = template.execute(&self.data, &env, mode);
        filled
            .map_err(|err| self.faults.borrow_mut().push(err.to_string()))
            .ok()
    }
}
