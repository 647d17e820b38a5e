//! A mail as its reader sees it: headers and bodies decoded, by a parser that is not ours.

use mailparse::ParsedMail;

/// A received mail.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// Names and decoded values, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The plain text part, empty if there is none.
    pub(crate) text: String,
    /// The HTML part, empty if there is none.
    pub(crate) html: String,
}

impl Mail {
    /// Reads a mail as it stands in a mailbox.
    #[track_caller]
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mail = mailparse::parse_mail(bytes).expect("a mail that can be parsed");
        let headers = mail
            .get_headers()
            .into_iter()
            .map(|header| (header.get_key(), header.get_value()))
            .collect();
        let body = |kind: &str| {
            let part = mail
                .parts()
                .find(|part: &&ParsedMail<'_>| part.ctype.mimetype == kind);
            part.map(|part| part.get_body().expect("a body that can be decoded"))
                .unwrap_or_default()
        };
        Self {
            headers,
            text: body("text/plain"),
            html: body("text/html"),
        }
    }

    /// A header's value, by its name in any case; empty if the mail has none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(same)
            .map_or("", |(_, value)| value)
    }
}
