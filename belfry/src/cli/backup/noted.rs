//! Runs by hand in the history of runs, so that the watch knows of them: one that is good
//! ends the alert about the one before it.

use sqlx::SqlitePool;

use crate::app;
use crate::config::Config;
use crate::out;
use crate::state::{self, Ended, State};

/// Does a job's task, and notes how it went where a watch keeps its state. Without one,
/// or where that cannot be written, it is done all the same.
pub(super) async fn noted<T>(
    config: &Config,
    (job, task): (&str, &str),
    work: impl Future<Output = T>,
    told: impl FnOnce(&T) -> Ended,
) -> T {
    let begun = begin(config, job, task).await.unwrap_or_else(|err| {
        warn(&err.to_string());
        None
    });
    let done = work.await;
    if let Some((pool, id)) = begun {
        let ended = state::end_run(&pool, id, super::now_ms(), &told(&done)).await;
        if let Err(err) = ended {
            warn(&err.to_string());
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

/// Makes the history where there is none yet, as on a new host.
pub(super) async fn make(config: &Config) {
    let folder = app::data_folder(config);
    if state::database_of(&folder).exists() {
        return;
    }
    match State::open(&folder).await {
        // Held for no longer than it takes: what is started soon may be a watch.
        Ok(made) => {
            made.pool.close().await;
            if let Some(why) = made.in_memory {
                warn(&why);
            }
        }
        Err(err) => warn(&err.to_string()),
    }
}

fn warn(err: &str) {
    out::error(format_args!(
        "belfry: the watch does not hear of this: {err}"
    ));
}
