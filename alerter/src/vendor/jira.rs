//! Jira: an issue for each group, found again by a label, by its REST API.

mod post;

use std::collections::BTreeMap;
use std::time::Duration;

use settings::{Any, Kind as Form};

use super::tree::Tree;
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::plan::Kind;
use post::{Post, Words};

settings::section! {
    /// An issue of Jira.
    pub struct Jira {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The API, such as `https://x.atlassian.net/rest/api/2/`; that of `global` if
        /// empty.
        pub api_url: String = String::new(),
        /// How issues are searched: `auto`, `cloud` or `datacenter`.
        pub api_type: String = "auto".into(),
        /// The project's key.
        pub project: String = String::new(),
        /// The name of the issue's type.
        pub issue_type: String = String::new(),
        /// What happened: a text, or `template` and `enable_update`.
        pub summary: Any = Any::default(),
        /// What happened, at length; likewise.
        pub description: Any = Any::default(),
        /// More labels.
        pub labels: Vec<String> = vec![],
        /// The name of its priority.
        pub priority: String = "{{ template \"jira.default.priority\" . }}".into(),
        /// The transition by which a closed issue is opened again.
        pub reopen_transition: String = String::new(),
        /// The transition by which it is closed.
        pub resolve_transition: String = String::new(),
        /// The resolution of issues that are left alone.
        pub wont_fix_resolution: String = String::new(),
        /// How long after its end an issue is opened again; 0 for ever.
        pub reopen_duration: Duration = Duration::ZERO,
        /// More fields by their names.
        pub fields: BTreeMap<String, Any> = BTreeMap::new(),
    }
}

impl Section for Jira {
    crate::config::entry!(Kind::Jira);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        for (field, text) in [("project", &self.project), ("issue_type", &self.issue_type)] {
            if text.is_empty() {
                making.fault(field, format!("missing {field} in jira_config"));
            }
        }
        if !matches!(&*self.api_type, "auto" | "cloud" | "datacenter") {
            let message = "unknown api_type on jira_config, must be cloud, datacenter or auto";
            making.fault("api_type", message);
        }
        let global = &making.global.jira_api_url;
        let api = if self.api_url.is_empty() {
            global
        } else {
            &self.api_url
        };
        if api.is_empty() {
            making.fault("api_url", "no global Jira Cloud URL set");
            return None;
        }
        let api = making.url("api_url", &format!("{}/", api.trim_end_matches('/')))?;
        let host = api.host_str().unwrap_or_default();
        let cloud = match &*self.api_type {
            "cloud" => true,
            "datacenter" => false,
            _ => host.ends_with("atlassian.net"),
        };
        let labels = self.labels.iter().map(|text| making.text("labels", text));
        let labels = labels.collect();
        let fields = self.fields.iter().map(|(name, any)| {
            let field = format!("fields[{name}]");
            (name.clone(), Tree::compile(any, &field, making))
        });
        let fields = fields.collect();
        let post = Post {
            documents: api.path().trim_end_matches('/').ends_with("/3"),
            api: api.clone(),
            cloud,
            project: making.text("project", &self.project),
            issue_type: making.text("issue_type", &self.issue_type),
            summary: words(&self.summary, "summary", making),
            description: words(&self.description, "description", making),
            labels,
            priority: making.text("priority", &self.priority),
            reopen: self.reopen_transition.clone(),
            resolve: self.resolve_transition.clone(),
            wont_fix: self.wont_fix_resolution.clone(),
            reopen_minutes: self.reopen_duration.as_secs() / 60,
            fields,
        };
        Some(Made::new(&api, post))
    }
}

/// A text, or `template` and `enable_update`.
fn words(any: &Any, field: &str, making: &mut Making<'_>) -> Words {
    let default = format!("{{{{ template \"jira.default.{field}\" . }}}}");
    let mut words = Words {
        text: Text::default(),
        updates: true,
    };
    let mut text = default;
    match &any.0.kind {
        Form::Null => {}
        Form::Scalar { text: said, .. } => text.clone_from(said),
        Form::Map(entries) => {
            for (name, value) in entries {
                let said = match &value.kind {
                    Form::Scalar { text, .. } => text.as_str(),
                    _ => "",
                };
                match &*name.text {
                    "template" => text = said.to_owned(),
                    "enable_update" => words.updates = said != "false",
                    other => making.fault(
                        field,
                        format!("unknown key {other:?}; known here: template, enable_update"),
                    ),
                }
            }
        }
        Form::List(_) => making.fault(field, "a text is wanted here, found a list"),
    }
    words.text = making.text(field, &text);
    words
}
