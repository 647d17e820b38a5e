//! `belfry status`: one screen; the exit code is the worst severity.

use serde_json::Value;

use super::{Place, client, offline};
use crate::app;
use crate::config;
use crate::exit::{self, Exit};
use crate::out;

/// Asks the running Belfry; when none answers, looks at the host directly.
pub(super) fn run(place: &Place, json: bool) -> Result<Exit, Exit> {
    let config = offline::glance(place)?;
    let data = app::data_folder(&config);
    let code = match offline::wait(client::get(&data, "/api/belfry/v1/status"))? {
        Ok(status) => {
            if json {
                out::line(&status);
            } else {
                for line in screen(&status) {
                    out::line(line);
                }
            }
            worst(&status)
        }
        Err(err) => {
            let problem = format!("{:#}", anyhow::Error::from(err));
            let host = direct(&config);
            if json {
                out::line(
                    serde_json::json!({ "running": false, "error": problem, "host": host.0 }),
                );
            } else {
                out::error(format_args!(
                    "belfry: {problem}; this is what can be seen without it"
                ));
                out::line(host.1);
            }
            exit::USAGE
        }
    };
    Ok(code)
}

/// The exit code: critical, then warning, then whether Belfry itself is ready.
fn worst(status: &Value) -> Exit {
    let severities: Vec<_> = list(status, "cards")
        .iter()
        .map(|card| text(card, "severity"))
        .collect();
    if severities.contains(&"critical") {
        exit::CRITICAL
    } else if severities.contains(&"warning") || status["ready"] != true {
        exit::WARNING
    } else {
        exit::OK
    }
}

fn screen(status: &Value) -> Vec<String> {
    let now_ms = status["now_ms"].as_i64().unwrap_or_default();
    let since = |at: &Value| {
        at.as_i64()
            .map_or_else(|| "-".into(), |at| dashboards::time::duration(now_ms - at))
    };
    let mut lines = vec![headline(status, &since)];

    let mut cards: Vec<_> = list(status, "cards").iter().collect();
    cards.sort_by_key(|card| match text(card, "severity") {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    });
    for card in cards {
        let next = card["next"]["at_ms"].as_i64().map(|at| {
            format!(
                "  {} in {}",
                text(&card["next"], "what"),
                dashboards::time::duration(at - now_ms)
            )
        });
        let mark = match text(card, "severity") {
            "critical" => "SEV-1",
            "warning" => "SEV-2",
            _ => "SEV-3",
        };
        let head = format!(
            "{mark}  {:<24} {:>7}  ",
            text(card, "name"),
            since(&card["since_ms"])
        );
        lines.push(fit(&format!("{head}{}", text(card, "summary"))));
        if let Some(next) = next {
            lines.push(format!("       {}", next.trim_start()));
        }
    }
    for pending in list(status, "pending") {
        lines.push(fit(&format!(
            "wait   {:<24} {:>7}  {}",
            text(pending, "name"),
            since(&pending["since_ms"]),
            text(pending, "summary")
        )));
    }
    lines.extend(tail(status));
    lines
}

fn headline(status: &Value, since: &dyn Fn(&Value) -> String) -> String {
    let facts = &status["facts"];
    let gib = |value: &Value| {
        value
            .as_f64()
            .map_or(0.0, |bytes| bytes / f64::from(1 << 30))
    };
    let mut words = vec![text(status, "host").to_owned()];
    words.push(format!("up {}", since(&facts["boot_ms"])));
    if facts["memory"].is_object() {
        words.push(format!(
            "mem {:.1}/{:.1} GiB",
            gib(&facts["memory"]["used_bytes"]),
            gib(&facts["memory"]["total_bytes"])
        ));
    }
    let fullest = list(facts, "disks")
        .iter()
        .filter_map(|disk| {
            let share =
                disk["usage"]["used_bytes"].as_f64()? / disk["usage"]["total_bytes"].as_f64()?;
            Some((share, text(disk, "mount")))
        })
        .max_by(|one, other| one.0.total_cmp(&other.0));
    if let Some((share, mount)) = fullest {
        words.push(format!("disk {mount} {:.0} %", share * 100.0));
    }
    if let Some(load) = facts["load"]["one"].as_f64() {
        words.push(format!("load {load:.1}"));
    }
    words.join("  ")
}

fn tail(status: &Value) -> Vec<String> {
    let services = list(status, "services");
    let well = services.iter().filter(|service| {
        text(service, "state") == "running" && text(service, "health") != "unhealthy"
    });
    let targets = list(status, "targets");
    let up = targets.iter().filter(|target| target["up"] == true);
    let mail = &status["mail"];
    let mail_word = if mail["configured"] != true {
        "off".to_owned()
    } else if mail["failing"].is_object() {
        format!("FAILING: {}", text(&mail["failing"], "text"))
    } else {
        "ok".to_owned()
    };
    let mut lines = vec![fit(&format!(
        "services {}/{}   targets {}/{}   mail {mail_word}",
        well.count(),
        services.len(),
        up.count(),
        targets.len()
    ))];
    for dependency in list(status, "watch")
        .iter()
        .filter(|dependency| text(dependency, "status") == "down")
    {
        lines.push(fit(&format!(
            "FAIL   {}: {}",
            text(dependency, "name"),
            text(dependency, "detail")
        )));
    }
    for target in targets {
        let error = text(target, "error");
        let mark = match target["up"].as_bool() {
            Some(false) => "FAIL  ",
            None if !error.is_empty() => "note  ",
            _ => continue,
        };
        lines.extend(wrapped(&format!(
            "{mark} {} {}: {error}",
            text(target, "job"),
            text(target, "instance")
        )));
    }
    if status["reload_error"].is_object() {
        lines.push(fit(&format!(
            "FAIL   the last reload was refused: {}",
            text(&status["reload_error"], "text")
        )));
    }
    lines
}

