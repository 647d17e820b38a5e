//! From the entry of a receiver's list to a way of telling people.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tmpl::Template;

use super::compile::Problems;
use super::words::Templates;
use super::{Global, HttpConfig, http};
use crate::http::{Way, check_url};
use crate::plan::{Channel, Kind};
use crate::vendor::Vendor;

/// The section of an integration over HTTP.
pub(crate) trait Section {
    /// What it is.
    const KIND: Kind;

    /// Whether ended alerts are told too.
    fn send_resolved(&self) -> bool;

    /// How its server is spoken to, if it says that.
    fn http_config(&self) -> Option<&HttpConfig>;

    /// Compiles it; none if it cannot be, which is then among the problems.
    fn make(&self, making: &mut Making<'_>) -> Option<Made>;
}

/// What all sections answer alike, for within `impl Section`.
macro_rules! entry {
    ($kind:expr) => {
        const KIND: $crate::plan::Kind = $kind;

        fn send_resolved(&self) -> bool {
            self.send_resolved
        }

        fn http_config(&self) -> Option<&$crate::config::HttpConfig> {
            self.http_config.as_ref()
        }
    };
}
pub(crate) use entry;

/// What a section is compiled with.
pub(crate) struct Making<'a> {
    pub global: &'a Global,
    templates: &'a Templates,
    /// `receiver/place`: tells it from others.
    pub name: &'a str,
    key: &'a str,
    problems: &'a mut Problems,
    /// The way to the server, for those that have to say more of it.
    pub way: Way,
}

/// What a section becomes.
pub(crate) struct Made {
    /// What names its server among those that messages wait for; no secret.
    pub server: String,
    /// For one attempt; zero for as long as its group's deadline.
    pub timeout: Duration,
    pub vendor: Box<dyn Vendor>,
}

impl Made {
    /// For a vendor whose server is known.
    pub(crate) fn new(url: &Url, vendor: impl Vendor + 'static) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Self {
            server: format!("{host}:{port}"),
            timeout: Duration::ZERO,
            vendor: Box::new(vendor),
        }
    }
}

/// A text that may be a template.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Plain(Arc<str>),
    Template(Template),
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain("".into())
    }
}

impl Making<'_> {
    /// Notes what is wrong with a field.
    pub(crate) fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.problems.add(format!("{}.{field}", self.key), message);
    }

    /// A text; one that cannot be parsed is among the problems.
    pub(crate) fn text(&mut self, field: &str, text: &str) -> Text {
        if !text.contains("{{") {
            return Text::Plain(text.into());
        }
        match self.templates.set.parse(text) {
            Ok(template) => Text::Template(template),
            Err(err) => {
                self.fault(field, err.to_string());
                Text::default()
            }
        }
    }

    /// A URL that can be posted to.
    pub(crate) fn url(&mut self, field: &str, text: &str) -> Option<Url> {
        let made = check_url(text.trim());
        made.map_err(|err| self.fault(field, err)).ok()
    }

    /// A template of the URL, which is filled in at each message.
    pub(crate) fn url_template(&mut self, field: &str, text: &str) -> Option<Template> {
        let made = self.templates.set.parse(text.trim());
        made.map_err(|err| self.fault(field, format!("invalid template syntax: {err}")))
            .ok()
    }
}

/// Compiles one entry.
pub(super) fn channel<S: Section>(
    section: &S,
    global: &Global,
    templates: &Templates,
    (name, key): (&str, &str),
    problems: &mut Problems,
) -> Option<Channel> {
    let default = HttpConfig::default();
    let http = section.http_config().or(global.http_config.as_ref());
    let way = http::way(http.unwrap_or(&default), key, problems);
    let mut making = Making {
        global,
        templates,
        name,
        key,
        problems,
        way,
    };
    let made = section.make(&mut making)?;
    Some(Channel {
        kind: S::KIND,
        address: format!("{} {}", S::KIND.as_str(), made.server).into(),
        send_resolved: section.send_resolved(),
        timeout: made.timeout,
        way: making.way,
        vendor: made.vendor,
    })
}
