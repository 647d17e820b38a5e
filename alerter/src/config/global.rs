//! The `global` section: what receivers inherit.

use std::time::Duration;

use settings::Secret;

use super::{HttpConfig, TlsConfig};

settings::section! {
    /// What receivers inherit.
    pub struct Global {
        /// How long an alert that names no end fires after it was last heard of.
        pub resolve_timeout: Duration = Duration::from_secs(300),
        /// The sender of mails.
        pub smtp_from: String = String::new(),
        /// Where mails go that come back: the envelope's sender. Ours, not Alertmanager's.
        pub smtp_return_path: String = String::new(),
        /// The mail server as host:port.
        pub smtp_smarthost: String = String::new(),
        /// What we call ourselves to the mail server.
        pub smtp_hello: String = "localhost".into(),
        /// Who we are to the mail server.
        pub smtp_auth_username: String = String::new(),
        /// The proof of it.
        pub smtp_auth_password: Secret = Secret::default(),
        /// The proof of it where the server offers CRAM-MD5.
        pub smtp_auth_secret: Secret = Secret::default(),
        /// In whose name we send, where that is somebody else (PLAIN's authorization
        /// identity); empty for the same.
        pub smtp_auth_identity: String = String::new(),
        /// Whether the connection must be encrypted by STARTTLS.
        pub smtp_require_tls: bool = true,
        /// Whether it is encrypted from the first byte; without a word, on port
        /// 465 it is.
        pub smtp_force_implicit_tls: Option<bool> = None,
        /// How the mail server's certificate is checked.
        pub smtp_tls_config: Option<TlsConfig> = None,
        /// How servers are spoken to over HTTP where a receiver does not say it.
        pub http_config: Option<HttpConfig> = None,
        /// The webhook of Slack.
        pub slack_api_url: Secret = Secret::default(),
        /// The token of a Slack app, instead of a webhook.
        pub slack_app_token: Secret = Secret::default(),
        /// Where messages of a Slack app are posted; without a word
        /// `https://slack.com/api/chat.postMessage`.
        pub slack_app_url: Option<String> = None,
        /// Where events for PagerDuty are posted.
        pub pagerduty_url: String = "https://events.pagerduty.com/v2/enqueue".into(),
        /// Opsgenie's API.
        pub opsgenie_api_url: String = "https://api.opsgenie.com/".into(),
        /// The key for it.
        pub opsgenie_api_key: Secret = Secret::default(),
        /// Telegram's API.
        pub telegram_api_url: String = "https://api.telegram.org".into(),
        /// The token of the Telegram bot.
        pub telegram_bot_token: Secret = Secret::default(),
        /// VictorOps' API.
        pub victorops_api_url: String = "https://alert.victorops.com/integrations/generic/20131114/alert/".into(),
        /// The key for it.
        pub victorops_api_key: Secret = Secret::default(),
        /// Webex' API.
        pub webex_api_url: String = "https://webexapis.com/v1/messages".into(),
        /// Jira's API.
        pub jira_api_url: String = String::new(),
        /// The server of Rocket.Chat.
        pub rocketchat_api_url: String = "https://open.rocket.chat/".into(),
        /// The token of a user there.
        pub rocketchat_token: Secret = Secret::default(),
        /// The user's id.
        pub rocketchat_token_id: Secret = Secret::default(),
        /// WeChat Work's API.
        pub wechat_api_url: String = "https://qyapi.weixin.qq.com/cgi-bin/".into(),
        /// The secret for it.
        pub wechat_api_secret: Secret = Secret::default(),
        /// The company there.
        pub wechat_api_corp_id: String = String::new(),
    }
}
