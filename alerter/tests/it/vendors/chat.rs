//! Slack, Telegram, Discord and Microsoft Teams.

use serde_json::json;

use super::{LABELS, Run, faults, told};
use crate::support::hook::Hook;

const TITLE: &str = "[FIRING:1] disk (critical)";
const LINK: &str = "https://belfry.example.org/#/alerts?receiver=ops";

#[tokio::test]
async fn slack_gets_an_attachment() {
    let entry = "{api_url: 'http://127.0.0.1:PORT/services/T/B/x', send_resolved: true, channel: '#ops', \
        fields: [{title: Where, value: '{{ .CommonLabels.severity }}'}], \
        actions: [{type: button, text: Look, url: 'http://x', confirm: {text: Sure}}]}";
    let [firing, resolved] = told((200, "ok"), "", "slack_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/services/T/B/x")
    );
    assert_eq!(firing.header("content-type"), "application/json");
    let wanted = json!({
        "channel": "#ops",
        "username": "Alertmanager",
        "attachments": [{
            "title": TITLE,
            "title_link": LINK,
            "fallback": format!("{TITLE} | {LINK}"),
            "color": "danger",
            "mrkdwn_in": ["fallback", "pretext", "text"],
            "fields": [{"title": "Where", "value": "critical", "short": false}],
            "actions": [{"type": "button", "text": "Look", "url": "http://x", "confirm": {"text": "Sure"}}],
        }],
    });
    assert_eq!(firing.body, wanted);
    let attachment = &resolved.body["attachments"][0];
    assert_eq!(attachment["color"], "good");
    assert_eq!(attachment["title"], "[RESOLVED] disk (critical)");
    let faults = faults(
        "",
        "slack_configs",
        "{fields: [{title: a}], actions: [{type: b}]}",
    );
    assert_eq!(
        faults[0],
        "alerter.receivers[0].slack_configs[0].api_url: no Slack API URL nor App token set either inline or in a file"
    );
}

#[tokio::test]
async fn a_slack_app_proves_itself_and_changes_its_first_message() {
    let hook =
        Hook::answering(|_, _| (200, r#"{"ok":true,"channel":"C1","ts":"1.2"}"#.into())).await;
    let global =
        "slack_app_token: xoxb, slack_app_url: 'http://127.0.0.1:PORT/api/chat.postMessage'";
    let entry =
        "{channel: ops, update_message: true, send_resolved: true, text: 'it {{ .Status }}'}";
    let [firing, resolved] = Run::start(hook, global, "slack_configs", entry)
        .await
        .both()
        .await;
    assert_eq!(firing.header("authorization"), "Bearer xoxb");
    assert_eq!(firing.path, "/api/chat.postMessage");
    assert_eq!(firing.body["attachments"][0]["text"], "it firing");
    assert_eq!(resolved.path, "/api/chat.update");
    assert_eq!(
        (&resolved.body["channel"], &resolved.body["ts"]),
        (&json!("C1"), &json!("1.2"))
    );
}

#[tokio::test]
async fn telegram_gets_a_message_in_html() {
    let global = "telegram_api_url: 'http://127.0.0.1:PORT', telegram_bot_token: '1:abc'";
    let entry = "{chat_id: -42, message_thread_id: 7, disable_notifications: true}";
    let ok = (200, r#"{"ok":true,"result":{}}"#);
    let [firing, resolved] = told(ok, global, "telegram_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/bot1:abc/sendMessage")
    );
    let text = LABELS.replace("<full> & more", "&lt;full&gt; &amp; more");
    let wanted = json!({
        "chat_id": -42,
        "message_thread_id": 7,
        "text": format!("Alerts Firing:\n{text}"),
        "parse_mode": "HTML",
        "disable_web_page_preview": true,
        "disable_notification": true,
    });
    assert_eq!(firing.body, wanted);
    assert!(super::text(&resolved.body["text"]).starts_with("Alerts Resolved:\n"));
    assert_eq!(
        faults("", "telegram_configs", "{parse_mode: html}"),
        [
            "alerter.receivers[0].telegram_configs[0].bot_token: missing bot_token or bot_token_file on telegram_config",
            "alerter.receivers[0].telegram_configs[0].chat_id: missing chat_id or chat_id_file on telegram_config",
            "alerter.receivers[0].telegram_configs[0].parse_mode: unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string",
        ]
    );
}

#[tokio::test]
async fn a_telegram_message_is_never_longer_than_it_may_be() {
    let global = "telegram_api_url: 'http://127.0.0.1:PORT', telegram_bot_token: '1:abc'";
    for mode in ["HTML", "MarkdownV2"] {
        let entry = format!(
            "{{chat_id: '@ops', parse_mode: {mode}, message: '{{{{ range .Alerts }}}}{}{{{{ end }}}}'}}",
            "<b>ä</b>".repeat(600)
        );
        let ok = (200, r#"{"ok":true}"#);
        let [firing, _] = told(ok, global, "telegram_configs", &entry).await;
        assert_eq!(firing.body["chat_id"], "@ops");
        let text = super::text(&firing.body["text"]);
        assert!(text.chars().count() <= 4_096);
        // Cut markup would be refused, so it is told without any.
        let plain = firing.body["parse_mode"].is_null();
        assert_eq!(plain, mode == "HTML");
        assert_eq!(plain, text.contains("disk fires"), "{text}");
    }
}

#[tokio::test]
async fn discord_gets_an_embed() {
    let entry =
        "{webhook_url: 'http://127.0.0.1:PORT/api/webhooks/1/t', username: bell, content: '@here'}";
    let [firing, resolved] = told((204, ""), "", "discord_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/api/webhooks/1/t")
    );
    let wanted = json!({
        "content": "@here",
        "username": "bell",
        "embeds": [{
            "title": TITLE,
            "description": format!("Alerts Firing:\n{LABELS}"),
            "color": 10_038_562,
        }],
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["embeds"][0]["color"], 3_066_993);
    assert_eq!(
        faults("", "discord_configs", "{}"),
        [
            "alerter.receivers[0].discord_configs[0].webhook_url: one of webhook_url or webhook_url_file must be configured"
        ]
    );
}

#[tokio::test]
async fn teams_gets_a_card_of_either_kind() {
    let entry = "{webhook_url: 'http://127.0.0.1:PORT/hook'}";
    let [firing, resolved] = told((200, "1"), "", "msteams_configs", entry).await;
    let list = "\n# Alerts Firing:\n\nLabels:\n  - alertname = disk\n  - severity = critical\n\n\
        Annotations:\n  - summary = <full> & more\n\nSource: \n";
    let wanted = json!({
        "@context": "http://schema.org/extensions",
        "@type": "MessageCard",
        "title": TITLE,
        "summary": TITLE,
        "themeColor": "8C1A1A",
        "text": list,
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["themeColor"], "2DC72D");

    let [firing, resolved] = told((202, ""), "", "msteamsv2_configs", entry).await;
    let attachment = &firing.body["attachments"][0];
    assert_eq!(firing.body["type"], "message");
    assert_eq!(
        attachment["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    let wanted = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [
            {"type": "TextBlock", "text": TITLE, "weight": "Bolder", "size": "Medium", "wrap": true, "style": "heading", "color": "attention"},
            {"type": "TextBlock", "text": list, "wrap": true},
        ],
        "msteams": {"width": "full"},
    });
    assert_eq!(attachment["content"], wanted);
    assert_eq!(
        resolved.body["attachments"][0]["content"]["body"][0]["color"],
        "good"
    );
}
