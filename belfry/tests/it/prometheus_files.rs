//! `belfry prometheus`: which files it reads, and what it shows of them.

use std::process::Command;

use crate::support::alone::Alone;
use crate::support::program;
use crate::support::scratch::Scratch;

#[test]
fn a_rule_file_counts_once_and_one_without_an_end_is_refused() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path.join("rules")).expect("a folder");
    let rule = "groups: [{name: g, rules: [{record: a, expr: vector(1)}]}]";
    scratch.file("rules/app.yml", rule);
    let config = |patterns: &str| format!("rule_files: [{patterns}]");
    let good = config("rules/*.yml, rules/app.yml, 'rule[r-t]/a?p.yml', none/*.yml");
    let alone = Alone::start(scratch, &good, &["--web.enable-lifecycle"]);
    let groups = || {
        let groups = alone.data("/api/v1/rules")["groups"].clone();
        groups.as_array().expect("groups").len()
    };
    assert_eq!(groups(), 1);
    let log = alone.log();
    assert!(log.contains("no rule file is at none/*.yml"), "{log}");
    let fifo = alone.scratch.path.join("rules/fifo.yml");
    program::run(Command::new("mkfifo").arg(&fifo));
    for (config, told) in [
        (
            good,
            "rules/fifo.yml:1:1: cannot read the rule file: it is a FIFO, not a regular file",
        ),
        (
            config("rules/app.yml, '*/app.yml'"),
            "prometheus.yml:1:29: rule_files[1]: a * can stand only in the last part of a path",
        ),
    ] {
        alone.scratch.file("prometheus.yml", &config);
        let answer = alone.post("/-/reload");
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains(told), "{}", answer.body);
        assert_eq!(groups(), 1);
    }
}

#[test]
fn no_secret_of_the_configuration_is_shown_or_logged() {
    let secrets = [
        "pa55-one",
        "pa55-two",
        "pa55-three",
        "pa55-four",
        "pa55-five",
    ];
    let scratch = Scratch::new();
    scratch.file("token", secrets[2]);
    let config = format!(
        "scrape_configs:
- {{job_name: a, basic_auth: {{username: shown-user, password: {}}}}}
- {{job_name: b, bearer_token: {}}}
- {{job_name: c, authorization: {{credentials_file: token}}}}
- {{job_name: d, authorization: {{type: Key, credentials: {}}}}}
alerting: {{alertmanagers: [{{basic_auth: {{username: shown-too, password: {}}}}}]}}
",
        secrets[0], secrets[1], secrets[3], secrets[4]
    );
    let flags = ["--log.level=debug", "--web.enable-lifecycle"];
    let alone = Alone::start(scratch, &config, &flags);
    let shown = alone.data("/api/v1/status/config");
    let shown = shown["yaml"].as_str().expect("YAML");
    assert_eq!(shown.matches("<secret>").count(), secrets.len(), "{shown}");
    assert!(shown.contains("shown-user") && shown.contains("shown-too"));
    // One that is refused for what stands beside them.
    let faulty = config.replace("job_name: d", "job_nam: d");
    alone.scratch.file("prometheus.yml", &faulty);
    let refused = alone.post("/-/reload");
    assert_eq!(refused.status, 500, "{}", refused.body);
    for said in [shown, &refused.body, &alone.log()] {
        let told = secrets.iter().find(|secret| said.contains(*secret));
        assert_eq!(told, None, "{said}");
    }
}
