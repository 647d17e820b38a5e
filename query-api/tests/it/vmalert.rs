//! VictoriaMetrics' `vmalert` with us as its data source, as what it writes to,
//! and as what it restores its alerts from.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use exposition::Labels;
use serde_json::Value;
use series::Store;
use tempfile::TempDir;

use crate::support::claim::{self, Claim};
use crate::support::{Server, serve, source};

const RULES: &str = "
groups:
  - name: shop
    interval: 1s
    rules:
      - record: job:requests:sum
        expr: sum by (job) (requests)
      - alert: TooMany
        expr: requests{code=\"500\"} > 10
        labels: {severity: critical}
        annotations: {summary: '{{ $labels.job }} has {{ $value }}'}
      - alert: Waiting
        expr: requests > 1000
        for: 1h
";

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// Alerts as an Alertmanager is sent them.
type Sent = Arc<Mutex<Vec<Value>>>;

/// Something that takes alerts.
async fn receiver() -> (String, Sent) {
    let sent = Sent::default();
    let take = async |State(sent): State<Sent>, Json(alerts): Json<Vec<Value>>| {
        sent.lock().unwrap().extend(alerts);
    };
    let router = Router::new()
        .route("/api/v2/alerts", post(take))
        .with_state(Arc::clone(&sent));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, sent)
}

/// A vmalert that ends with the test.
struct Vmalert {
    child: Child,
    server: Server,
    dir: TempDir,
    _port: Claim,
}

impl Vmalert {
    fn start(ours: &Server, alerts: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.yml"), RULES).unwrap();
        let port = claim::port();
        let address = format!("127.0.0.1:{}", port.number);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("/usr/bin/vmalert")
            .arg("-rule=rules.yml")
            .args(
                ["datasource", "remoteRead", "remoteWrite"]
                    .map(|what| format!("-{what}.url={}", ours.url)),
            )
            .arg("-remoteRead.ignoreRestoreErrors=false")
            .arg("-remoteWrite.flushInterval=100ms")
            .arg("-evaluationInterval=1s")
            // So that each evaluation sees what was just written.
            .arg("-datasource.queryTimeAlignment=false")
            .arg(format!("-notifier.url={alerts}"))
            .arg(format!("-httpListenAddr={address}"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|err| {
                panic!(
                    "vmalert is missing here; install it: apt-get install victoria-metrics: {err}"
                )
            });
        let server = Server::at(format!("http://{address}"));
        Self {
            child,
            server,
            dir,
            _port: port,
        }
    }

    /// Asks until `look` finds something; fails with its log.
    async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{what}\n{}",
                log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Since when it thinks that an alert is active.
    async fn active_since(&self, name: &str) -> Option<String> {
        let request = self.server.request(reqwest::Method::GET, "/api/v1/alerts");
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        let alerts = answer["data"]["alerts"].as_array()?;
        let alert = alerts.iter().find(|alert| alert["name"] == name)?;
        Some(alert["activeAt"].as_str()?.to_owned())
    }
}

impl Drop for Vmalert {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the series of this test alive.
fn feed(store: &Store) {
    for (code, value) in [("200", 5000.0), ("500", 12.0)] {
        let labels = Labels::from_pairs([("__name__", "requests"), ("job", "api"), ("code", code)]);
        store.append(&labels, now_ms(), value).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vmalert_reads_from_us_writes_to_us_and_restores_from_us() {
    let mut source = source(Store::new());
    source.now_ms = Arc::new(now_ms);
    let store = Arc::clone(&source.store);
    let ours = serve(source).await;
    let (alerts, sent) = receiver().await;
    feed(&store);
    let vmalert = Vmalert::start(&ours, &alerts);
    let value = async |query: &str| {
        feed(&store);
        let found = ours.data(&format!("/api/v1/query?query={query}")).await;
        Some(found["result"][0]["value"][1].as_str()?.to_owned())
    };
    let recorded = async || value("job:requests:sum").await;
    let recorded = vmalert
        .until("the recorded series should come", recorded)
        .await;
    assert_eq!(recorded, "5012");
    let firing = async || value("ALERTS{alertname=\"TooMany\",alertstate=\"firing\"}").await;
    assert_eq!(
        vmalert.until("the alert should be written", firing).await,
        "1"
    );

    let told = async || {
        let sent = sent.lock().unwrap();
        let alert = sent
            .iter()
            .find(|alert| alert["labels"]["alertname"] == "TooMany");
        alert.cloned()
    };
    let told = vmalert.until("the alert should be told", told).await;
    assert_eq!(told["labels"]["severity"], "critical");
    assert_eq!(told["labels"]["code"], "500");
    assert_eq!(told["annotations"]["summary"], "api has 12");

    // What waits for its hour goes on waiting after a restart, not anew.
    let waits = async || value("ALERTS_FOR_STATE{alertname=\"Waiting\"}").await;
    let since = vmalert.until("the state should be written", waits).await;
    let before = vmalert
        .until("an alert should wait", async || {
            vmalert.active_since("Waiting").await
        })
        .await;
    drop(vmalert);
    let began = now_ms() / 1000;
    assert!(since.parse::<f64>().unwrap() as i64 <= began);
    let seconds = || now_ms() / 1000;
    while seconds() < began + 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let again = Vmalert::start(&ours, &alerts);
    let restored = async || {
        feed(&store);
        let active = again.active_since("Waiting").await?;
        // To the second: that is what the series says.
        (active[..19] == before[..19]).then_some(())
    };
    again.until("the wait should go on", restored).await;
}
