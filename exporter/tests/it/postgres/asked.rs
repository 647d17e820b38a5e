//! Questions of the user's own, to a real server.

use std::time::Duration;

use exporter::postgres::{Config, Preset, Query, Sort};
use exposition::Kind;

use super::Work;
use super::cluster::Cluster;

fn preset(name: &str, preset: Preset) -> Query {
    Query {
        name: name.into(),
        preset,
        table: "shop.orders".into(),
        column: "updated".into(),
        by: "state".into(),
        databases: vec!["market".into()],
        interval: Duration::from_millis(300),
        ..Query::default()
    }
}

fn asks(name: &str, sql: &str) -> Query {
    Query {
        name: name.into(),
        sql: sql.into(),
        interval: Duration::from_millis(300),
        ..Query::default()
    }
}

/// Presets, labels and values; and what is refused, too long or too much.
pub(super) async fn questions(cluster: &Cluster) {
    let session = cluster.session("postgres", "setup").await;
    session.run("CREATE DATABASE market").await;
    session
        .run("CREATE SEQUENCE numbers; GRANT ALL ON SEQUENCE numbers TO watch")
        .await;
    let shop = cluster.session("market", "setup").await;
    shop.run(
        "CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO watch;
         CREATE TABLE shop.orders (state text, reason text, updated timestamptz);
         INSERT INTO shop.orders VALUES
           ('paid', 'ok', now() - interval '2 days'), ('paid', 'ok', now()),
           ('stuck', 'card', now() - interval '10 days'), (NULL, NULL, NULL);
         CREATE TABLE alembic_version (version_num text);
         INSERT INTO alembic_version VALUES ('ab12');
         GRANT SELECT ON shop.orders, alembic_version TO watch",
    )
    .await;
    let outcome = Query {
        by: "reason".into(),
        since: Duration::from_secs(3 * 86_400),
        ..preset("outcomes", Preset::OutcomeByReason)
    };
    let revision = Query {
        table: String::new(),
        column: String::new(),
        ..preset("revision", Preset::SchemaRevision)
    };
    let labelled = Query {
        labels: vec!["kind".into()],
        values: vec!["small".into(), "value".into()],
        ..asks(
            "things",
            "SELECT 'a' AS kind, 1 AS small, 2 AS value, 3 AS unheard UNION ALL \
             SELECT 'b', NULL, 4, 5 UNION ALL SELECT 'a', 9, 9, 9;",
        )
    };
    let slow = Query {
        timeout: Duration::from_millis(200),
        ..asks("slow", "SELECT 1 AS value FROM pg_sleep(60)")
    };
    let many = Query {
        labels: vec!["n".into()],
        limit: 5,
        ..asks(
            "many",
            "SELECT n, 1 AS value FROM generate_series(1, 1000) AS n",
        )
    };
    let growing = Query {
        kind: Sort::Counter,
        ..asks("handed_in_total", "SELECT 7 AS value")
    };
    let elsewhere = Query {
        server: "another".into(),
        ..asks("elsewhere", "SELECT 1 AS value")
    };
    let work = Work::with(Config {
        servers: vec![cluster.address()],
        queries: vec![
            preset("orders", Preset::RowCount),
            preset("newest", Preset::NewestRowAge),
            preset("stuck", Preset::OldestRowPerState),
            outcome,
            revision,
            labelled,
            slow,
            many,
            growing,
            elsewhere,
            asks("remarked", "SELECT 3 AS value -- with a remark"),
            asks("writes", "SELECT nextval('numbers') AS value"),
            asks("wrong", "SELECT nothing FROM nowhere"),
        ],
        ..Work::config(Duration::from_secs(20))
    });
    let success = |name: &str| {
        let database = match name {
            "orders" | "newest" | "stuck" | "outcomes" | "revision" => "market",
            _ => "postgres",
        };
        format!("belfry_postgres_query_success{{datname=\"{database}\",query=\"{name}\"}}")
    };
    let failing = ["slow", "writes", "wrong"];
    let good = [
        "orders", "newest", "stuck", "outcomes", "revision", "things", "many", "remarked",
    ];
    // Each is asked in its turn, and once more where the machine had no time for it.
    let page = work
        .page("all answers", |page| {
            let told = |names: &[&str], value: f64| {
                let mut names = names.iter();
                names.all(|name| page.value(&success(name)) == Some(value))
            };
            told(&failing, 0.0)
                && told(&good, 1.0)
                && page.value("handed_in_total{datname=\"postgres\"}") == Some(7.0)
                && page.value("revision{datname=\"market\",revision=\"ab12\"}") == Some(1.0)
        })
        .await;
    for (series, value) in [
        ("orders{datname=\"market\"}", 4.0),
        ("stuck_rows{datname=\"market\",state=\"paid\"}", 2.0),
        ("stuck_rows{datname=\"market\",state=\"stuck\"}", 1.0),
        ("outcomes{datname=\"market\",reason=\"ok\"}", 2.0),
        ("things{datname=\"postgres\",kind=\"a\"}", 2.0),
        ("things{datname=\"postgres\",kind=\"b\"}", 4.0),
        ("things_small{datname=\"postgres\",kind=\"a\"}", 1.0),
        ("handed_in_total{datname=\"postgres\"}", 7.0),
        ("remarked{datname=\"postgres\"}", 3.0),
        ("many{datname=\"postgres\",n=\"5\"}", 1.0),
        (
            "belfry_postgres_query_truncated{datname=\"postgres\",query=\"many\"}",
            1.0,
        ),
    ] {
        assert_eq!(page.value(series), Some(value), "{series}");
    }
    let kind = |family: &str| page.types.get(family).copied();
    assert_eq!(kind("handed_in_total"), Some(Kind::Counter));
    assert_eq!(kind("orders"), Some(Kind::Gauge));
    for series in [
        "outcomes{datname=\"market\",reason=\"card\"}",
        "things_small{datname=\"postgres\",kind=\"b\"}",
        "things_unheard{datname=\"postgres\",kind=\"a\"}",
        "many{datname=\"postgres\",n=\"6\"}",
        "slow{datname=\"postgres\"}",
        "writes{datname=\"postgres\"}",
        &success("elsewhere"),
    ] {
        assert_eq!(page.value(series), None, "{series}");
    }
    let age = page.value("stuck_age_seconds{datname=\"market\",state=\"stuck\"}");
    assert!(age > Some(863_000.0) && age < Some(865_000.0), "{age:?}");
    assert!(page.value("newest{datname=\"market\"}") < Some(3600.0));
    assert_eq!(page.value("pg_up"), Some(1.0));
}
