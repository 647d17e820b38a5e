//! Checking a data folder without changing it.

use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

/// What was found of one thing in the folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The thing.
    pub what: &'static str,
    /// Whether it holds together.
    pub sound: bool,
    /// What there is to say.
    pub said: String,
}

/// Checks everything in the folder.
pub(crate) async fn check(dir: &Path) -> Vec<Finding> {
    if !dir.is_dir() {
        return vec![Finding {
            what: "folder",
            sound: false,
            said: format!("there is no folder {}", dir.display()),
        }];
    }
    vec![database(&dir.join("belfry.db")).await, series(dir)]
}

async fn database(file: &Path) -> Finding {
    let finding = |sound, said| Finding {
        what: "database",
        sound,
        said,
    };
    if !file.exists() {
        return finding(true, "none yet".into());
    }
    match look(file).await {
        Ok((problems, migrations)) if problems == "ok" => finding(
            true,
            format!("{}, whole, {migrations} migrations", file.display()),
        ),
        Ok((problems, _)) => finding(false, problems),
        Err(err) => finding(false, format!("cannot be read: {err}")),
    }
}

async fn look(file: &Path) -> sqlx::Result<(String, i64)> {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .connect()
        .await?;
    let problems: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check(5)")
        .fetch_all(&mut connection)
        .await?;
    let (migrations,) = sqlx::query_as("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut connection)
        .await?;
    let problems: Vec<_> = problems.into_iter().map(|(problem,)| problem).collect();
    Ok((problems.join("; "), migrations))
}

fn series(dir: &Path) -> Finding {
    let finding = |sound, said| Finding {
        what: "series",
        sound,
        said,
    };
    if !dir.join("series").exists() {
        return finding(true, "none yet".into());
    }
    let report = series::check(dir);
    if report.is_damaged() {
        let faults = report.faults.iter().map(ToString::to_string);
        let faults: Vec<_> = report.error.into_iter().chain(faults).collect();
        return finding(false, faults.join("; "));
    }
    let bytes = report.snapshot_bytes + report.log_bytes;
    finding(
        true,
        format!(
            "{} series with {} samples in {bytes} bytes",
            report.series, report.samples
        ),
    )
}
