//! Runs by hand in the history of runs, so that the watch knows of them: one that is good
//! ends the alert about the one before it.

use sqlx::SqlitePool;

use crate::app;
use crate::config::Config;
use crate::out;
use crate::state::{self, Ended};

/// Does a job's task, and notes how it went where a watch keeps its state. Without one,
/// or where that cannot be written, it is done all the same.
pub(super) async fn noted<T>(
    config: &Config,
    (job, task): (&str, &str),
    work: impl Future<Output = T>,
    told: impl FnOnce(&T) -> Ended,
) -> T {
    let begun = begin(config, job, task).await.unwrap_or_else(|err| {
        warn(&err);
        None
    });
    let done = work.await;
    if let Some((pool, id)) = begun {
        let ended = state::end_run(&pool, id, super::now_ms(), &told(&done)).await;
        if let Err(err) = ended {
            warn(&err);
        }
        pool.close().await;
    }
    done
}

async fn begin(config: &Config, job: &str, task: &str) -> sqlx::Result<Option<(SqlitePool, i64)>> {
    let file = state::database_of(&app::data_folder(config));
    if !file.exists() {
        return Ok(None);
    }
    let pool = state::beside(&file).await?;
    let id = state::begin_run(&pool, job, task, 0, super::now_ms()).await?;
    Ok(Some((pool, id)))
}

fn warn(err: &sqlx::Error) {
    out::error(format_args!(
        "belfry: the watch does not hear of this: {err}"
    ));
}
