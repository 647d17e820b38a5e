//! Jira: an issue is made, changed, closed and opened again.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{KEY, Run, faults, text};
use crate::support::hook::{Hook, Message};

/// A Jira with one issue at most, whose state a test can set.
async fn jira(state: Arc<Mutex<Option<&'static str>>>) -> Hook {
    Hook::answering(move |request, _| {
        let mut state = state.lock().unwrap();
        let answer = match request {
            "POST /rest/api/2/search" | "POST /rest/api/3/search/jql" => {
                let issues = state.map(|category| {
                    json!({"key": "OPS-1", "fields": {"status": {"statusCategory": {"key": category}}}})
                });
                json!({"issues": issues.into_iter().collect::<Vec<_>>()})
            }
            "POST /rest/api/2/issue" | "POST /rest/api/3/issue" => {
                *state = Some("new");
                return (201, r#"{"key":"OPS-1"}"#.to_owned());
            }
            "GET /rest/api/2/issue/OPS-1/transitions" => {
                json!({"transitions": [{"id": "11", "name": "Close"}, {"id": "12", "name": "Open"}]})
            }
            "PUT /rest/api/2/issue/OPS-1" | "POST /rest/api/2/issue/OPS-1/transitions" => {
                return (204, String::new());
            }
            other => panic!("{other}"),
        };
        (200, answer.to_string())
    })
    .await
}

fn line(message: &Message) -> String {
    format!("{} {}", message.method, message.path)
}

#[tokio::test]
async fn an_issue_is_made_changed_closed_and_opened_again() {
    let state = Arc::new(Mutex::new(None));
    let entry = "{api_url: 'http://127.0.0.1:PORT/rest/api/2', project: OPS, issue_type: Bug, labels: [a, '{{ .CommonLabels.severity }}'], \
        resolve_transition: Close, reopen_transition: Open, wont_fix_resolution: Declined, reopen_duration: 1h, \
        description: {template: '{{ .Status }}', enable_update: false}, fields: {customfield_1: {value: '{{ .Status }}'}, customfield_2: 3}}";
    let mut run = Run::start(jira(Arc::clone(&state)).await, "", "jira_configs", entry).await;
    run.put(true).await;
    let search = run.hook.next().await;
    assert_eq!(line(&search), "POST /rest/api/2/search");
    let label = format!("ALERT{{{KEY}}}");
    let query = format!(
        "resolution != \"Declined\" and (resolutiondate is EMPTY OR resolutiondate >= -60m) and \
         project=\"OPS\" and labels=\"{label}\" order by status ASC,resolutiondate DESC"
    );
    assert_eq!(
        search.body,
        json!({"jql": query, "fields": ["status"], "maxResults": 2})
    );
    let create = run.hook.next().await;
    assert_eq!(line(&create), "POST /rest/api/2/issue");
    let wanted = json!({"fields": {
        "project": {"key": "OPS"},
        "issuetype": {"name": "Bug"},
        "summary": "[FIRING:1] disk (critical)",
        "description": "firing",
        "labels": ["a", "critical", label],
        "priority": {"name": "High"},
        "customfield_1": {"value": "firing"},
        "customfield_2": 3,
    }});
    assert_eq!(create.body, wanted);

    run.put(false).await;
    let search = run.hook.next().await;
    assert!(text(&search.body["jql"]).contains("statusCategory != Done and "));
    let change = run.hook.next().await;
    assert_eq!(line(&change), "PUT /rest/api/2/issue/OPS-1");
    assert_eq!(
        change.body["fields"]["summary"],
        "[RESOLVED] disk (critical)"
    );
    assert_eq!(
        change.body["fields"]["description"],
        Value::Null,
        "it is not changed"
    );
    assert_eq!(
        line(&run.hook.next().await),
        "GET /rest/api/2/issue/OPS-1/transitions"
    );
    let close = run.hook.next().await;
    assert_eq!(line(&close), "POST /rest/api/2/issue/OPS-1/transitions");
    assert_eq!(close.body, json!({"transition": {"id": "11"}}));

    *state.lock().unwrap() = Some("done");
    run.put(true).await;
    for wanted in [
        "POST /rest/api/2/search",
        "PUT /rest/api/2/issue/OPS-1",
        "GET /rest/api/2/issue/OPS-1/transitions",
    ] {
        assert_eq!(line(&run.hook.next().await), wanted);
    }
    assert_eq!(
        run.hook.next().await.body,
        json!({"transition": {"id": "12"}})
    );
}

#[tokio::test]
async fn the_clouds_third_version_wants_documents() {
    let state = Arc::new(Mutex::new(None));
    let entry = "{api_url: 'http://127.0.0.1:PORT/rest/api/3/', api_type: cloud, project: OPS, issue_type: Bug, priority: '', description: \"one\\n\\ntwo\"}";
    let mut run = Run::start(jira(state).await, "", "jira_configs", entry).await;
    run.put(true).await;
    let search = run.hook.next().await;
    assert_eq!(line(&search), "POST /rest/api/3/search/jql");
    assert!(text(&search.body["jql"]).starts_with("statusCategory != Done and project="));
    let create = run.hook.next().await;
    let paragraph =
        |text: &str| json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
    let document =
        json!({"type": "doc", "version": 1, "content": [paragraph("one"), paragraph("two")]});
    assert_eq!(create.body["fields"]["description"], document);
    assert_eq!(create.body["fields"]["priority"], Value::Null);
    let faults = faults("", "jira_configs", "{api_type: x}");
    assert_eq!(faults.len(), 4, "{faults:?}");
}
