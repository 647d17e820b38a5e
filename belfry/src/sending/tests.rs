use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alert::Alert;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use rules::relabel::Relabel;
use rules::{Clients, Discovery, Foreign, PrometheusFile};
use tokio_util::sync::CancellationToken;

use super::outbox::relabelled;
use super::*;

fn alerts(count: usize) -> Vec<Alert> {
    let one = |number: usize| Alert {
        labels: BTreeMap::from([
            ("alertname".into(), "A".into()),
            ("number".into(), number.to_string()),
        ]),
        annotations: BTreeMap::new(),
        starts_at: Some(1_700_000_000_000),
        ends_at: Some(1_700_000_240_000),
        generator_url: "http://p/graph".into(),
    };
    (0..count).map(one).collect()
}

fn rules(text: &str) -> Vec<Relabel> {
    let text = format!("alerting: {{alert_relabel_configs: {text}}}");
    let file = PrometheusFile::read("p.yml".as_ref(), &text, &|_| None).unwrap();
    file.alert_relabel
}

fn recipient(address: &str) -> Foreign {
    let text = format!(
        "alerting: {{alertmanagers: [{{timeout: 5s, static_configs: [{{targets: ['{address}']}}]}}]}}"
    );
    let file = PrometheusFile::read("p.yml".as_ref(), &text, &|_| None).unwrap();
    let jobs = [file.alertmanagers[0].job(0)];
    let found = Discovery::default().look(&jobs, &[], Duration::from_secs(60), false);
    found.targets[0].clone()
}

/// An Alertmanager that answers with a status; what it was told in each request.
async fn listen(status: StatusCode) -> (String, Arc<Mutex<Vec<Vec<Alert>>>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let take = move |Json(alerts): Json<Vec<Alert>>| async move {
        keep.lock().unwrap().push(alerts);
        status
    };
    let app = Router::new().route("/api/v2/alerts", post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, told)
}

/// Puts alerts into an outbox, and sends until the queues are empty.
async fn deliver(outbox: &Outbox, targets: &[Foreign], count: usize) {
    let stop = CancellationToken::new();
    let wanted = targets
        .iter()
        .map(|one| (Vec::new(), one.clone()))
        .collect();
    let recipients = outbox.take_over(wanted, &stop);
    outbox.put(alerts(count), &[]);
    stop.cancel();
    for recipient in recipients {
        let client = Clients::default().of(&recipient.target);
        recipient.run(&client).await;
    }
}

#[tokio::test]
async fn all_are_told_in_batches_in_order_and_a_refusal_costs_the_others_nothing() {
    let (good, told) = listen(StatusCode::OK).await;
    let (bad, _) = listen(StatusCode::BAD_REQUEST).await;
    let outbox = Outbox::new(10_000);
    deliver(&outbox, &[recipient(&bad), recipient(&good)], 600).await;
    let told = told.lock().unwrap();
    let sizes: Vec<_> = told.iter().map(Vec::len).collect();
    assert_eq!(sizes, [256, 256, 88]);
    assert_eq!(told.concat(), alerts(600));
    let counts: Vec<_> = outbox
        .recipients()
        .iter()
        .map(|one| {
            (
                one.sent.load(Ordering::Relaxed),
                one.failed.load(Ordering::Relaxed),
            )
        })
        .collect();
    assert_eq!(counts, [(0, 600), (600, 0)]);
}

#[tokio::test]
async fn a_full_queue_drops_its_oldest() {
    let (address, told) = listen(StatusCode::OK).await;
    let outbox = Outbox::new(100);
    deliver(&outbox, &[recipient(&address)], 130).await;
    assert_eq!(told.lock().unwrap().concat(), alerts(130)[30..]);
    assert_eq!(outbox.dropped(), 30);
    Outbox::put(&outbox, Vec::new(), &[]);
    let nobody = Outbox::new(100);
    nobody.put(alerts(3), &[]);
    assert_eq!(nobody.dropped(), 3, "there is nobody to tell");
}

#[test]
fn alerts_are_relabelled_or_dropped() {
    let rules = rules(
        "[{source_labels: [number], regex: '1', action: drop}, {regex: number, action: labeldrop}, {target_label: zone, replacement: eu}]",
    );
    let left: Vec<_> = alerts(2)
        .into_iter()
        .filter_map(|alert| relabelled(alert, &rules))
        .map(|alert| alert.labels)
        .collect();
    let wanted = BTreeMap::from([
        ("alertname".into(), "A".into()),
        ("zone".into(), "eu".into()),
    ]);
    assert_eq!(left, [wanted]);
}
