//! What vendors' refusals mean, templates that fail, and secrets that change.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Run, text, told};
use crate::support::hook::Hook;
use crate::support::until;

async fn failure(answer: (u16, &'static str), global: &str, list: &str, entry: &str) -> String {
    let hook = Hook::answering(move |_, _| (answer.0, answer.1.to_owned())).await;
    let run = Run::start(hook, global, list, entry).await;
    run.put(true).await;
    until("the failure", async || {
        let events = run.handle.history(0, 10).await.unwrap();
        let failed = |it: &alerter::Event| it.kind == alerter::EventKind::Failed;
        events.into_iter().find(failed).map(|it| it.detail)
    })
    .await
}

#[tokio::test]
async fn a_refusal_is_told_in_the_vendors_words() {
    let slack = "{api_url: 'http://127.0.0.1:PORT/'}";
    let teams = "{webhook_url: 'http://127.0.0.1:PORT/'}";
    let telegram = "{api_url: 'http://127.0.0.1:PORT', bot_token: hunter2, chat_id: 1}";
    let duty = "{routing_key: r, url: 'http://127.0.0.1:PORT/'}";
    let old = "{service_key: r, url: 'http://127.0.0.1:PORT/'}";
    for (list, entry, answer, wanted) in [
        (
            "slack_configs",
            slack,
            (200, "no_service"),
            "http_4xx: error response from Slack: no_service",
        ),
        (
            "slack_configs",
            slack,
            (200, r#"{"ok":false,"error":"ratelimited"}"#),
            "http_429: error response from Slack: ratelimited",
        ),
        (
            "slack_configs",
            slack,
            (403, "invalid_token"),
            "http_4xx: unexpected status code 403: invalid_token",
        ),
        (
            "msteams_configs",
            teams,
            (
                200,
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
            ),
            "http_429: Webhook message",
        ),
        (
            "telegram_configs",
            telegram,
            (
                400,
                r#"{"ok":false,"description":"Bad Request: chat not found"}"#,
            ),
            "http_4xx: telegram: Bad Request: chat not found (400)",
        ),
        (
            "telegram_configs",
            telegram,
            (429, r#"{"ok":false}"#),
            "http_429: unexpected status code 429",
        ),
        (
            "discord_configs",
            teams,
            (429, "slow down"),
            "http_429: unexpected status code 429: slow down",
        ),
        (
            "pagerduty_configs",
            duty,
            (400, r#"{"message":"no"}"#),
            "http_4xx: unexpected status code 400",
        ),
        (
            "pagerduty_configs",
            duty,
            (500, ""),
            "http_5xx: unexpected status code 500",
        ),
        (
            "pagerduty_configs",
            old,
            (403, ""),
            "http_429: unexpected status code 403",
        ),
    ] {
        let detail = failure(answer, "", list, entry).await;
        assert!(
            detail.starts_with(&format!("ops: {wanted}")),
            "{list}: {detail}"
        );
        assert!(!detail.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_message_goes_out_although_its_templates_fail() {
    for (list, entry, at) in [
        (
            "slack_configs",
            "{api_url: 'http://127.0.0.1:PORT/', send_resolved: true, text: TEMPLATE}",
            "/attachments/0/text",
        ),
        (
            "discord_configs",
            "{webhook_url: 'http://127.0.0.1:PORT/', message: TEMPLATE}",
            "/embeds/0/description",
        ),
        (
            "discord_configs",
            "{webhook_url: 'http://127.0.0.1:PORT/', title: TEMPLATE}",
            "/embeds/0/description",
        ),
        (
            "msteams_configs",
            "{webhook_url: 'http://127.0.0.1:PORT/', text: TEMPLATE}",
            "/text",
        ),
        (
            "ntfy_configs",
            "{url: 'http://127.0.0.1:PORT/', topic: a, message: TEMPLATE}",
            "/message",
        ),
        (
            "pagerduty_configs",
            "{routing_key: r, url: 'http://127.0.0.1:PORT/', description: TEMPLATE}",
            "/payload/custom_details/template_error",
        ),
    ] {
        for template in ["'{{ template \"nowhere\" . }}'", "'{{ index .Alerts 7 }}'"] {
            let entry = entry.replace("TEMPLATE", template);
            let [firing, _] = told((200, "ok"), "", list, &entry).await;
            let text = text(firing.body.pointer(at).unwrap());
            let why = ["nowhere", "index out of range"]
                .iter()
                .any(|why| text.contains(why));
            assert!(why, "{list}: {text}");
            assert!(firing.body.to_string().contains("disk"), "{list}");
        }
    }
}

#[tokio::test]
async fn secrets_in_files_are_read_at_each_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "one\n").unwrap();
    let entry = format!(
        "{{url: 'http://127.0.0.1:PORT', token_file: '{}'}}",
        file.display()
    );
    let hook = Hook::answering(|_, _| (200, "{}".into())).await;
    let mut run = Run::start(hook, "", "gotify_configs", &entry).await;
    run.put(true).await;
    assert_eq!(run.hook.next().await.header("x-gotify-key"), "one");
    std::fs::write(&file, "two\n").unwrap();
    run.put(false).await;
    assert_eq!(run.hook.next().await.header("x-gotify-key"), "two");
}

#[tokio::test]
async fn a_token_is_fetched_once_and_anew_when_it_is_refused() {
    let refuse = AtomicBool::new(true);
    let hook = Hook::answering(move |request, _| match request {
        "POST /token" => (200, r#"{"access_token":"t","expires_in":3600}"#.into()),
        _ if refuse.swap(false, Ordering::SeqCst) => (401, "stale".into()),
        _ => (200, String::new()),
    })
    .await;
    let entry = "{url: 'http://127.0.0.1:PORT/hook', http_config: {oauth2: {client_id: 'a b', client_secret: 's:', \
        token_url: 'http://127.0.0.1:PORT/token', scopes: [x, y], endpoint_params: {audience: z}}}}";
    let mut run = Run::start(hook, "", "webhook_configs", entry).await;
    run.put(true).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let message = run.hook.next().await;
        let proof = message.header("authorization").to_owned();
        seen.push((message.path.clone(), proof));
        if message.path == "/token" {
            let form = "grant_type=client_credentials&scope=x+y&audience=z";
            assert_eq!(text(&message.body), form);
        }
    }
    run.put(false).await;
    let last = run.hook.next().await;
    seen.push((last.path.clone(), last.header("authorization").to_owned()));
    let token = ("/token".to_owned(), "Basic YStiOnMlM0E=".to_owned());
    let hook = ("/hook".to_owned(), "Bearer t".to_owned());
    assert_eq!(
        seen,
        [token.clone(), hook.clone(), token, hook.clone(), hook]
    );
}

#[tokio::test]
async fn header_fields_and_a_proxy_are_as_the_configuration_says() {
    // A proxy for plain HTTP is asked for the whole URL.
    let entry = "{url: 'http://hook.example.org/x', http_config: {proxy_url: 'http://u:p@127.0.0.1:PORT', \
        http_headers: {X-One: {values: [a, b]}, X-Two: {secrets: [c]}}}}";
    let [firing, _] = told((200, ""), "", "webhook_configs", entry).await;
    assert_eq!(firing.path, "http://hook.example.org/x");
    assert_eq!(firing.header("proxy-authorization"), "Basic dTpw");
    let ones: Vec<_> = firing.headers.get_all("x-one").iter().collect();
    assert_eq!(ones, ["a", "b"]);
    assert_eq!(firing.header("x-two"), "c");
    let entry = "{url: 'http://127.0.0.1:PORT/x', http_config: {proxy_url: 'http://127.0.0.1:1', no_proxy: 127.0.0.1}}";
    let [firing, _] = told((200, ""), "", "webhook_configs", entry).await;
    assert_eq!(firing.path, "/x");
}

#[tokio::test]
async fn a_webhook_posts_what_its_payload_says() {
    let entry = "{url: 'http://127.0.0.1:PORT/', payload: {text: '{{ .Status }} {{ .CommonLabels.alertname }}', \
        count: '{{ len .Alerts }}', labels: '{{ .CommonLabels | toJson }}', fixed: [1, true, '1'], '{{ .Status }}': null}}";
    let [firing, _] = told((200, ""), "", "webhook_configs", entry).await;
    let wanted = serde_json::json!({
        "text": "firing disk",
        "count": 1,
        "labels": {"alertname": "disk", "severity": "critical"},
        "fixed": [1, true, "1"],
        "firing": null,
    });
    assert_eq!(firing.body, wanted);
}
