//! What goes on around a restore: the containers that use what is restored are
//! stopped while it takes its place, the job's commands run, and what should be
//! well afterwards is asked until it is.

use std::time::Duration;

use bollard::query_parameters::InspectContainerOptions;
use tokio::time::{Instant, sleep, timeout};

use super::{Recovered, oneoff};
use crate::hook::{self, Hook};
use crate::quiet::Quiet;
use crate::run::Say;
use crate::{Job, Setup};

/// How long an answer to one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the engine may take.
const ENGINE: Duration = Duration::from_secs(30);
/// What is asked of a container instead of an address.
pub(crate) const CONTAINER: &str = "container:";

/// The running containers that a job's `stop` means: by their names, or by a label.
pub(super) async fn meant(setup: &Setup, job: &Job) -> Result<Vec<String>, String> {
    let wanted = &job.restore.stop;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let engine = setup.engine.as_ref().ok_or("no engine is there")?;
    let running = timeout(ENGINE, engine.list_containers(None)).await;
    let running = running.map_err(|_| "the engine does not answer")?;
    let running = running.map_err(|err| err.to_string().chars().take(200).collect::<String>())?;
    let mut names = Vec::new();
    for container in running {
        let all = container.names.unwrap_or_default();
        let Some(name) = all.first().map(|name| name.trim_start_matches('/')) else {
            continue;
        };
        let labels = container.labels.unwrap_or_default();
        let means = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|had| had == value),
            None => wanted == name,
        };
        if wanted.iter().any(means) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Stops what uses it. Letting go of what is returned starts it again, as does who
/// comes after a crash.
pub(super) async fn hushed(setup: &Setup, job: &Job, say: Say<'_>) -> Result<Quiet, String> {
    let stop = meant(setup, job).await?;
    if stop.is_empty() && !job.restore.stop.is_empty() {
        say("warn    nothing runs that is to be stopped".to_owned());
    }
    let alone = Job {
        stop,
        pause: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
        ..job.clone()
    };
    let mut quiet = Quiet::begin(setup, &alone, say).await?;
    // A restart policy, or whoever deploys, may have started one meanwhile.
    let why = match meant(setup, job).await {
        Ok(running) if running.is_empty() => return Ok(quiet),
        Ok(running) => format!("{} was started again by somebody else", running.join(", ")),
        Err(err) => err,
    };
    Err(match quiet.end(say).await {
        Ok(()) => why,
        Err(worse) => format!("{why}; and {worse}"),
    })
}

/// What is said of a restore that failed, when whoever was stopped for it was started
/// again; `back` is what came of putting back what was there before.
pub(super) async fn failed(
    err: String,
    back: Result<Recovered, String>,
    hushed: Option<Quiet>,
    say: Say<'_>,
) -> String {
    // It names what is kept of what was restored.
    if let Ok(Some(done)) = &back {
        say(format!("back    {done}"));
    }
    let woken = match hushed {
        Some(mut hushed) => hushed.end(say).await,
        None => Ok(()),
    };
    match back.and(woken) {
        Ok(()) => format!("{err}; everything is as it was"),
        Err(worse) => format!("{err}; and it could not be put back yet: {worse}"),
    }
}

/// The command before anything takes the place of anything.
pub(super) async fn before(setup: &Setup, job: &Job) -> Result<(), String> {
    command(setup, job, &job.restore.before, "the command before").await
}

/// The command when all is well.
pub(super) async fn after(setup: &Setup, job: &Job) -> Result<(), String> {
    command(setup, job, &job.restore.after, "the command after").await
}

async fn command(setup: &Setup, job: &Job, line: &[String], called: &str) -> Result<(), String> {
    let hook = Hook {
        line,
        container: &job.hook_container,
        limit: job.restore.hook_timeout,
        called,
    };
    hook::run(setup, &job.name, hook).await
}

/// Brings what was restored to what the application of today expects.
pub(super) async fn migrate(setup: &Setup, job: &Job, say: Say<'_>) -> Result<(), String> {
    let around = &job.restore;
    if around.migrate.is_empty() {
        return Ok(());
    }
    let called = "the migration";
    if around.migrate_as.is_empty() {
        let hook = Hook {
            line: &around.migrate,
            container: "",
            limit: around.hook_timeout,
            called,
        };
        hook::run(setup, &job.name, hook).await?;
    } else {
        let engine = setup.engine.as_ref().ok_or("no engine is there")?;
        let what = (&*around.migrate_as, &*around.migrate);
        let run = oneoff::run(engine, setup, job, what);
        match timeout(around.hook_timeout, run).await {
            Ok(done) => done.map_err(|err| format!("{called}: {err}"))?,
            Err(_) => {
                let late = hook::late(called, around.hook_timeout);
                return Err(match oneoff::ended(setup, job).await {
                    Ok(()) => late,
                    Err(worse) => format!("{late}; and {worse}"),
                });
            }
        }
    }
    say(format!("migrate {}", around.migrate.join(" ")));
    Ok(())
}

/// Starts what was stopped, and waits until all is well that should be.
pub(super) async fn settled(
    setup: &Setup,
    job: &Job,
    mut quiet: Quiet,
    say: Say<'_>,
) -> Result<(), String> {
    quiet.end(say).await?;
    let deadline = Instant::now() + job.restore.healthy_within;
    for what in &job.restore.healthy {
        let shown = shown(what);
        loop {
            let Err(err) = well(setup, what).await else {
                say(format!("well    {shown}"));
                break;
            };
            if Instant::now() >= deadline {
                return Err(format!("{shown} is not well: {err}"));
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}

async fn well(setup: &Setup, what: &str) -> Result<(), String> {
    if let Some(name) = what.strip_prefix(CONTAINER) {
        return container(setup, name).await;
    }
    let client = crate::ping::client(PATIENCE).map_err(|err| err.to_string())?;
    match client.get(what).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answers {}", answer.status())),
        Err(err) => Err(err.without_url().to_string()),
    }
}

async fn container(setup: &Setup, name: &str) -> Result<(), String> {
    let engine = setup.engine.as_ref().ok_or("no engine is there")?;
    let asked = engine.inspect_container(name, None::<InspectContainerOptions>);
    let found = timeout(ENGINE, asked).await;
    let found = found.map_err(|_| "the engine does not answer")?;
    let found = found.map_err(|err| err.to_string().chars().take(200).collect::<String>())?;
    let state = found.state.unwrap_or_default();
    if state.running != Some(true) {
        return Err("it does not run".to_owned());
    }
    let health = state.health.and_then(|health| health.status);
    let word = health.map(|health| health.to_string()).unwrap_or_default();
    match word.as_str() {
        "" | "none" | "healthy" => Ok(()),
        word => Err(format!("it is {word}")),
    }
}

/// An address without what may be secret in it.
fn shown(what: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(what) else {
        return what.to_owned();
    };
    if what.starts_with(CONTAINER) {
        return what.to_owned();
    }
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn an_address_is_told_without_what_may_be_secret_in_it() {
        for (what, told) in [
            (
                "http://127.0.0.1:8000/health/",
                "http://127.0.0.1:8000/health/",
            ),
            (
                "https://me:hunter2@shop.example/h?key=hunter2",
                "https://shop.example/h",
            ),
            ("container:shop-web-1", "container:shop-web-1"),
        ] {
            assert_eq!(shown(what), told);
        }
    }
}
