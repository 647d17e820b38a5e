//! What must be done now and then: writing the series, and proving that
//! state and mail work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use healthchecks::readiness::{Report, Status};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Watch;
use super::watch::dependency;
use crate::state;

/// How much a crash may lose of the series.
const FLUSH: Duration = Duration::from_secs(15);
/// A disk that takes longer for one write is reported as failing.
const DISK: Duration = Duration::from_secs(8);
/// Retention and the memory cap need no more than this.
const MAINTAIN: u32 = 8;
/// A database that broke is noticed within this many rounds.
const HEARTBEAT: u32 = 4;
/// An SMTP server is asked this often whether it would take a mail.
const MAIL: u32 = 20;
/// While it would not, it is asked more often.
const MAIL_AGAIN: u32 = 2;

/// Does it all until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let beat = watch.liveness.watch("upkeep", FLUSH * 8, Instant::now());
    let mut ticks = time::interval(FLUSH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0_u32;
    let mut writing = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("upkeep"),
            _ = ticks.tick() => {}
        }
        // Where the series cannot be written the database cannot either, perhaps.
        let written = flush(&watch, &mut writing).await;
        if round.is_multiple_of(HEARTBEAT) || !watch.own.writable() || !written {
            heartbeat(&watch).await;
        }
        let mail_again = if watch.own.mail_is_up() {
            MAIL
        } else {
            MAIL_AGAIN
        };
        if round.is_multiple_of(mail_again) {
            probe_mail(&watch);
        }
        report_mail(&watch).await;
        if round % MAINTAIN == MAINTAIN - 1 || watch.store.is_pressed() {
            for shed in watch.store.maintain(watch.clock.now_ms()).shed {
                tracing::error!(
                    name = &*shed.name,
                    series = shed.series,
                    "a family of metrics was given up for want of memory"
                );
            }
        }
        round = round.wrapping_add(1);
        beat.beat(Instant::now());
    }
}

async fn heartbeat(watch: &Watch) {
    let written = state::write_heartbeat(&watch.state.pool, watch.clock.now_ms());
    match time::timeout(DISK, written).await {
        Ok(Ok(())) => watch.state_written(),
        Ok(Err(err)) => watch.state_failed("heartbeat", &err),
        Err(_) => watch.state_failed("heartbeat", &"the disk does not answer"),
    }
}

/// Asks the SMTP server in the background: it may take its time.
fn probe_mail(watch: &Arc<Watch>) {
    let watch = Arc::clone(watch);
    tokio::spawn(async move {
        if let Ok(answers) = watch.alerter.probe().await
            && !answers.is_empty()
        {
            let mut failures = answers.into_iter().filter_map(|(_, answer)| answer.err());
            let failed = failures.next().map(|failure| failure.to_string());
            watch.own.mail_probed(failed, watch.clock.now_ms());
            report_mail(&watch).await;
        }
    });
}

/// Puts together what the last mail and the last probe say.
async fn report_mail(watch: &Watch) {
    let Ok(health) = watch.alerter.mail_health().await else {
        let report = Report::failing("the alerter has ended");
        watch
            .readiness
            .report(dependency::MAIL, report, watch.clock.now_ms());
        return;
    };
    // A mail that was taken since says more than a probe that failed before it.
    let probe = watch.own.mail_probe().map(|(answer, at_ms)| match answer {
        Err(_)
            if health
                .last_success_ms
                .is_some_and(|success_ms| success_ms > at_ms) =>
        {
            Ok(())
        }
        answer => answer,
    });
    let report = match (&health.last_failure, probe) {
        _ if !health.configured => Report::absent("no SMTP server is configured"),
        (Some((_, failure)), _) if health.failing_since_ms.is_some() => {
            Report::failing(failure.to_string())
        }
        (_, Some(Err(failure))) => Report::failing(failure),
        (_, Some(Ok(()))) => Report::ok(None),
        (_, None) if health.last_success_ms.is_some() => Report::ok(None),
        (_, None) => return,
    };
    let up = report.status != Status::Failing;
    match (watch.own.mail_up(up), up) {
        (true, false) => tracing::error!("mail would not go out: {}", report.reason),
        (true, true) => tracing::info!("mail would go out again"),
        (false, _) => {}
    }
    watch
        .readiness
        .report(dependency::MAIL, report, watch.clock.now_ms());
}

/// Writes the series; false if that failed. A disk that hangs costs one thread:
/// no second write is begun before the first has ended.
async fn flush(watch: &Arc<Watch>, under_way: &mut Option<JoinHandle<Report>>) -> bool {
    let mut writing = under_way.take().unwrap_or_else(|| {
        let on = Arc::clone(watch);
        tokio::task::spawn_blocking(move || on.flush_series())
    });
    let report = match time::timeout(DISK, &mut writing).await {
        Ok(Ok(report)) => report,
        Ok(Err(_)) => Report::failing("the write panicked"),
        Err(_) => {
            *under_way = Some(writing);
            Report::failing("the disk does not answer")
        }
    };
    let written = report.status != Status::Failing;
    watch
        .readiness
        .report(dependency::SERIES, report, watch.clock.now_ms());
    written
}
