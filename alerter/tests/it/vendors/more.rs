//! Pushover, VictorOps, Webex, Rocket.Chat and WeChat.

use serde_json::json;

use super::{KEY, LABELS, faults, text, told};
use crate::support::hook::Hook;

pub(super) const TITLE: &str = "[FIRING:1] disk (critical)";
const LINK: &str = "https://belfry.example.org/#/alerts?receiver=ops";

/// What the longer default texts say.
pub(super) fn words() -> String {
    format!("<full> & more\nAlerts Firing:\n{LABELS}")
}

/// The fields of a form.
pub(super) fn form(body: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("x:?{body}")).unwrap();
    let pairs = url.query_pairs();
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

pub(super) fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    let found = form.iter().find(|(have, _)| have == name);
    found.map_or("", |(_, value)| value)
}

#[tokio::test]
async fn pushover_gets_an_urgent_message_and_a_quiet_one() {
    let entry = "{api_url: 'http://127.0.0.1:PORT/1/messages.json', user_key: u, token: t, sound: siren, retry: 2m, ttl: 1d}";
    let ok = (200, r#"{"status":1}"#);
    let [firing, resolved] = told(ok, "", "pushover_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/1/messages.json")
    );
    assert_eq!(
        firing.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    let said = form(text(&firing.body));
    for (name, value) in [
        ("token", "t"),
        ("user", "u"),
        ("title", TITLE),
        ("message", &*words()),
        ("url", LINK),
        ("priority", "2"),
        ("retry", "120"),
        ("expire", "3600"),
        ("ttl", "86400"),
        ("sound", "siren"),
    ] {
        assert_eq!(field(&said, name), value, "{name}");
    }
    assert_eq!(said.len(), 10, "{said:?}");
    let said = form(text(&resolved.body));
    assert_eq!(field(&said, "priority"), "0");
    assert_eq!(field(&said, "retry"), "", "only what is urgent is repeated");
    let entry = "{api_url: 'http://127.0.0.1:PORT/', user_key: u, token: t, html: true, message: '<b>{{ .CommonAnnotations.summary }}</b>'}";
    let [firing, _] = told(ok, "", "pushover_configs", entry).await;
    let said = form(text(&firing.body));
    assert_eq!(field(&said, "message"), "<b>&lt;full&gt; &amp; more</b>");
    assert_eq!(field(&said, "html"), "1");
    assert_eq!(
        faults("", "pushover_configs", "{html: true, monospace: true}").len(),
        3
    );
}

#[tokio::test]
async fn victorops_gets_an_incident_and_its_recovery() {
    let global = "victorops_api_url: 'http://127.0.0.1:PORT/alert/', victorops_api_key: k";
    let entry = "{routing_key: '{{ .CommonLabels.severity }}', message_type: odd, custom_fields: {team: db}}";
    let ok = (200, r#"{"result":"success"}"#);
    let [firing, resolved] = told(ok, global, "victorops_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/alert/k/critical")
    );
    let wanted = json!({
        "message_type": "CRITICAL",
        "entity_id": KEY,
        "entity_display_name": TITLE,
        "monitoring_tool": "Alertmanager",
        "state_message": words(),
        "team": "db",
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["message_type"], "RECOVERY");
    let faults = faults("", "victorops_configs", "{custom_fields: {entity_id: x}}");
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[tokio::test]
async fn webex_gets_a_message_for_a_room() {
    let entry = "{api_url: 'http://127.0.0.1:PORT/v1/messages', room_id: r, http_config: {authorization: {credentials: bot}}}";
    let [firing, _] = told((200, "{}"), "", "webex_configs", entry).await;
    assert_eq!((&*firing.method, &*firing.path), ("POST", "/v1/messages"));
    assert_eq!(firing.header("authorization"), "Bearer bot");
    assert_eq!(firing.body, json!({"roomId": "r", "markdown": words()}));
    assert_eq!(
        faults("", "webex_configs", "{room_id: r}"),
        [
            "alerter.receivers[0].webex_configs[0].http_config: missing webex_configs.http_config.authorization"
        ]
    );
}

#[tokio::test]
async fn rocket_chat_gets_an_attachment() {
    let global = "rocketchat_api_url: 'http://127.0.0.1:PORT/'";
    let entry = "{token: t, token_id: i, channel: '#ops', emoji: ':bell:', send_resolved: true, \
        fields: [{title: a, value: b}], actions: [{text: Look, url: 'http://x'}], short_fields: true}";
    let ok = (200, r#"{"success":true}"#);
    let [firing, resolved] = told(ok, global, "rocketchat_configs", entry).await;
    assert_eq!(
        (&*firing.method, &*firing.path),
        ("POST", "/api/v1/chat.postMessage")
    );
    assert_eq!(
        (firing.header("x-auth-token"), firing.header("x-user-id")),
        ("t", "i")
    );
    let wanted = json!({
        "channel": "#ops",
        "emoji": ":bell:",
        "attachments": [{
            "title": TITLE,
            "title_link": LINK,
            "color": "red",
            "fields": [{"title": "a", "value": "b", "short": true}],
            "actions": [{"type": "button", "text": "Look", "url": "http://x"}],
        }],
    });
    assert_eq!(firing.body, wanted);
    assert_eq!(resolved.body["attachments"][0]["color"], "green");
    assert_eq!(faults("", "rocketchat_configs", "{}").len(), 2);
}

#[tokio::test]
async fn wechat_gets_a_message_by_a_token_that_is_fetched_anew_when_it_is_stale() {
    let stale = std::sync::atomic::AtomicBool::new(true);
    let hook = Hook::answering(move |request, _| match request.split('?').next() {
        Some("GET /gettoken") => (200, r#"{"errcode":0,"access_token":"T"}"#.into()),
        _ if stale.swap(false, std::sync::atomic::Ordering::SeqCst) => (
            200,
            r#"{"errcode":42001,"errmsg":"access_token expired"}"#.into(),
        ),
        _ => (200, r#"{"errcode":0,"errmsg":"ok"}"#.into()),
    })
    .await;
    let global =
        "wechat_api_url: 'http://127.0.0.1:PORT', wechat_api_corp_id: c, wechat_api_secret: s";
    let entry = "{to_user: 'a|b', agent_id: '7', message: '{{ .Status }}', message_type: markdown}";
    let mut run = super::Run::start(hook, global, "wechat_configs", entry).await;
    run.put(true).await;
    let mut paths = Vec::new();
    for _ in 0..4 {
        let message = run.hook.next().await;
        paths.push(message.path.clone());
        if message.method == "POST" {
            let wanted = json!({
                "touser": "a|b",
                "agentid": "7",
                "msgtype": "markdown",
                "markdown": {"content": "firing"},
                "safe": "0",
            });
            assert_eq!(message.body, wanted);
        }
    }
    let (token, send) = (
        "/gettoken?corpid=c&corpsecret=s",
        "/message/send?access_token=T",
    );
    assert_eq!(paths, [token, send, token, send]);
    assert_eq!(
        faults("", "wechat_configs", "{message_type: image}").len(),
        3
    );
}
