//! Those who bring messages to people, each against a server that takes what the
//! vendor's documentation describes.

mod chat;
mod failures;
mod jira;
mod more;
mod paging;
mod push;
mod sns;
mod table;

use std::time::Duration;

use alert::Alert;
use alerter::{Config, Handle, Mail};
use serde_json::Value;

use crate::support::hook::{Hook, Message};
use crate::support::{alert, config, database, start};

/// SHA-256 of the group's key, by which vendors know it again.
const KEY: &str = "042ef489202f74313d71d1a9c534ef4e3d4c7ef88278c2707e29f1fe6d3892dd";

/// What the default texts say of the one alert.
const LABELS: &str = "Labels:\n - alertname = disk\n - severity = critical\n\
    Annotations:\n - summary = <full> & more\nSource: \n";

/// A receiver with one entry in one list, that is told at once.
fn tree(global: &str, list: &str, entry: &str) -> Config {
    config(&format!(
        "{{global: {{{global}}}, \
          route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}}, \
          receivers: [{{name: ops, {list}: [{entry}]}}]}}"
    ))
}

fn disk(fires: bool) -> Alert {
    let mut disk = alert("disk", fires);
    disk.labels.insert("severity".into(), "critical".into());
    let summary = "<full> & more".to_owned();
    disk.annotations.insert("summary".into(), summary);
    disk
}

struct Run {
    hook: Hook,
    handle: Handle,
    _folder: tempfile::TempDir,
}

impl Run {
    /// `PORT` in the texts is the server's.
    async fn start(hook: Hook, global: &str, list: &str, entry: &str) -> Self {
        let port = hook.port.to_string();
        let [global, entry] = [global, entry].map(|text| text.replace("PORT", &port));
        let folder = tempfile::tempdir().unwrap();
        let pool = database(folder.path()).await;
        let handle = start(tree(&global, list, &entry), Mail::default(), pool).await;
        Self {
            hook,
            handle,
            _folder: folder,
        }
    }

    async fn put(&self, fires: bool) {
        self.handle.put(vec![disk(fires)]).await.unwrap();
    }

    /// The message when the alert begins, and when it ends.
    async fn both(mut self) -> [Message; 2] {
        self.put(true).await;
        let firing = self.hook.next().await;
        self.put(false).await;
        let resolved = self.hook.next().await;
        self.handle.stop(Duration::from_secs(5)).await;
        assert!(self.hook.ready().is_none(), "nothing is told twice");
        [firing, resolved]
    }
}

/// A vendor that says the same to everything.
async fn told(answer: (u16, &'static str), global: &str, list: &str, entry: &str) -> [Message; 2] {
    let hook = Hook::answering(move |_, _| (answer.0, answer.1.to_owned())).await;
    Run::start(hook, global, list, entry).await.both().await
}

/// The faults of a receiver's entry.
fn faults(global: &str, list: &str, entry: &str) -> Vec<String> {
    let problems = alerter::check(&tree(global, list, entry), &Mail::default());
    problems.into_iter().map(|it| it.to_string()).collect()
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}
