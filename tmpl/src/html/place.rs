//! What an attribute holds, by its name.

/// The kind of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Plain,
    Script,
    Style,
    /// A URL: whether it has begun, and whether its query has.
    Url {
        begun: bool,
        query: bool,
    },
}

/// Attributes that hold a URL.
const URLS: &[&str] = &[
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "ping",
    "poster",
    "profile",
    "src",
    "srcset",
    "usemap",
    "xmlns",
];

impl Attribute {
    pub(super) fn named(name: &str) -> Self {
        let url = Self::Url {
            begun: false,
            query: false,
        };
        let name = match name.strip_prefix("data-") {
            Some(own) => own,
            None => match name.split_once(':') {
                Some(("xmlns", _)) => return url,
                Some((_, local)) => local,
                None => name,
            },
        };
        match name {
            "style" => Self::Style,
            "srcdoc" => Self::Script,
            name if URLS.contains(&name) => url,
            name if name.starts_with("on") => Self::Script,
            // Names of one's own that speak of a URL.
            name if ["src", "uri", "url"].iter().any(|part| name.contains(part)) => url,
            _ => Self::Plain,
        }
    }

    /// Text of the template goes into the value.
    pub(super) fn follow(&mut self, text: &str) {
        if let Self::Url { begun, query } = self {
            *begun |= !text.trim().is_empty();
            *query |= text.contains(['?', '#']);
        }
    }
}
