//! ntfy and Gotify.

use serde_json::json;

use super::{faults, told};

const TITLE: &str = "[FIRING:1] disk (critical)";
const LINK: &str = "https://belfry.example.org/#/alerts?receiver=ops";

#[tokio::test]
async fn ntfy_gets_a_message_for_a_topic() {
    let entry =
        "{url: 'http://127.0.0.1:PORT', topic: ops-x, token: tk_1, email: a@b.c, markdown: true}";
    let [firing, resolved] = told((200, "{}"), "", "ntfy_configs", entry).await;
    assert_eq!((&*firing.method, &*firing.path), ("POST", "/"));
    assert_eq!(firing.header("authorization"), "Bearer tk_1");
    let wanted = json!({
        "topic": "ops-x",
        "title": TITLE,
        "message": "<full> & more\n",
        "priority": 5,
        "tags": ["rotating_light", "critical"],
        "click": LINK,
        "email": "a@b.c",
        "markdown": true,
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["message"], "Over: <full> & more\n");
    assert_eq!(resolved.body["priority"], 3);
    assert_eq!(
        resolved.body["tags"],
        json!(["white_check_mark", "critical"])
    );
    assert_eq!(
        faults(
            "",
            "ntfy_configs",
            "{topic: a, token: b, http_config: {bearer_token: c}}"
        ),
        [
            "alerter.receivers[0].ntfy_configs[0].token: at most one of token and http_config's proofs can be set"
        ]
    );
}

#[tokio::test]
async fn a_long_message_for_ntfy_is_cut_in_bytes() {
    let entry = format!(
        "{{url: 'http://127.0.0.1:PORT', topic: a, message: '{}'}}",
        "ä".repeat(4_000)
    );
    let [firing, _] = told((200, "{}"), "", "ntfy_configs", &entry).await;
    let text = super::text(&firing.body["message"]);
    assert!(
        text.len() <= 4_096 && text.ends_with("ä…"),
        "{}",
        text.len()
    );
}

#[tokio::test]
async fn gotify_gets_a_message_of_an_application() {
    let entry = "{url: 'http://127.0.0.1:PORT/push/', token: A1}";
    let [firing, resolved] = told((200, "{}"), "", "gotify_configs", entry).await;
    assert_eq!((&*firing.method, &*firing.path), ("POST", "/push/message"));
    assert_eq!(firing.header("x-gotify-key"), "A1");
    let wanted = json!({
        "title": TITLE,
        "message": "<full> & more\n",
        "priority": 9,
        "extras": {
            "client::display": {"contentType": "text/markdown"},
            "client::notification": {"click": {"url": LINK}},
        },
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["priority"], 4);
}
