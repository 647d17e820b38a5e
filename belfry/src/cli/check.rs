//! `belfry check`: the configuration and what it names, all faults at once.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::json;
use settings::Fault;
use tokio::{task, time};

use super::{Place, offline};
use crate::app;
use crate::config::{self, Config, Error, Faults, Loaded};
use crate::exit::{self, Exit};
use crate::out;
use crate::state;

/// What is asked outside answers within this, or counts as silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// How one thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Ok,
    Warn,
    Fail,
}

impl Grade {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One line of the answer.
struct Line {
    grade: Grade,
    what: &'static str,
    said: String,
}

/// Checks everything that can be checked without starting.
pub(super) fn run(place: &Place, send_test: bool, json: bool) -> Exit {
    let lines = match config::load(place) {
        Ok(loaded) => match offline::wait(all(&loaded, send_test)) {
            Ok(lines) => lines,
            Err(code) => return code,
        },
        Err(Error::Faults(faults)) => faulty(&faults, !json && std::io::stdout().is_terminal()),
        Err(err) => vec![fail("config", err.to_string())],
    };
    tell(&lines, json)
}

/// What is wrong, apart for the file itself and for the rule files it names.
fn faulty(faults: &Faults, explain: bool) -> Vec<Line> {
    let plain = |faults: &[Fault]| faults.iter().map(Fault::to_string).collect();
    let config = if explain {
        faults.explain()
    } else {
        plain(&faults.config)
    };
    let rules = plain(&faults.rules);
    [("config", config), ("rules", rules)]
        .into_iter()
        .filter(|(_, faults): &(_, Vec<String>)| !faults.is_empty())
        .map(|(what, faults)| fail(what, faults.join("\n")))
        .collect()
}

fn tell(lines: &[Line], json: bool) -> Exit {
    let count = |grade: Grade| lines.iter().filter(|line| line.grade == grade).count();
    let worst = lines
        .iter()
        .map(|line| line.grade)
        .max()
        .unwrap_or(Grade::Ok);
    if json {
        let checks: Vec<_> = lines
            .iter()
            .map(|line| json!({ "grade": line.grade.word().to_lowercase(), "what": line.what, "said": line.said }))
            .collect();
        out::line(json!({ "worst": worst.word().to_lowercase(), "checks": checks }));
    } else {
        for line in lines {
            let indented = line.said.replace('\n', "\n                ");
            out::line(format_args!(
                "{:<5} {:<9} {indented}",
                line.grade.word(),
                line.what
            ));
        }
        let plural = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        out::line(format_args!(
            "{} ok, {}, {}",
            count(Grade::Ok),
            plural(count(Grade::Warn), "warning"),
            plural(count(Grade::Fail), "failure")
        ));
    }
    match worst {
        Grade::Ok => exit::OK,
        Grade::Warn => exit::WARNING,
        Grade::Fail => exit::CRITICAL,
    }
}

async fn all(loaded: &Loaded, send_test: bool) -> Vec<Line> {
    let config = &loaded.config;
    let file = match &loaded.file {
        Some(file) => format!("{}, no faults", file.display()),
        None => "no file found, defaults serve".to_owned(),
    };
    let mut lines = vec![ok("config", file), rules(loaded)];
    lines.extend(loaded.lack().map(|lack| fail("rules", lack)));
    let remarks = loaded.remarks.iter().map(ToString::to_string);
    lines.extend(remarks.map(|remark| warn("config", remark)));
    lines.extend(scrapes(config).await);
    lines.push(data(config));
    lines.push(engine(config).await);
    lines.extend(app::engine_unheeded(config).map(|reason| warn("engine", reason)));
    lines.extend(mail(config, send_test).await);
    lines.extend(backups(config).await);
    if !config.listen.ip().is_loopback() {
        let said = format!(
            "{} is reachable from other hosts, and there is no login",
            config.listen
        );
        lines.push(warn("listen", said));
    }
    lines
}

fn rules(loaded: &Loaded) -> Line {
    let groups = loaded.rules.groups();
    let count: usize = groups.iter().map(|group| group.rules.len()).sum();
    ok("rules", format!("{count} rules in {} groups", groups.len()))
}

/// Secrets of scrapes that cannot be read now. They cost their own targets, and the rest
/// starts without them.
async fn scrapes(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    for job in &config.rules.scrape {
        let said = job.unreadable().await.into_iter();
        lines.extend(said.map(|said| warn("scrape", format!("{}: {said}", job.name()))));
    }
    lines
}

/// Looks without writing: a check must not make a data folder.
fn data(config: &Config) -> Line {
    let dir = app::data_folder(config);
    if state::in_use(&dir) {
        return ok(
            "data",
            format!("{}, in use by a running belfry", dir.display()),
        );
    }
    let nearest = dir.ancestors().find(|dir| dir.exists()).unwrap_or(&dir);
    match rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK) {
        Ok(()) => ok("data", format!("{} can be written", dir.display())),
        Err(err) => fail(
            "data",
            format!("{} cannot be written: {err}", nearest.display()),
        ),
    }
}

