//! The prober `systemd`: how a unit is, as `systemctl show` tells it. Only units
//! of the system's own manager; nothing is started or stopped.

use std::collections::BTreeMap;
use std::time::SystemTime;

use tokio::time::Instant;

use super::module::Systemd;
use super::program;
use super::reason::{Failure, Reason, Step};
use super::samples::Samples;

const ASKED: &str = "--property=Id,LoadState,ActiveState,SubState,Result,Type,Unit,LastTriggerUSec,\
                     NextElapseUSecRealtime,NRestarts";
/// The longest name that systemd takes.
const LONGEST: usize = 255;

/// What systemd says of one unit.
type Unit = BTreeMap<String, String>;

/// Asks how the unit `target` is.
pub(super) async fn probe(
    target: &str,
    systemd: &Systemd,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    samples.set("belfry_probe_systemd_active", 0.0);
    let name = unit_name(target)?;
    let began = Instant::now();
    let shown = show(systemd, &name, deadline).await;
    samples.phase(
        "belfry_probe_steps_seconds",
        "ask",
        began.elapsed().as_secs_f64(),
    );
    let unit = shown?;
    publish(&unit, samples);
    judge(systemd, &unit)?;
    if name.ends_with(".timer") {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        in_time(systemd, &unit, now.unwrap_or_default().as_secs_f64())?;
        let job = word(&unit, "Unit");
        if !job.is_empty() {
            let job = show(systemd, &unit_name(job)?, deadline).await?;
            judge_job(&job)?;
        }
    }
    samples.set("belfry_probe_systemd_active", 1.0);
    Ok(())
}

async fn show(systemd: &Systemd, name: &str, deadline: Instant) -> Step<Unit> {
    let program = systemd.program.display().to_string();
    let argv = [&*program, "show", "--no-pager", ASKED, "--", name].map(str::to_owned);
    let ended = program::run(&argv, "", None, deadline).await?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.errors);
        let said = said.lines().next().unwrap_or("systemctl failed");
        return Err(Failure::new(Reason::NotPermitted, said));
    }
    Ok(read(&String::from_utf8_lossy(&ended.output)))
}

/// A name of one unit; a pattern would ask for many.
fn unit_name(target: &str) -> Step<String> {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || ":-_.\\@".contains(sign);
    if target.is_empty() || target.len() > LONGEST || !target.chars().all(plain) {
        return Err(Failure::new(
            Reason::Internal,
            "the target is no name of a unit",
        ));
    }
    Ok(match target.contains('.') {
        true => target.to_owned(),
        false => format!("{target}.service"),
    })
}

fn read(text: &str) -> Unit {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

fn word<'a>(unit: &'a Unit, key: &str) -> &'a str {
    unit.get(key).map_or("", String::as_str)
}

fn publish(unit: &Unit, samples: &mut Samples) {
    let labels = [
        ("active", word(unit, "ActiveState")),
        ("result", word(unit, "Result")),
        ("sub", word(unit, "SubState")),
    ];
    samples.label("belfry_probe_systemd_state_info", &labels, 1.0);
    if let Ok(restarts) = word(unit, "NRestarts").parse::<u32>() {
        samples.set("belfry_probe_systemd_restarts", f64::from(restarts));
    }
    for (key, name) in [
        (
            "LastTriggerUSec",
            "belfry_probe_systemd_last_trigger_timestamp_seconds",
        ),
        (
            "NextElapseUSecRealtime",
            "belfry_probe_systemd_next_trigger_timestamp_seconds",
        ),
    ] {
        if let Some(at) = time(word(unit, key)) {
            samples.set(name, at);
        }
    }
}

/// Whether a text tells of a unit that is as it should be.
pub(super) fn tells(text: &str) -> bool {
    let unit = read(text);
    let timer = Systemd {
        max_age: Some(std::time::Duration::from_secs(1)),
        ..Systemd::default()
    };
    publish(&unit, &mut Samples::default());
    judge(&timer, &unit).is_ok() && judge_job(&unit).is_ok() && in_time(&timer, &unit, 0.0).is_ok()
}

/// Whether a unit is as it should be.
fn judge(systemd: &Systemd, unit: &Unit) -> Step<()> {
    let (active, sub, result) = (
        word(unit, "ActiveState"),
        word(unit, "SubState"),
        word(unit, "Result"),
    );
    match word(unit, "LoadState") {
        "not-found" => return Err(Failure::new(Reason::Missing, "there is no such unit")),
        "loaded" => {}
        "" => return Err(Failure::new(Reason::Protocol, "this is not systemctl")),
        other => return Err(Failure::new(Reason::NotServing, format!("it is {other}"))),
    }
    let good = if systemd.states.is_empty() {
        match active {
            "active" | "reloading" => true,
            "activating" => sub != "auto-restart",
            // A job that is done.
            "inactive" => word(unit, "Type") == "oneshot" && result == "success",
            _ => false,
        }
    } else {
        systemd.states.iter().any(|state| state == active)
    };
    if good {
        return Ok(());
    }
    Err(Failure::new(
        Reason::NotServing,
        format!("it is {active} ({sub}), the result is {result}"),
    ))
}

