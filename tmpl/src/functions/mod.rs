//! The functions that templates call, in the sets that callers choose from.

mod alertmanager;
mod argument;
mod base64;
mod builtin;
mod compare;
mod escape;
mod host;
mod humanize;
mod index;
mod json;
mod pattern;
mod prometheus;
mod title;

pub(crate) use alertmanager::join;
pub(crate) use argument::Call;
pub use host::strip_port;
pub(crate) use pattern::quote as quote_pattern;

use crate::Value;

/// The functions a text may name. Go's own are always among them.
#[derive(Debug, Clone, Copy)]
pub struct Functions(&'static [&'static [Function]]);

impl Functions {
    /// Go's own only: `and`, `printf`, `index` and their like.
    #[must_use]
    pub const fn builtin() -> Self {
        Self(&[builtin::TABLE])
    }

    /// Those of Prometheus' rules.
    #[must_use]
    pub const fn prometheus() -> Self {
        Self(&[builtin::TABLE, prometheus::TABLE])
    }

    /// Those of Alertmanager's notifications.
    #[must_use]
    pub const fn alertmanager() -> Self {
        Self(&[builtin::TABLE, alertmanager::TABLE])
    }

    pub(crate) fn find(self, name: &str) -> Option<&'static Function> {
        let mut all = self.0.iter().flat_map(|table| table.iter());
        all.find(|function| function.name == name)
    }
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The fewest and the most arguments.
    takes: (usize, usize),
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    /// Evaluates its arguments until one has this truth.
    Until(bool),
    Plain(fn(&Call<'_>) -> Result<Value, String>),
}

/// As many arguments as one likes.
const MANY: usize = usize::MAX;

impl Function {
    const fn new(
        name: &'static str,
        fewest: usize,
        most: usize,
        run: fn(&Call<'_>) -> Result<Value, String>,
    ) -> Self {
        Self {
            name,
            takes: (fewest, most),
            body: Body::Plain(run),
        }
    }

    /// Whether it can be called with so many arguments.
    pub(crate) fn takes(&self, given: usize) -> Result<(), String> {
        let (fewest, most) = self.takes;
        if given >= fewest && given <= most {
            return Ok(());
        }
        let want = match most {
            MANY => format!("at least {fewest}"),
            _ if given < fewest => fewest.to_string(),
            _ => most.to_string(),
        };
        let name = self.name;
        Err(format!(
            "wrong number of args for {name}: want {want} got {given}"
        ))
    }
}