async fn engine(config: &Config) -> Line {
    let socket = app::engine_socket(config);
    match app::engine_version(&socket, PATIENCE).await {
        Ok(version) => ok(
            "engine",
            format!("Docker {version} answers at {}", socket.display()),
        ),
        Err(err) => warn(
            "engine",
            format!("no Docker engine answers at {}: {err:#}", socket.display()),
        ),
    }
}

/// Asks through an alerter of its own, which keeps nothing and sends nothing else.
async fn mail(config: &Config, send_test: bool) -> Vec<Line> {
    let alerter = match app::alerter_alone(config).await {
        Ok(alerter) => alerter,
        Err(err) => return vec![fail("mail", format!("{err:#}"))],
    };
    let mut lines = match time::timeout(PATIENCE, alerter.probe()).await {
        Ok(Ok(servers)) if servers.is_empty() => {
            return vec![warn(
                "mail",
                "nobody is told: set mail.smarthost, mail.from and mail.to".into(),
            )];
        }
        Ok(Ok(servers)) => servers
            .into_iter()
            .map(|(server, answer)| match answer {
                Ok(()) => ok("mail", format!("{server} would take a mail")),
                Err(failure) => fail("mail", format!("{server}: {failure}")),
            })
            .collect(),
        Ok(Err(err)) => vec![fail("mail", err.to_string())],
        Err(_) => vec![fail("mail", "the SMTP server does not answer".into())],
    };
    if send_test {
        lines.extend(test_mail(config, &alerter).await);
    }
    if config.external_url.is_empty() {
        lines.push(warn(
            "links",
            "external_url is not set: mails carry an ssh line instead of links".into(),
        ));
    }
    lines
}

async fn test_mail(config: &Config, alerter: &alerter::Handle) -> Vec<Line> {
    let letter = app::test_letter(config, jiff::Timestamp::now().as_millisecond());
    match time::timeout(PATIENCE * 3, alerter.test_mail(&letter)).await {
        Ok(Ok(results)) => results
            .into_iter()
            .flat_map(|(receiver, outcome)| {
                let refused = outcome
                    .refused
                    .into_iter()
                    .map(|(to, failure)| fail("test mail", format!("{to}: {failure}")));
                let failed = outcome
                    .failed
                    .into_iter()
                    .map(move |failure| fail("test mail", format!("{receiver}: {failure}")));
                let accepted = outcome.accepted.into_iter().map(|to| {
                    ok(
                        "test mail",
                        format!("accepted for {to}: look for \"[TEST]\" in that inbox"),
                    )
                });
                refused.chain(failed).chain(accepted).collect::<Vec<_>>()
            })
            .collect(),
        Ok(Err(err)) => vec![fail("test mail", err.to_string())],
        Err(_) => vec![fail("test mail", "the SMTP server does not answer".into())],
    }
}

/// Looks at all folders at once: one may lie on a dead mount.
async fn backups(config: &Config) -> Vec<Line> {
    let looks: Vec<_> = config
        .backup
        .watch
        .iter()
        .map(|watch| {
            let there = watch.clone();
            let look = task::spawn_blocking(move || backup::look(&there));
            (watch, time::timeout(PATIENCE, look))
        })
        .collect();
    let mut lines = Vec::new();
    for (watch, look) in looks {
        let (name, folder) = (&watch.name, watch.folder.display());
        lines.push(match look.await {
            Ok(Ok(Ok(copies))) if copies.newest.is_some() => {
                ok("backup", format!("{name}: {} copies", copies.count))
            }
            Ok(Ok(Ok(_))) => warn("backup", format!("{name}: no copy in {folder}")),
            Ok(Ok(Err(err))) => fail("backup", format!("{name}: cannot read {folder}: {err}")),
            Ok(Err(_)) | Err(_) => fail("backup", format!("{name}: {folder} does not answer")),
        });
    }
    lines
}

fn ok(what: &'static str, said: String) -> Line {
    Line {
        grade: Grade::Ok,
        what,
        said,
    }
}

fn warn(what: &'static str, said: String) -> Line {
    Line {
        grade: Grade::Warn,
        what,
        said,
    }
}

fn fail(what: &'static str, said: String) -> Line {
    Line {
        grade: Grade::Fail,
        what,
        said,
    }
}