/// Whether what a timer starts went well the last time.
fn judge_job(job: &Unit) -> Step<()> {
    match (word(job, "LoadState"), word(job, "Result")) {
        ("not-found", _) => Err(Failure::new(
            Reason::Missing,
            format!("{}, which it starts, does not exist", word(job, "Id")),
        )),
        (_, "success" | "") => Ok(()),
        (_, result) => Err(Failure::new(
            Reason::NotServing,
            format!("{}, which it starts, ended with {result}", word(job, "Id")),
        )),
    }
}

/// Whether a timer went off not too long ago.
fn in_time(systemd: &Systemd, timer: &Unit, now: f64) -> Step<()> {
    let Some(most) = systemd.max_age else {
        return Ok(());
    };
    match time(word(timer, "LastTriggerUSec")) {
        Some(at) if now - at <= most.as_secs_f64() => Ok(()),
        Some(at) => Err(Failure::new(
            Reason::Overdue,
            format!("it went off {:.0} s ago", now - at),
        )),
        None => Err(Failure::new(Reason::Overdue, "it never went off")),
    }
}

/// `Sun 2026-11-29 10:27:02 UTC`, in seconds since 1970.
fn time(text: &str) -> Option<f64> {
    let mut words = text.split(' ').skip(1);
    let (day, time) = (words.next()?, words.next()?);
    if words.next() != Some("UTC") {
        return None;
    }
    let at: jiff::Timestamp = format!("{day}T{time}Z").parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds far below 2^53")]
    Some(at.as_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(step: Step<()>) -> Option<Reason> {
        step.err().map(|failure| failure.reason)
    }

    #[test]
    fn only_names_of_one_unit_are_asked_for() {
        for (target, expected) in [
            ("nginx", Some("nginx.service")),
            ("backup.timer", Some("backup.timer")),
            ("getty@tty1.service", Some("getty@tty1.service")),
            (
                "dev-disk-by\\x2duuid.device",
                Some("dev-disk-by\\x2duuid.device"),
            ),
            ("*.service", None),
            ("a b", None),
            ("a;reboot", None),
            ("", None),
        ] {
            assert_eq!(unit_name(target).ok().as_deref(), expected, "{target}");
        }
        assert!(unit_name(&"x".repeat(300)).is_err());
    }

    #[test]
    fn each_state_has_its_reason() {
        let lax = Systemd::default();
        let strict = Systemd {
            states: vec!["inactive".to_owned()],
            ..Systemd::default()
        };
        for (text, systemd, expected) in [
            ("LoadState=loaded\nActiveState=active", &lax, None),
            ("LoadState=loaded\nActiveState=reloading", &lax, None),
            (
                "LoadState=loaded\nActiveState=activating\nSubState=start",
                &lax,
                None,
            ),
            (
                "LoadState=loaded\nActiveState=activating\nSubState=auto-restart",
                &lax,
                Some(Reason::NotServing),
            ),
            (
                "LoadState=loaded\nActiveState=inactive\nType=oneshot\nResult=success",
                &lax,
                None,
            ),
            (
                "LoadState=loaded\nActiveState=inactive\nType=simple\nResult=success",
                &lax,
                Some(Reason::NotServing),
            ),
            (
                "LoadState=loaded\nActiveState=failed",
                &lax,
                Some(Reason::NotServing),
            ),
            ("LoadState=loaded\nActiveState=inactive", &strict, None),
            (
                "LoadState=loaded\nActiveState=active",
                &strict,
                Some(Reason::NotServing),
            ),
            (
                "LoadState=masked\nActiveState=inactive",
                &lax,
                Some(Reason::NotServing),
            ),
            ("LoadState=not-found", &lax, Some(Reason::Missing)),
            ("what is this", &lax, Some(Reason::Protocol)),
        ] {
            assert_eq!(reason(judge(systemd, &read(text))), expected, "{text}");
        }
    }

    #[test]
    fn a_timer_that_does_not_go_off_is_overdue() {
        let daily = Systemd {
            max_age: Some(std::time::Duration::from_secs(90_000)),
            ..Systemd::default()
        };
        let at = "LastTriggerUSec=Thu 1970-01-01 00:01:40 UTC";
        for (text, now, expected) in [
            (at, 90_099.0, None),
            (at, 90_101.0, Some(Reason::Overdue)),
            ("LastTriggerUSec=", 0.0, Some(Reason::Overdue)),
            ("LastTriggerUSec=n/a", 0.0, Some(Reason::Overdue)),
        ] {
            assert_eq!(
                reason(in_time(&daily, &read(text), now)),
                expected,
                "{text}"
            );
        }
        assert_eq!(reason(in_time(&Systemd::default(), &read(""), 0.0)), None);
    }
}
