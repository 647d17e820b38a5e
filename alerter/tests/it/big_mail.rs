//! A group of 500 alerts by Alertmanager's default mail, beside Debian's
//! Alertmanager: every alert is in it, and it is no larger than there.

use alerter::Mail;
use serde_json::json;

use crate::support::peer::Peer;
use crate::support::web::Served;
use crate::support::{Sink, config, database, now_ms, start, web};

const ALERTS: usize = 500;

/// What the largest mail may have, in bytes; common servers take ten times that.
const LARGEST: usize = 1 << 20;

fn configuration(port: u16) -> String {
    format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{port}', smtp_from: am@example.org, smtp_require_tls: false}}, \
          route: {{receiver: ops, group_by: [alertname], group_wait: 1s, group_interval: 1m, repeat_interval: 1h}}, \
          receivers: [{{name: ops, email_configs: [{{to: ops@example.org, \
          html: '{{{{ template \"email.default.html\" . }}}}'}}]}}]}}"
    )
}

fn page(text: &str) -> String {
    let mail = mailparse::parse_mail(text.as_bytes()).unwrap();
    let part = mail.parts().find(|part| part.ctype.mimetype == "text/html");
    part.unwrap().get_body().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_mail_of_500_alerts_has_all_of_them_and_is_no_larger_than_alertmanagers() {
    let mut sinks = [Sink::start(&[]).await, Sink::start(&[]).await];
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(folder.path(), &configuration(sinks[0].port)).await;
    let pool = database(folder.path()).await;
    let ours = config(&configuration(sinks[1].port));
    let handle = start(ours, Mail::default(), pool).await;
    let served = Served::start(&handle).await;
    let ends = jiff::Timestamp::from_millisecond(now_ms() + 3_600_000).unwrap();
    let alerts: Vec<_> = (0..ALERTS)
        .map(|at| {
            json!({
                "labels": {
                    "alertname": "Disk", "instance": format!("web-{at:03}:9100"), "severity": "warning",
                    "job": "node", "mountpoint": format!("/var/lib/docker/volumes/data-{at:03}"),
                },
                "annotations": {
                    "summary": format!("the disk of web-{at:03} is full"),
                    "description": "It has 3 percent left (limit: 5), and will be full within the hour.",
                },
                "endsAt": ends.to_string(),
                "generatorURL": "http://prometheus.example.org/graph?g0.expr=disk+%3C+5&g0.tab=1",
            })
        })
        .collect();
    for url in [&peer.url, &served.url()] {
        let post = web::client().post(format!("{url}/api/v2/alerts"));
        assert_eq!(post.json(&alerts).send().await.unwrap().status(), 200);
    }
    let theirs = sinks[0].next().await;
    let ours = sinks[1].next().await;
    let shown = page(&ours.text);
    for at in 0..ALERTS {
        assert!(shown.contains(&format!("web-{at:03}:9100")), "{at}");
    }
    assert!(page(&theirs.text).contains("web-499:9100"));
    assert!(shown.contains("500 alerts"), "{}", &shown[..2_000]);
    let (ours, theirs) = (ours.text.len(), theirs.text.len());
    println!("bytes of the mail: {ours} ours, {theirs} Alertmanager's");
    assert!(ours <= theirs, "{ours} bytes, {theirs} there");
    assert!(ours < LARGEST, "{ours} bytes");
}
