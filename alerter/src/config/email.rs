//! An entry of `email_configs`, and what it becomes.

mod address;
mod compile;

use std::collections::BTreeMap;

use settings::Secret;

use super::TlsConfig;
pub(super) use address::addresses;
pub(super) use compile::{compile, daily, fill, from_mail, hello_of, host_port};

settings::section! {
    /// Mail. What is absent comes from `global`.
    pub struct Email {
        /// Recipients, parted by commas; may be a Go template. What is no address in what
        /// it gives keeps the mail from nobody else. Where it gives none, those of `mail.to`
        /// are told; without a `mail` section nobody is, which `belfry why`, the log and
        /// `belfry_mail_failed_total{reason="template"}` say, and it is tried again with
        /// each look at the group. Such mails are never put together, since each may be for
        /// other people.
        pub to: String = String::new(),
        /// The sender; may be a Go template. Where it gives no address, the next of these
        /// that is no template stands in: `global`'s, the `mail` section's, the user's
        /// name at the mail server.
        pub from: String = String::new(),
        /// Where mails go that come back: the envelope's sender. Without a word, `global`'s,
        /// the `mail` section's, or the sender's. Ours, not Alertmanager's.
        pub return_path: String = String::new(),
        /// The mail server as host:port.
        pub smarthost: String = String::new(),
        /// What we call ourselves to the mail server.
        pub hello: String = String::new(),
        /// Who we are to the mail server.
        pub auth_username: String = String::new(),
        /// The proof of it.
        pub auth_password: Secret = Secret::default(),
        /// The proof of it where the server offers CRAM-MD5.
        pub auth_secret: Secret = Secret::default(),
        /// In whose name we send, where that is somebody else than who proves who they
        /// are (PLAIN's authorization identity); empty for the same.
        pub auth_identity: String = String::new(),
        /// Whether the connection must be encrypted by STARTTLS.
        pub require_tls: Option<bool> = None,
        /// Whether it is encrypted from the first byte.
        pub force_implicit_tls: Option<bool> = None,
        /// How the mail server's certificate is checked.
        pub tls_config: Option<TlsConfig> = None,
        /// Whether ended alerts are told too.
        pub send_resolved: bool = false,
        /// The page as a Go template. Without `html`, `text` and `templates` the
        /// bodies are our own; with one of them, Alertmanager's.
        pub html: Option<String> = None,
        /// The text as a Go template.
        pub text: Option<String> = None,
        /// Which mails make a thread.
        pub threading: Threading = Threading::default(),
        /// Header fields that replace ours or add to them, as Go templates.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::section! {
    /// Which mails make a thread, in programs that show them so.
    pub struct Threading {
        /// Whether all mails about a group make one, as Alertmanager has it. Otherwise
        /// those about an incident do: the first answers nothing, and all others answer
        /// the first.
        pub enabled: bool = false,
        /// `daily` for one a day, by the clock here, or `none` for one for ever.
        pub thread_by_date: String = String::new(),
    }
}