/// Without a server: what /proc says, as JSON and as a line.
fn direct(config: &config::Config) -> (Value, String) {
    let proc = &config.exporter.host.procfs;
    let read = |file: &str| std::fs::read_to_string(proc.join(file)).unwrap_or_default();
    let meminfo = read("meminfo");
    let kib = |name: &str| -> Option<u64> {
        let line = meminfo
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let load = read("loadavg")
        .split(' ')
        .take(3)
        .collect::<Vec<_>>()
        .join(" ");
    let uptime = read("uptime")
        .split('.')
        .next()
        .and_then(|seconds| seconds.parse::<i64>().ok());
    let disk = rustix::fs::statvfs(&config.exporter.host.rootfs)
        .ok()
        .map(|disk| (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize));
    let (total, free) = (kib("MemTotal"), kib("MemAvailable"));
    let json = serde_json::json!({
        "host": config.host_name(),
        "uptime_seconds": uptime,
        "memory_total_bytes": total.map(|kib| kib * 1024),
        "memory_available_bytes": free.map(|kib| kib * 1024),
        "load": load,
        "disk_total_bytes": disk.map(|(total, _)| total),
        "disk_available_bytes": disk.map(|(_, free)| free),
    });
    let mut words = vec![config.host_name()];
    if let Some(seconds) = uptime {
        words.push(format!("up {}", dashboards::time::duration(seconds * 1000)));
    }
    if let (Some(total), Some(free)) = (total, free) {
        words.push(format!(
            "mem {} of {} MiB used",
            (total - free) / 1024,
            total / 1024
        ));
    }
    if let Some((total, free)) = disk.filter(|(total, _)| *total > 0) {
        words.push(format!(
            "disk / {} %",
            100 - u128::from(free) * 100 / u128::from(total)
        ));
    }
    words.push(format!("load {load}"));
    (json, words.join("  "))
}

/// What a person must read whole, in lines of 80 columns.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= 80
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("       {word}")),
        }
    }
    lines.iter().map(|line| fit(line)).collect()
}

/// Cuts a line at 80 columns.
pub(super) fn fit(line: &str) -> String {
    if line.chars().count() <= 80 {
        return line.to_owned();
    }
    line.chars().take(79).chain(['…']).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "host": "vps1", "now_ms": 1_000_000, "ready": true,
            "facts": {
                "boot_ms": 400_000,
                "memory": { "used_bytes": 2_791_728_742_u64, "total_bytes": 4_080_218_931_u64 },
                "disks": [
                    { "mount": "/", "usage": { "used_bytes": 50, "total_bytes": 100 } },
                    { "mount": "/data", "usage": { "used_bytes": 71, "total_bytes": 100 } },
                ],
                "load": { "one": 1.94 },
            },
            "cards": [
                { "severity": "warning", "name": "DiskFilling", "since_ms": 940_000, "summary": "s".repeat(100) },
                { "severity": "critical", "name": "ApiDown", "since_ms": 760_000, "summary": "0 of 2 healthy",
                  "next": { "what": "mail again", "at_ms": 4_600_000 } },
            ],
            "services": [{ "state": "running", "health": "none" }, { "state": "exited", "health": "none" }],
            "targets": [{ "up": true }],
            "mail": { "configured": true },
        })
    }

    #[test]
    fn the_screen_shows_the_worst_first_and_fits_80_columns() {
        let lines = screen(&sample());
        assert_eq!(
            lines[0],
            "vps1  up 10 min  mem 2.6/3.8 GiB  disk /data 71 %  load 1.9"
        );
        assert_eq!(
            lines[1],
            "SEV-1  ApiDown                    4 min  0 of 2 healthy"
        );
        assert_eq!(lines[2], "       mail again in 1 h 00");
        assert_eq!(lines[4], "services 1/2   targets 1/1   mail ok");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:?}"
        );
    }

    #[test]
    fn the_exit_code_is_the_worst_severity() {
        let mut status = sample();
        assert_eq!(worst(&status), exit::CRITICAL);
        status["cards"] = json!([{ "severity": "warning" }]);
        assert_eq!(worst(&status), exit::WARNING);
        status["cards"] = json!([{ "severity": "info" }]);
        assert_eq!(worst(&status), exit::OK);
        status["ready"] = json!(false);
        assert_eq!(worst(&status), exit::WARNING);
    }
}
