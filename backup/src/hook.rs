//! Commands of the configuration around a run or a restore: on this host, or inside
//! a container that runs, within a time.

use std::time::Duration;

use tokio::time::timeout;

use crate::Setup;
use crate::tool::{Call, Place};

/// A command, and where it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook<'a> {
    /// Its words; without any there is nothing to do.
    pub(crate) line: &'a [String],
    /// The container in which it runs; empty: on this host.
    pub(crate) container: &'a str,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// What it is called when it fails, such as `the command before the run`.
    pub(crate) called: &'a str,
}

/// Runs a command to its end. The job's name is in its environment.
pub(crate) async fn run(setup: &Setup, job: &str, hook: Hook<'_>) -> Result<(), String> {
    let Some((program, arguments)) = hook.line.split_first() else {
        return Ok(());
    };
    let place = if hook.container.is_empty() {
        Place::Host { bin: None }
    } else {
        Place::Container {
            engine: setup.engine.clone().ok_or("no engine is there")?,
            name: hook.container.to_owned(),
        }
    };
    let call = Call {
        program: program.clone(),
        arguments: arguments.to_vec(),
        environment: vec![("BELFRY_JOB".to_owned(), job.to_owned())],
        password: settings::Secret::default(),
        input: false,
    };
    let run = async {
        let running = place.start(call).await?;
        running.finish().await
    };
    let called = hook.called;
    match timeout(hook.limit, run).await {
        Ok(done) => done.map_err(|err| format!("{called}: {err}")),
        Err(_) => Err(late(called, hook.limit)),
    }
}

/// That it took too long.
pub(crate) fn late(called: &str, limit: Duration) -> String {
    format!(
        "{called}: it took longer than {}",
        settings::format_duration(limit)
    )
}
