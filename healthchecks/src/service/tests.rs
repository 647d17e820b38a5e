//! Services as tables: what is known, and what follows.

use super::*;

const NOTHING: Evidence<'_> = Evidence {
    heartbeat_down: &|_| false,
    probe_up: &|_| None,
    no_probe: &|_| false,
    holds: &|_| None,
};

fn instance(service: &str, running: Running, check: Check) -> Instance {
    Instance {
        name: format!("shop-{service}-1"),
        project: "shop".to_owned(),
        service: service.to_owned(),
        running,
        check,
        output: "no answer\nsecond line".to_owned(),
        since_ms: None,
        depends_on: Vec::new(),
        awaits: Vec::new(),
    }
}

fn config(text: &str) -> Config {
    settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
}

#[test]
fn a_service_that_is_expected_and_has_no_container_is_missing() {
    let key = |service: &str| (service.to_owned(), "shop".to_owned());
    let found = vec![instance("web", Running::Yes, Check::None)];
    let services = Services::expecting(&Config::default(), found, vec![key("web"), key("worker")]);
    let told: Vec<_> = services
        .answers(NOTHING)
        .into_iter()
        .map(|answer| (answer.service, answer.reasons.first().map(|why| why.0)))
        .collect();
    let missing = Some(Cause::Missing);
    assert_eq!(told, [("web".into(), None), ("worker".into(), missing)]);
    // What the configuration says of it, in whichever project, is of the same service.
    let said = config("services: {worker: {probe: jobs}}");
    let services = Services::expecting(&said, Vec::new(), vec![key("worker")]);
    assert_eq!(services.named("worker"), [("worker", "shop")]);
}

#[test]
fn the_best_container_decides() {
    use Check::{Healthy, None as NoCheck, Starting, Unhealthy};
    use Running::{Completed, Paused, Restarting, Stopped, Yes};
    for (instances, live, cause) in [
        (vec![(Yes, NoCheck)], true, None),
        (vec![(Yes, Healthy)], true, None),
        (vec![(Yes, Starting)], true, Some(Cause::Starting)),
        (vec![(Yes, Unhealthy)], true, Some(Cause::Unhealthy)),
        (vec![(Yes, Unhealthy), (Yes, Healthy)], true, None),
        (vec![(Stopped, NoCheck), (Yes, NoCheck)], true, None),
        (vec![(Completed, NoCheck)], false, Some(Cause::Stopped)),
        (vec![(Paused, Healthy)], false, Some(Cause::Paused)),
        (vec![(Restarting, NoCheck)], false, Some(Cause::Restarting)),
        (vec![(Stopped, NoCheck)], false, Some(Cause::Stopped)),
    ] {
        let found: Vec<_> = instances
            .iter()
            .map(|(running, check)| instance("web", *running, *check))
            .collect();
        let answer = Services::new(&Config::default(), found).answer("web", "shop", NOTHING);
        let told = answer.reasons.first().map(|(cause, _)| *cause);
        assert_eq!(
            (answer.live, told, answer.ready),
            (live, cause, cause.is_none()),
            "{instances:?}"
        );
    }
    let unhealthy = vec![instance("web", Yes, Unhealthy)];
    let answer = Services::new(&Config::default(), unhealthy).answer("web", "shop", NOTHING);
    assert_eq!(answer.reasons[0].1, "shop-web-1 fails its check: no answer");
}

#[test]
fn what_is_needed_must_be_ready_too_and_circles_end() {
    let mut web = instance("web", Running::Yes, Check::None);
    web.depends_on = vec!["api".to_owned()];
    let mut api = instance("api", Running::Yes, Check::None);
    api.depends_on = vec!["db".to_owned(), "web".to_owned()];
    let db = instance("db", Running::Yes, Check::Unhealthy);
    let services = Services::new(&Config::default(), vec![web, api, db]);
    let web = services.answer("web", "shop", NOTHING);
    assert_eq!(
        web.reasons,
        [(Cause::Dependency, "api: dependency".to_owned())]
    );
    let api = services.answer("api", "shop", NOTHING);
    assert!(
        api.reasons
            .contains(&(Cause::Dependency, "db: unhealthy".to_owned())),
        "{api:?}"
    );
    assert!(api.live && !api.ready);
}

#[test]
fn the_configuration_adds_what_labels_do_not_say() {
    let config = config(
        "services: {worker: {heartbeat: beat, probe: look, depends_on: [cache]}, cron: {project: shop}}",
    );
    let services = Services::new(
        &config,
        vec![
            instance("worker", Running::Yes, Check::None),
            instance("cache", Running::Yes, Check::None),
        ],
    );
    assert_eq!(services.named("cron"), [("cron", "shop")]);
    assert_eq!(
        services.answer("cron", "shop", NOTHING).reasons[0].0,
        Cause::Missing
    );
    for (down, up, ready) in [
        (false, Some(true), true),
        (false, None, true),
        (true, None, false),
        (false, Some(false), false),
    ] {
        let evidence = Evidence {
            heartbeat_down: &|name| name == "beat" && down,
            probe_up: &|name| up.filter(|_| name == "look"),
            no_probe: &|_| false,
            holds: &|_| None,
        };
        assert_eq!(
            services.answer("worker", "shop", evidence).ready,
            ready,
            "{down} {up:?}"
        );
    }
}

#[test]
fn a_probe_that_there_is_not_is_no_evidence_that_all_is_well() {
    let said = config("services: {worker: {container: false, probe: look}}");
    let services = Services::new(&said, Vec::new());
    let evidence = Evidence {
        no_probe: &|name| name == "look",
        ..NOTHING
    };
    let answer = services.answer("worker", "", evidence);
    let told = (Cause::Probe, "there is no probe look".to_owned());
    assert_eq!((answer.ready, answer.reasons), (false, vec![told]));
    assert!(services.answer("worker", "", NOTHING).ready);
}

#[test]
fn a_service_is_found_by_its_name_with_its_project_or_by_a_container() {
    let mut other = instance("web", Running::Yes, Check::None);
    other.project = "blog".to_owned();
    other.name = "blog-web-1".to_owned();
    let services = Services::new(
        &Config::default(),
        vec![instance("web", Running::Yes, Check::None), other],
    );
    for (name, expected) in [
        ("web", vec![("web", "blog"), ("web", "shop")]),
        ("shop.web", vec![("web", "shop")]),
        ("blog-web-1", vec![("web", "blog")]),
        ("nope", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(services.named(name), expected, "{name}");
    }
}

#[test]
fn one_that_ended_well_is_ready_only_where_that_was_its_work() {
    let ended = || instance("migrate", Running::Completed, Check::None);
    let mut api = instance("api", Running::Yes, Check::None);
    api.depends_on = vec!["migrate".to_owned()];
    let ready = |config: &Config, instances| {
        let services = Services::new(config, instances);
        services.answer("migrate", "shop", NOTHING).ready
    };
    assert!(!ready(&Config::default(), vec![ended(), api.clone()]));
    assert!(ready(
        &config("services: {migrate: {one_shot: true}}"),
        vec![ended()]
    ));
    api.awaits = vec!["migrate".to_owned()];
    assert!(ready(&Config::default(), vec![ended(), api]));
}
