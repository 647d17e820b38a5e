//! The service strip: what is not well in red words, what is well in short.

use std::collections::BTreeMap;

use serde::Serialize;

use super::shown::Moment;
use super::{Health, Now, Service, State};
use crate::{amount, untrusted};

/// Services that are well and still named one by one; the rest is a number.
const NAMED: usize = 48;
/// Services that are not well and have a line of their own.
const LINES: usize = 20;

/// How a service is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    Fine,
    Warning,
    Critical,
}

/// The services of one project.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    title: String,
    count: String,
    bad: Vec<Shown>,
    bad_more: usize,
    fine: Vec<Shown>,
    fine_more: usize,
}

#[derive(Debug, Serialize)]
struct Shown {
    key: String,
    tone: Tone,
    name: String,
    words: String,
    since: Option<Moment>,
}

pub(super) fn groups(now: &Now) -> Vec<Group> {
    let mut projects: BTreeMap<(bool, &str), Vec<&Service>> = BTreeMap::new();
    for service in &now.services {
        let key = (service.project.is_empty(), service.project.as_str());
        projects.entry(key).or_default().push(service);
    }
    let (mut named, mut lines) = (NAMED, LINES);
    projects
        .into_iter()
        .map(|((_, project), services)| group(project, services, &mut named, &mut lines, now))
        .collect()
}

fn group(
    project: &str,
    mut services: Vec<&Service>,
    named: &mut usize,
    lines: &mut usize,
    now: &Now,
) -> Group {
    services.sort_by_key(|service| (std::cmp::Reverse(tone(service)), &service.name));
    let total = services.len();
    let worse = services
        .iter()
        .filter(|service| tone(service) != Tone::Fine)
        .count();
    let (bad, fine) = services.split_at(worse);
    let take = |from: &[&Service], left: &mut usize| -> Vec<Shown> {
        let count = from.len().min(*left);
        *left -= count;
        from[..count]
            .iter()
            .map(|service| shown(service, now))
            .collect()
    };
    let (bad_shown, fine_shown) = (take(bad, lines), take(fine, named));
    Group {
        title: if project.is_empty() {
            "Other containers".into()
        } else {
            untrusted::line(project, 60)
        },
        count: if worse == 0 {
            format!("all {total} fine")
        } else {
            format!("{} of {total} fine", total - worse)
        },
        bad_more: bad.len() - bad_shown.len(),
        fine_more: fine.len() - fine_shown.len(),
        bad: bad_shown,
        fine: fine_shown,
    }
}

fn shown(service: &Service, now: &Now) -> Shown {
    let tone = tone(service);
    Shown {
        key: untrusted::line(&format!("{}/{}", service.project, service.name), 120),
        tone,
        name: untrusted::line(&service.name, 60),
        words: words(service),
        since: service
            .since_ms
            .filter(|_| tone != Tone::Fine)
            .map(|ms| Moment::new(ms, now)),
    }
}

/// How the service is.
pub(super) fn tone(service: &Service) -> Tone {
    match (service.state, service.health) {
        (State::Exited, _) if ended_well(service) => Tone::Fine,
        (State::Exited | State::Missing | State::Restarting | State::Dead, _)
        | (State::Running, Health::Unhealthy) => Tone::Critical,
        (State::Paused | State::Created, _) | (State::Running, Health::Starting) => Tone::Warning,
        (State::Running, Health::None | Health::Healthy) => Tone::Fine,
    }
}

fn ended_well(service: &Service) -> bool {
    service.one_shot && service.exit_code == Some(0) && !service.oom_killed
}

fn words(service: &Service) -> String {
    let mut words: Vec<String> = vec![match (service.state, service.health) {
        (State::Missing, _) => "missing: declared, but no container".into(),
        (State::Exited, _) if ended_well(service) => "done".into(),
        (State::Exited, _) => service
            .exit_code
            .map_or("exited".into(), |code| format!("exited, code {code}")),
        (State::Restarting, _) => "restarting".into(),
        (State::Dead, _) => "dead: the engine cannot remove it".into(),
        (State::Paused, _) => "paused".into(),
        (State::Created, _) => "never started".into(),
        (State::Running, Health::Unhealthy) => "unhealthy".into(),
        (State::Running, Health::Starting) => "health check starting".into(),
        (State::Running, Health::Healthy) => "healthy".into(),
        (State::Running, Health::None) => "running".into(),
    }];
    if service.oom_killed {
        words.push("out of memory".into());
    }
    if service.state == State::Restarting
        && let Some(code) = service.exit_code
    {
        words.push(format!("last exit code {code}"));
    }
    if service.restarts > 0 {
        words.push(amount::count(
            service.restarts.try_into().unwrap_or(usize::MAX),
            "restart",
        ));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(state: State, health: Health) -> Service {
        Service {
            state,
            health,
            ..Service::default()
        }
    }

    #[test]
    fn every_state_has_a_tone_and_a_word() {
        for (state, health, tone_is, words_are) in [
            (State::Running, Health::None, Tone::Fine, "running"),
            (State::Running, Health::Healthy, Tone::Fine, "healthy"),
            (
                State::Running,
                Health::Starting,
                Tone::Warning,
                "health check starting",
            ),
            (
                State::Running,
                Health::Unhealthy,
                Tone::Critical,
                "unhealthy",
            ),
            (State::Created, Health::None, Tone::Warning, "never started"),
            (State::Paused, Health::None, Tone::Warning, "paused"),
            (State::Exited, Health::None, Tone::Critical, "exited"),
            (
                State::Restarting,
                Health::None,
                Tone::Critical,
                "restarting",
            ),
            (
                State::Dead,
                Health::None,
                Tone::Critical,
                "dead: the engine cannot remove it",
            ),
            (
                State::Missing,
                Health::None,
                Tone::Critical,
                "missing: declared, but no container",
            ),
        ] {
            let service = service(state, health);
            assert_eq!(
                (tone(&service), words(&service).as_str()),
                (tone_is, words_are)
            );
        }
    }

    #[test]
    fn only_what_is_meant_to_end_may_end() {
        let mut done = service(State::Exited, Health::None);
        done.exit_code = Some(0);
        assert_eq!(tone(&done), Tone::Critical);
        done.one_shot = true;
        assert_eq!((tone(&done), words(&done).as_str()), (Tone::Fine, "done"));
        done.exit_code = Some(137);
        done.oom_killed = true;
        done.restarts = 3;
        assert_eq!(
            (tone(&done), words(&done).as_str()),
            (
                Tone::Critical,
                "exited, code 137, out of memory, 3 restarts"
            )
        );
    }

    #[test]
    fn projects_come_first_and_the_bad_before_the_fine() {
        let named = |project: &str, name: &str, state| Service {
            project: project.into(),
            name: name.into(),
            state,
            ..Service::default()
        };
        let mut now = Now {
            services: vec![
                named("", "lone", State::Running),
                named("shop", "api", State::Running),
                named("shop", "worker", State::Missing),
            ],
            ..Now::default()
        };
        let all = groups(&now);
        assert_eq!(
            (all[0].title.as_str(), all[0].count.as_str()),
            ("shop", "1 of 2 fine")
        );
        assert_eq!(all[0].bad[0].name, "worker");
        assert_eq!(all[1].title, "Other containers");

        now.services = (0..200)
            .map(|at| named("big", &at.to_string(), State::Running))
            .collect();
        let big = &groups(&now)[0];
        assert_eq!((big.fine.len(), big.fine_more), (48, 152));
    }
}
