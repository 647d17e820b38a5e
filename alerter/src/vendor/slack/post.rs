//! A message as Slack wants it, and what its answers mean.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use reqwest::Url;
use serde_json::{Value, json};
use settings::Secret;

use crate::config::Text;
use crate::health::{Class, Failure};
use crate::http::{Answer, Line, check_url, read};
use crate::notification::Notification;
use crate::vendor::{Telling, Vendor, cut};
use crate::words::Filler;

/// A text under the name that Slack knows it by.
pub(super) type Named = (&'static str, Text);

/// What is compiled: each text under the name that Slack knows it by.
pub(super) struct Post {
    pub(super) url: Secret,
    pub(super) update: bool,
    pub(super) channel: Text,
    pub(super) link_names: bool,
    pub(super) message: Vec<Named>,
    pub(super) title: Text,
    pub(super) attachment: Vec<Named>,
    pub(super) text: Text,
    pub(super) mrkdwn_in: Vec<String>,
    pub(super) fields: Vec<(Text, Text, bool)>,
    pub(super) actions: Vec<(Vec<Named>, Vec<Named>)>,
    /// Where the first message of each group is: its channel and time.
    pub(super) sent: Mutex<BTreeMap<String, (String, String)>>,
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let mut body = words(&filler, &self.message);
        let mut attachment = words(&filler, &self.attachment);
        attachment["title"] = json!(cut(filler.title(&self.title), 1_024));
        attachment["mrkdwn_in"] = json!(self.mrkdwn_in);
        if !self.fields.is_empty() {
            let field = |(title, value, short): &(Text, Text, bool)| {
                json!({
                    "title": filler.word(title),
                    "value": filler.word(value),
                    "short": short,
                })
            };
            attachment["fields"] = self.fields.iter().map(field).collect();
        }
        let mut actions = Vec::new();
        for (button, question) in &self.actions {
            let mut action = words(&filler, button);
            if !question.is_empty() {
                action["confirm"] = words(&filler, question);
            }
            actions.push(action);
        }
        if !actions.is_empty() {
            attachment["actions"] = json!(actions);
        }
        let channel = filler.word(&self.channel);
        if !channel.is_empty() {
            body["channel"] = json!(channel);
        }
        if self.link_names {
            body["link_names"] = json!(true);
        }
        let text = filler.body(&self.text);
        if !text.is_empty() {
            attachment["text"] = json!(text);
        }
        body["attachments"] = json!([attachment]);
        body
    }

    async fn url(&self, changes: bool) -> Result<Url, Failure> {
        let mut text = read(&self.url).await?;
        if changes {
            text = text.replace("/chat.postMessage", "/chat.update");
        }
        check_url(text.trim()).map_err(|err| Failure::new(Class::Rejected, err))
    }
}

/// Those texts that say anything.
fn words(filler: &Filler<'_>, texts: &[(&'static str, Text)]) -> Value {
    let mut found = json!({});
    for (name, text) in texts {
        let text = filler.word(text);
        if !text.is_empty() {
            found[*name] = json!(text);
        }
    }
    found
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let mut body = self.body(message);
            let known = self.update.then(|| {
                let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                sent.get(&message.group_key).cloned()
            });
            let known = known.flatten();
            if let Some((channel, ts)) = &known {
                body["channel"] = json!(channel);
                body["ts"] = json!(ts);
            }
            let url = self.url(known.is_some()).await?;
            let answer = judged(line.post(url, &body).await?)?;
            if self.update {
                let said = answer.json();
                let place = said["channel"].as_str().zip(said["ts"].as_str());
                let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                if !message.firing() {
                    // What comes next is another incident.
                    sent.remove(&message.group_key);
                } else if let Some((channel, ts)) = place {
                    let place = (channel.to_owned(), ts.to_owned());
                    sent.insert(message.group_key.clone(), place);
                }
            }
            Ok(())
        }
        .boxed()
    }
}

/// Slack says 200 to what it does not like too.
fn judged(answer: Answer) -> Result<Answer, Failure> {
    let answer = answer.good()?;
    let said = answer.json();
    let fault = match &said {
        Value::Object(_) if said["ok"] == true => return Ok(answer),
        Value::Object(_) => said["error"].as_str().unwrap_or("no error named"),
        _ if answer.text.trim() == "ok" => return Ok(answer),
        _ => answer.text.trim(),
    };
    let class = match fault {
        "rate_limited" | "ratelimited" => Class::Limited,
        "internal_error" | "fatal_error" | "service_unavailable" => Class::Unavailable,
        _ => Class::Rejected,
    };
    Err(Failure::new(
        class,
        format!("error response from Slack: {fault}"),
    ))
}
