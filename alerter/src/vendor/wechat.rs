//! WeChat Work: a message of an application, by a token that is fetched first.

use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use settings::Secret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Telling, Vendor};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Answer, Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// How long a token is kept.
const HOLDS: Duration = Duration::from_secs(7_200);

/// The server's numbers for a token that it does not take.
const STALE: [i64; 3] = [40_014, 41_001, 42_001];

settings::section! {
    /// A message of an application of WeChat Work.
    pub struct WeChat {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = false,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The secret for the API; that of `global` if empty.
        pub api_secret: Secret = Secret::default(),
        /// The company; that of `global` if empty.
        pub corp_id: String = String::new(),
        /// The API; that of `global` if empty.
        pub api_url: String = String::new(),
        /// The text.
        pub message: String = "{{ template \"wechat.default.message\" . }}".into(),
        /// `text` or `markdown`.
        pub message_type: String = "text".into(),
        /// People, parted by `|`.
        pub to_user: String = "{{ template \"wechat.default.to_user\" . }}".into(),
        /// Parties likewise.
        pub to_party: String = "{{ template \"wechat.default.to_party\" . }}".into(),
        /// Tags likewise.
        pub to_tag: String = "{{ template \"wechat.default.to_tag\" . }}".into(),
        /// The application.
        pub agent_id: String = "{{ template \"wechat.default.agent_id\" . }}".into(),
    }
}

struct Post {
    api: Url,
    secret: Secret,
    corp: String,
    message: Text,
    markdown: bool,
    to: Vec<(&'static str, Text)>,
    token: Mutex<Option<(String, Instant)>>,
}

impl Section for WeChat {
    crate::config::entry!(Kind::WeChat);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let global = making.global;
        let secret = if self.api_secret.is_empty() {
            &global.wechat_api_secret
        } else {
            &self.api_secret
        };
        if secret.is_empty() {
            making.fault(
                "api_secret",
                "no global Wechat Api Secret set either inline or in a file",
            );
        }
        let corp = if self.corp_id.is_empty() {
            &global.wechat_api_corp_id
        } else {
            &self.corp_id
        };
        if corp.is_empty() {
            making.fault("corp_id", "no global Wechat CorpID set");
        }
        if !matches!(&*self.message_type, "text" | "markdown") {
            let message = format!(
                "weChat message type {:?} does not match valid options text, markdown",
                self.message_type
            );
            making.fault("message_type", message);
        }
        let api = if self.api_url.is_empty() {
            &global.wechat_api_url
        } else {
            &self.api_url
        };
        let api = making.url("api_url", &format!("{}/", api.trim_end_matches('/')))?;
        let to = [
            ("touser", &self.to_user),
            ("toparty", &self.to_party),
            ("totag", &self.to_tag),
            ("agentid", &self.agent_id),
        ];
        let post = Post {
            api: api.clone(),
            secret: secret.clone(),
            corp: corp.clone(),
            message: making.text("message", &self.message),
            markdown: self.message_type == "markdown",
            to: to
                .into_iter()
                .map(|(name, text)| (name, making.text(name, text)))
                .collect(),
            token: Mutex::default(),
        };
        Some(Made::new(&api, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let kind = if self.markdown { "markdown" } else { "text" };
        let mut body = json!({"msgtype": kind, "safe": "0"});
        for (name, text) in &self.to {
            let text = filler.word(text);
            if !text.is_empty() {
                body[*name] = json!(text);
            }
        }
        body[kind] = json!({"content": filler.body(&self.message)});
        body
    }

    async fn token(&self, line: Line<'_>) -> Result<String, Failure> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let secret = read(&self.secret).await?;
        let pairs = [("corpid", &*self.corp), ("corpsecret", &*secret)];
        let url = self.url("gettoken", &pairs)?;
        let said = judged(&line.send(Ask::new(Method::GET, url)).await?)?;
        let Some(token) = said["access_token"].as_str().filter(|it| !it.is_empty()) else {
            return Err(Failure::new(Class::Auth, "WeChat gave no access_token"));
        };
        *kept = Some((token.to_owned(), Instant::now() + HOLDS));
        Ok(token.to_owned())
    }

    fn url(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Url, Failure> {
        let url = self.api.join(path);
        let mut url = url.map_err(|err| Failure::new(Class::Rejected, err.to_string()))?;
        url.query_pairs_mut().extend_pairs(pairs);
        Ok(url)
    }
}

/// What was said, if it was no complaint. Whatever is not 200 is tried again.
fn judged(answer: &Answer) -> Result<Value, Failure> {
    if answer.status != 200 {
        return Err(answer.failure(Class::Unavailable));
    }
    let said = answer.json();
    let code = said["errcode"].as_i64().unwrap_or(0);
    if code == 0 {
        return Ok(said);
    }
    let class = match code {
        _ if STALE.contains(&code) => Class::Unavailable,
        45_009 | 45_047 => Class::Limited,
        40_001 | 40_013 => Class::Auth,
        _ => Class::Rejected,
    };
    let words = said["errmsg"].as_str().unwrap_or_default();
    Err(Failure::new(class, format!("WeChat says {code}: {words}")))
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let body = self.body(message);
            let token = self.token(line).await?;
            let url = self.url("message/send", &[("access_token", &token)])?;
            let answer = line.post(url, &body).await?;
            if STALE.contains(&answer.json()["errcode"].as_i64().unwrap_or(0)) {
                *self.token.lock().await = None;
            }
            judged(&answer).map(drop)
        }
        .boxed()
    }
}
