//! `belfry backup coverage`: what is backed up, what need not be, and what nobody
//! has thought of.

mod elsewhere;

use backup::found::{self, Found};
use backup::{Coverage, Served, Setup, of_database, of_served};
use serde_json::{Value, json};

use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

/// What is listed.
struct Row {
    kind: &'static str,
    name: String,
    project: String,
    coverage: Coverage,
}

pub(super) async fn run(setup: &Setup, config: &Config, json: bool) -> Exit {
    let servers = &config.exporter.postgres.servers;
    let (found, wrong) = match &setup.engine {
        Some(engine) => match found::look(engine).await {
            Ok(found) => (found, None),
            Err(err) => (Found::default(), Some(err)),
        },
        None => (Found::default(), Some("no engine is there".to_owned())),
    };
    if let Some(wrong) = &wrong {
        if servers.is_empty() {
            return super::unable(wrong);
        }
        out::error(format_args!(
            "belfry: volumes and containers cannot be told: {wrong}"
        ));
    }
    let (elsewhere, mut closed) = elsewhere::look(config, &found.places).await;
    closed.extend(found.closed.iter().cloned());
    let rows = rows(setup, &found, &elsewhere);
    if json {
        out::line(Value::from(rows.iter().map(value).collect::<Vec<_>>()));
    } else {
        for row in &rows {
            out::line(line(row));
        }
        if rows.is_empty() {
            out::line("no volumes and no databases");
        }
    }
    for (server, why) in &closed {
        out::error(format_args!(
            "belfry: the databases of {server} cannot be told: {why}"
        ));
    }
    let unknown = rows.iter().any(|row| row.coverage == Coverage::Unknown);
    if unknown || wrong.is_some() || !closed.is_empty() {
        exit::WARNING
    } else {
        exit::OK
    }
}

fn rows(setup: &Setup, found: &Found, elsewhere: &[Served]) -> Vec<Row> {
    let config = &setup.config;
    let databases = found.databases.iter().map(|database| Row {
        kind: "database",
        name: format!("{}/{}", database.container, database.name),
        project: database.project.clone(),
        coverage: of_database(config, &database.container, &database.name),
    });
    let volumes: Vec<_> = found
        .volumes
        .iter()
        .map(|volume| volume.volume.clone())
        .collect();
    let volumes = backup::coverage(config, &volumes)
        .into_iter()
        .map(|(volume, coverage)| Row {
            kind: "volume",
            name: volume.name,
            project: volume.project,
            coverage,
        });
    let elsewhere = elsewhere.iter().map(|database| Row {
        kind: "database",
        name: format!("{}/{}", database.server, database.name),
        project: String::new(),
        coverage: of_served(config, database),
    });
    databases.chain(elsewhere).chain(volumes).collect()
}

fn line(row: &Row) -> String {
    let (word, why) = match &row.coverage {
        Coverage::BackedUp(job) => ("backed up", format!("by {job}")),
        Coverage::Excluded(reason) => ("excluded", reason.clone()),
        Coverage::Unknown => ("UNKNOWN", String::new()),
    };
    let text = format!("{:<9} {:<9} {:<34} {why}", word, row.kind, row.name);
    text.trim_end().to_owned()
}

fn value(row: &Row) -> Value {
    let (job, reason) = match &row.coverage {
        Coverage::BackedUp(job) => (Some(job), None),
        Coverage::Excluded(reason) => (None, Some(reason)),
        Coverage::Unknown => (None, None),
    };
    json!({
        "kind": row.kind,
        "name": row.name,
        "project": row.project,
        "coverage": row.coverage.as_str(),
        "job": job,
        "reason": reason,
    })
}
