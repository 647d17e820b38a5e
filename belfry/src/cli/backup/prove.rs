//! `belfry backup verify` and `drill`: whether a copy can be restored.

use backup::Setup;
use backup::run::Taken;
use backup::verify::Error;
use serde_json::json;

use super::Wanted;
use super::copies;
use super::noted::noted;
use crate::app::{backup_drilled, backup_verified};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn verify(setup: &Setup, config: &Config, wanted: &Wanted, json: bool) -> Exit {
    let told = async {
        let job = setup.config.job(&wanted.job).ok_or("no such job")?;
        let found = copies::find(setup, job).await?;
        let from = copies::from(&wanted.from, config)?;
        let (target, copy) = found.pick(&from, wanted.target.as_deref(), true)?;
        let say = super::telling(json);
        let task = found.task(copy, "verify");
        let now_ms = super::now_ms();
        let work = backup::verify::verify(setup, job, target, copy, now_ms, &say);
        let told = |result: &_| backup_verified(copy, result);
        let result = noted(config, (&job.name, task), Box::pin(work), told).await;
        Ok::<_, String>((copy.manifest.id.clone(), target.name().to_owned(), result))
    };
    let (id, target, result) = match told.await {
        Ok(told) => told,
        Err(err) => return super::unable(&err),
    };
    let (word, code) = match &result {
        Ok(()) => ("verified", exit::OK),
        Err(Error::Unsound(_)) => ("UNSOUND", exit::CRITICAL),
        Err(Error::Taken(Taken::Unable(_))) => ("unknown", exit::CRITICAL),
        Err(Error::Unknown(_) | Error::Taken(Taken::Held(_))) => ("unknown", exit::WARNING),
    };
    let error = result.err().map(|err| err.to_string());
    if json {
        out::line(
            json!({ "id": id, "target": target, "result": word.to_lowercase(), "error": error }),
        );
    } else {
        let why = error.map_or_else(String::new, |error| format!(": {error}"));
        out::line(format_args!("{word}  {id} in {target}{why}"));
    }
    code
}

pub(super) async fn drill(setup: &Setup, config: &Config, wanted: &Wanted, json: bool) -> Exit {
    let told = async {
        let job = setup.config.job(&wanted.job).ok_or("no such job")?;
        let found = copies::find(setup, job).await?;
        let from = copies::from(&wanted.from, config)?;
        let (target, copy) = found.pick(&from, wanted.target.as_deref(), true)?;
        let say = super::telling(json);
        let task = found.task(copy, "drill");
        let now_ms = super::now_ms();
        let work = backup::drill::drill(setup, job, target, copy, now_ms, &say);
        let done = noted(config, (&job.name, task), Box::pin(work), backup_drilled).await;
        done.map_err(|taken| taken.to_string())
    };
    let report = match told.await {
        Ok(report) => report,
        Err(err) => return super::unable(&err),
    };
    if json {
        out::line(serde_json::to_value(&report).unwrap_or_default());
    } else {
        for check in &report.checks {
            let word = if check.passed { "right" } else { "WRONG" };
            out::line(format_args!("{word}   {} is {}", check.sql, check.answer));
        }
        let why = report
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!(": {error}"));
        let word = if report.passed { "PASS" } else { "FAIL" };
        out::line(format_args!(
            "{word}    {} in {:.1} s{why}",
            report.backup, report.seconds
        ));
    }
    match (report.passed, report.unsound) {
        (true, _) => exit::OK,
        (false, _) => exit::CRITICAL,
    }
}
