//! Finding an issue, making or changing it, and moving it on.

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::config::Text;
use crate::health::{Class, Failure};
use crate::http::{Answer, Ask, Line};
use crate::notification::Notification;
use crate::vendor::tree::Tree;
use crate::vendor::{Telling, Vendor, cut, key_of};
use crate::words::Filler;

/// A text, and whether a later message changes it.
pub(super) struct Words {
    pub(super) text: Text,
    pub(super) updates: bool,
}

/// What is compiled.
pub(super) struct Post {
    pub(super) api: Url,
    /// Whether issues are searched as Jira's cloud wants it.
    pub(super) cloud: bool,
    /// Whether long texts are documents: from version 3 of the API on.
    pub(super) documents: bool,
    pub(super) project: Text,
    pub(super) issue_type: Text,
    pub(super) summary: Words,
    pub(super) description: Words,
    pub(super) labels: Vec<Text>,
    pub(super) priority: Text,
    pub(super) reopen: String,
    pub(super) resolve: String,
    pub(super) wont_fix: String,
    /// Zero for ever.
    pub(super) reopen_minutes: u64,
    pub(super) fields: Vec<(String, Tree)>,
}

/// What is to be asked for a message.
struct Wanted {
    query: String,
    create: Map<String, Value>,
    update: Map<String, Value>,
}

impl Post {
    fn wanted(&self, message: &Notification) -> Wanted {
        let filler = Filler::new(message);
        let label = format!("ALERT{{{}}}", key_of(message));
        let project = filler.word(&self.project);
        let mut labels: Vec<_> = self.labels.iter().map(|text| filler.word(text)).collect();
        labels.retain(|label| !label.is_empty());
        labels.push(label.clone());
        let mut fields = Map::new();
        for (name, tree) in &self.fields {
            fields.insert(name.clone(), tree.fill(&filler, true));
        }
        fields.insert("labels".into(), json!(labels));
        fields.insert("project".into(), json!({"key": project}));
        let issue_type = filler.word(&self.issue_type);
        fields.insert("issuetype".into(), json!({"name": issue_type}));
        let priority = filler.word(&self.priority);
        if !priority.is_empty() {
            fields.insert("priority".into(), json!({"name": priority}));
        }
        let summary = cut(filler.title(&self.summary.text), 255);
        fields.insert("summary".into(), json!(summary));
        let description = cut(filler.body(&self.description.text), 32_767);
        let description = match self.documents {
            true => document(&description),
            false => json!(description),
        };
        fields.insert("description".into(), description);
        let mut update = fields.clone();
        for name in ["project", "issuetype"] {
            update.remove(name);
        }
        for (name, words) in [
            ("summary", &self.summary),
            ("description", &self.description),
        ] {
            if !words.updates {
                update.remove(name);
            }
        }
        Wanted {
            query: self.query(message.firing(), &project, &label),
            create: fields,
            update,
        }
    }

    /// The question for the issue that this is about.
    fn query(&self, firing: bool, project: &str, label: &str) -> String {
        let mut query = String::new();
        if !self.wont_fix.is_empty() {
            query.push_str(&format!("resolution != {:?} and ", self.wont_fix));
        }
        if !firing || self.reopen.is_empty() {
            query.push_str("statusCategory != Done and ");
        } else if self.reopen_minutes > 0 {
            let minutes = self.reopen_minutes;
            query.push_str(&format!(
                "(resolutiondate is EMPTY OR resolutiondate >= -{minutes}m) and "
            ));
        }
        query.push_str(&format!(
            "project={project:?} and labels={label:?} order by status ASC,resolutiondate DESC"
        ));
        query
    }

    async fn ask(
        &self,
        line: Line<'_>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let url = self.api.join(path);
        let url = url.map_err(|err| Failure::new(Class::Rejected, err.to_string()))?;
        let ask = match method {
            Method::GET => Ask::new(method, url),
            method => Ask::json(method, url, body),
        };
        line.send(ask).await?.good()
    }

    /// The key of the issue that there is, and whether it is done.
    async fn find(&self, line: Line<'_>, query: &str) -> Result<Option<(String, bool)>, Failure> {
        let path = if self.cloud { "search/jql" } else { "search" };
        let body = json!({"jql": query, "fields": ["status"], "maxResults": 2});
        let said = self.ask(line, Method::POST, path, &body).await?.json();
        let Some(issues) = said["issues"].as_array() else {
            return Err(Failure::new(
                Class::Unavailable,
                "Jira's answer names no issues",
            ));
        };
        let Some(issue) = issues.first() else {
            return Ok(None);
        };
        let done = issue["fields"]["status"]["statusCategory"]["key"] == "done";
        let key = issue["key"].as_str().unwrap_or_default();
        Ok(Some((key.to_owned(), done)))
    }

    /// Moves an issue on by a transition of this name.
    async fn transit(&self, line: Line<'_>, key: &str, name: &str) -> Result<(), Failure> {
        let path = format!("issue/{key}/transitions");
        let said = self
            .ask(line, Method::GET, &path, &Value::Null)
            .await?
            .json();
        let known = said["transitions"].as_array().cloned().unwrap_or_default();
        let Some(found) = known.iter().find(|it| it["name"] == name) else {
            let why = format!("can't find transition {name} for issue {key}");
            return Err(Failure::new(Class::Rejected, why));
        };
        let body = json!({"transition": {"id": found["id"]}});
        self.ask(line, Method::POST, &path, &body).await.map(drop)
    }
}

/// A text as a document of Jira; one that is a document already stays as it is.
fn document(text: &str) -> Value {
    if let Ok(value) = serde_json::from_str::<Value>(text)
        && value["type"] == "doc"
    {
        return value;
    }
    let paragraph =
        |text: &str| json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    json!({"type": "doc", "version": 1, "content": lines.map(paragraph).collect::<Vec<_>>()})
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let firing = message.firing();
            let wanted = self.wanted(message);
            let Some((key, done)) = self.find(line, &wanted.query).await? else {
                if firing {
                    let body = json!({"fields": wanted.create});
                    self.ask(line, Method::POST, "issue", &body).await?;
                }
                return Ok(());
            };
            let body = json!({"fields": wanted.update});
            let path = format!("issue/{key}");
            self.ask(line, Method::PUT, &path, &body).await?;
            if firing && done && !self.reopen.is_empty() {
                self.transit(line, &key, &self.reopen).await?;
            } else if !firing && !done && !self.resolve.is_empty() {
                self.transit(line, &key, &self.resolve).await?;
            }
            Ok(())
        }
        .boxed()
    }
}
