use super::*;
use crate::words::tests::notification;

#[test]
fn the_body_is_version_4_of_the_format() {
    let body = payload::write(&notification(true), 0);
    let body = String::from_utf8(body).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"receiver":"a\\.b","status":"firing","alerts":["#,
            r#"{"status":"firing","labels":{"alertname":"Disk","host":"a","job":"n"},"annotations":{"summary":"\u003cb\u003efull\u003c/b\u003e"},"#,
            r#""startsAt":"2026-01-02T03:04:05Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/g?a=b\u0026c","fingerprint":"0000000000000001"},"#,
            r#"{"status":"resolved","labels":{"alertname":"Disk","host":"b","job":"n"},"annotations":{"summary":"\u003cb\u003efull\u003c/b\u003e"},"#,
            r#""startsAt":"2026-01-02T03:04:05Z","endsAt":"2026-01-02T03:04:06Z","generatorURL":"http://p/g?a=b\u0026c","fingerprint":"0000000000000001"}],"#,
            r#""notification_reason":"first notification","groupLabels":{"alertname":"Disk"},"commonLabels":{"alertname":"Disk","job":"n"},"#,
            r#""commonAnnotations":{"summary":"\u003cb\u003efull\u003c/b\u003e"},"routeLabels":{},"externalURL":"http://am","version":"4","groupKey":"{}:{}","truncatedAlerts":0}"#,
            "\n"
        )
    );
}

#[test]
fn alerts_beyond_the_limit_are_counted() {
    let body = payload::write(&notification(true), 1);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(body["truncatedAlerts"], 1);
    assert_eq!(
        body["commonLabels"]["host"], "a",
        "what the shown ones share"
    );
}

#[test]
fn urls_are_checked_and_not_repeated() {
    for (text, wanted) in [
        ("ftp://x/secret", "unsupported scheme \"ftp\" for URL"),
        ("http://", "missing host for URL"),
        ("secret", "invalid URL: relative URL without a base"),
    ] {
        assert_eq!(check_url(text).unwrap_err(), wanted);
    }
    assert!(check_url("https://user:pw@x.example/y?z").is_ok());
}
