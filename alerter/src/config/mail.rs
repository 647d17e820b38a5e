//! The `mail` section: mail to people, without more ado.

use std::path::PathBuf;
use std::time::Duration;

use settings::Secret;

use crate::smtp::Tls;

settings::section! {
    /// Mail to people, without more ado.
    ///
    /// Alerts that share `alertname` and `project` share a message. Severity
    /// `critical` is told after 10 s, changes after 1 m, repeated each 1 h, the
    /// first time after 15 m unless somebody has acknowledged it;
    /// `info` is shown on the page, and mailed once a day; everything else is told after
    /// 30 s, changes after 5 m, repeated each 4 h. Ends are told too. Where the
    /// `alerter` section has a `route`, mails without a server of their own go
    /// through this one.
    pub struct Mail {
        /// Recipients, parted by commas: `Ops <ops@example.org>, me@example.org`.
        pub to: String = String::new(),
        /// The second contact: recipients who are told too when nobody has
        /// acknowledged a critical alert for `alerter.escalation.second_after`.
        pub second: String = String::new(),
        /// When what is only shown on the page (`info`), and what ended while it was
        /// muted, is told in one mail a day: `HH:MM` in `timezone`; empty for never.
        /// With a `route` of your own it goes to those whom the first route mails, and
        /// tells of `info` as far as its routes lead to receivers that have nobody.
        pub digest: String = "08:00".into(),
        /// Whether mails tell how it was when an alert began: the container's last log
        /// lines without their secrets, the busiest processes, a change of the image.
        pub context: bool = true,
        /// How often a mail is sent only to show that pages arrive; 0s for never. When
        /// one is refused, comes back or is overdue, `BelfryCanaryMissing` fires.
        pub canary: Duration = Duration::ZERO,
        /// The sender; the user name if that is an address.
        pub from: String = String::new(),
        /// Where mails go that come back: the envelope's sender. Without a word, to `from`.
        /// What reads them there is `belfry bounce`.
        pub return_path: String = String::new(),
        /// The mail server as host:port.
        pub smarthost: String = String::new(),
        /// Who we are to the mail server; empty for no authentication.
        pub username: String = String::new(),
        /// The proof of it.
        pub password: Secret = Secret::default(),
        /// How the connection is encrypted; without a word, `implicit` on port
        /// 465 and `starttls` otherwise.
        pub tls: Option<Tls> = None,
        /// What we call ourselves to the mail server; this host's name if empty.
        pub hello: String = String::new(),
        /// Certificates (PEM) to trust instead of the system's.
        pub ca_file: Option<PathBuf> = None,
        /// How long the mail server may take to be ready, and again to take the
        /// mail.
        pub timeout: Duration = Duration::from_secs(30),
        /// Mails to a receiver in an hour. When more groups than that have something
        /// to say, one mail each five minutes tells of all of them; 0 for any number.
        pub hourly: usize = 60,
        /// Who gives us tokens, for servers that want one (XOAUTH2) and no password.
        pub oauth2: Option<MailToken> = None,
        /// More servers, tried in this order when those before them take no mail.
        pub spare: Vec<Spare> = vec![],
    }
}

settings::section! {
    /// Who gives us tokens that stand for a password.
    pub struct MailToken {
        /// Who we are to who gives tokens.
        pub client_id: String = String::new(),
        /// The proof of it.
        pub client_secret: Secret = Secret::default(),
        /// Where tokens are given.
        pub token_url: String = String::new(),
        /// What the token is to be good for.
        pub scopes: Vec<String> = vec![],
        /// What was given to us to ask for tokens in the user's name; without it
        /// they are asked for in our own (client credentials).
        pub refresh_token: Secret = Secret::default(),
    }
}

settings::section! {
    /// A mail server for when those before it take no mail.
    pub struct Spare {
        /// The mail server as host:port.
        pub smarthost: String = String::new(),
        /// Who we are to it; empty for no authentication.
        pub username: String = String::new(),
        /// The proof of it.
        pub password: Secret = Secret::default(),
        /// How the connection is encrypted; without a word as in `mail.tls`.
        pub tls: Option<Tls> = None,
        /// Certificates (PEM) to trust instead of the system's.
        pub ca_file: Option<PathBuf> = None,
    }
}
