//! What the tests share: an alerter on a database of its own, and alerts.

#[path = "../../../../belfry/tests/it/support/claim.rs"]
#[expect(dead_code, reason = "networks are claimed by other tests")]
mod claim;
mod exim;
pub(crate) mod hook;
pub(crate) mod openapi;
pub(crate) mod peer;
mod sink;
pub(crate) mod tls;
pub(crate) mod web;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alert::Alert;
use alerter::{Alerter, Config, Handle, Mail, Notification, Parts, Rendered};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub(crate) use exim::Exim;
pub(crate) use sink::{Act, Sink, Stage, Taken};

const TABLES: &str = concat!(
    include_str!("../../../../belfry/migrations/0002_alerter.sql"),
    include_str!("../../../../belfry/migrations/0003_silences.sql"),
    include_str!("../../../../belfry/migrations/0010_episodes.sql"),
    include_str!("../../../../belfry/migrations/0020_intake.sql"),
    include_str!("../../../../belfry/migrations/0025_mails.sql"),
    include_str!("../../../../belfry/migrations/0027_reached.sql"),
    include_str!("../../../../belfry/migrations/0032_ends.sql")
);

/// Longer than anything takes on a slow machine; reached only by a failing test.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) async fn within<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(LIMIT, wanted).await;
    result.unwrap_or_else(|_| panic!("{what} took longer than {LIMIT:?}"))
}

/// Asks until the answer is there.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

pub(crate) async fn database(folder: &Path) -> SqlitePool {
    let file = folder.join("belfry.db");
    let fresh = !file.exists();
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    if fresh {
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
    }
    pool
}

pub(crate) fn config(yaml: &str) -> Config {
    settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap_or_else(|err| panic!("{err:?}"))
}

pub(crate) fn mail(yaml: &str) -> Mail {
    settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap_or_else(|err| panic!("{err:?}"))
}

pub(crate) async fn start(config: Config, mail: Mail, pool: SqlitePool) -> Handle {
    Box::pin(start_by(Arc::new(now_ms), config, mail, pool)).await
}

/// With a wall clock of the test's own.
pub(crate) async fn start_by(
    clock: alerter::Clock,
    config: Config,
    mail: Mail,
    pool: SqlitePool,
) -> Handle {
    let parts = Parts {
        config,
        mail,
        external_url: "https://belfry.example.org".into(),
        pool,
        render: Arc::new(render),
        clock,
        ack_link: None,
    };
    Box::pin(Alerter::start(parts)).await.unwrap()
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// `first notification +a -b`: firing alerts and ended ones.
fn render(notification: &Notification) -> Rendered {
    let mut text = notification.reason.as_str().to_owned();
    for alert in &notification.alerts {
        let sign = if alert.ended_ms.is_some() { '-' } else { '+' };
        text.push_str(&format!(" {sign}{}", alert.labels["alertname"]));
    }
    Rendered {
        subject: text.clone(),
        html: format!("<p>{text}</p>"),
        text,
    }
}

/// An alert that fires, or has just ended.
pub(crate) fn alert(name: &str, fires: bool) -> Alert {
    Alert {
        labels: [("alertname".to_owned(), name.to_owned())].into(),
        annotations: alert::Set::new(),
        starts_at: Some(now_ms() - 1_000),
        ends_at: (!fires).then(now_ms),
        generator_url: String::new(),
    }
}

/// A tree that tells at once, to a server without encryption.
pub(crate) fn plain(port: u16) -> Config {
    plain_with(port, "")
}

pub(crate) fn plain_with(port: u16, email: &str) -> Config {
    config(&format!(
        "{{global: {{smtp_smarthost: '127.0.0.1:{port}', smtp_from: belfry@example.org, smtp_require_tls: false}}, \
          route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 50ms, repeat_interval: 1h}}, \
          receivers: [{{name: ops, email_configs: [{{to: ops@example.org, send_resolved: true, {email}}}]}}]}}"
    ))
}
