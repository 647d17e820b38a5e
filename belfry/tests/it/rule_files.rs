//! `belfry rules`: what a person and a program are told about rule files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::{Command, Output};

use crate::setup::Setup;
use crate::support::alone::Alone;
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::program;
use crate::support::scratch::Scratch;

const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules/pack");

fn rules(scratch: &Scratch, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = Command::new(env!("CARGO_BIN_EXE_belfry"))
        .arg("rules")
        .args(arguments)
        .current_dir(&scratch.path)
        .output()
        .expect("the binary runs");
    (status.code(), String::from_utf8(stdout).expect("UTF-8"))
}

#[test]
fn check_points_at_every_fault_of_all_files() {
    let scratch = Scratch::new();
    scratch.file(
        "a.yml",
        "groups:\n- name: a\n  rules:\n  - alert: X\n    expr: |\n      sum(up)\n        + )\n    labels: {a: '{{ foo }}'}\n",
    );
    scratch.file(
        "b.yml",
        "groups:\n- name: a\n  rules:\n  - {alert: Y, expr: up}\n",
    );
    let (code, said) = rules(&scratch, &["check", "a.yml", "b.yml", "c.yml"]);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "a.yml:7:11: bad expr: ",
        "7 |         + )\n  |           ^\n",
        "a.yml:8:17: bad template: ",
        "warn b.yml: 1 group, 1 alerting rule, 0 recording rules\n",
        "warning: b.yml:4:5: Y has no label severity",
        "FAIL c.yml:1:1: cannot read the file: No such file",
        "3 files, 3 faults, 1 warning\n",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "colours outside of a terminal");

    assert_eq!(rules(&scratch, &["check", "b.yml"]).0, Some(1));
    assert_eq!(
        rules(&scratch, &["check", &format!("{PACK}/host.yml")]).0,
        Some(0)
    );
    assert_eq!(rules(&scratch, &["check"]).0, Some(3));
    let (code, said) = rules(&scratch, &["check", "--json", "a.yml", "c.yml"]);
    assert_eq!(code, Some(2));
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(told["files"][0]["faults"][0]["line"], 7);
    assert_eq!(told["unreadable"][0]["file"], "c.yml");
}

#[test]
fn test_tells_what_was_expected_and_what_was_there() {
    let scratch = Scratch::new();
    scratch.file(
        "r.yml",
        "groups: [{name: g, rules: [{alert: Down, expr: up == 0, labels: {severity: info}}]}]",
    );
    let test = "rule_files: [r.yml]
tests:
  - name: down
    input_series: [{series: 'up{job=\"a\"}', values: '0x5'}]
    alert_rule_test:
      - eval_time: 1m
        alertname: Down
        exp_alerts: [{exp_labels: {job: a, severity: info}}]
";
    scratch.file("good.yml", test);
    scratch.file("bad.yml", &test.replace("job: a, ", "job: b, "));
    scratch.file("lost.yml", &test.replace("r.yml", "s*.yml"));
    let (code, said) = rules(&scratch, &["test", "good.yml"]);
    assert_eq!(
        (code, &*said),
        (
            Some(0),
            "ok   good.yml: 1 expectation\n1 file, 1 expectation held against the rules, 0 wrong\n"
        )
    );
    let (code, said) = rules(&scratch, &["test", "bad.yml", "lost.yml", "good.yml"]);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "FAIL bad.yml: 1 of 1 expectation wrong\nbad.yml:6:9: in \"down\", alert Down at 1m:\n",
        "  expected {\"alertname\": \"Down\", \"job\": \"b\"",
        "  firing   {\"alertname\": \"Down\", \"job\": \"a\"",
        "lost.yml:1:14: rule_files: no file is behind s*.yml\n1 | rule_files: [s*.yml]\n",
        "ok   good.yml",
    ] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    let (code, said) = rules(&scratch, &["test", "--json", "bad.yml"]);
    assert_eq!(code, Some(2));
    let told: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(told["passed"], false);
    assert_eq!(told["files"][0]["failures"][0]["line"], 6);
}

#[test]
fn fmt_changes_expressions_and_nothing_else() {
    let scratch = Scratch::new();
    let text = "# why\ngroups:\n- name:  g\n  rules: [{record: a, expr: up==0}]   # x\n";
    let file = scratch.file("r.yml", text);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("rights");
    chown(&file, Some(1234), Some(4321)).expect("another owner: these tests run as root");
    scratch.file("r.yml.new", "somebody else's");
    let (code, said) = rules(&scratch, &["fmt", "--check", "r.yml"]);
    assert_eq!(
        (code, &*said),
        (Some(1), "fmt  r.yml: 1 expression would change\n")
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);

    assert_eq!(rules(&scratch, &["fmt", "r.yml"]).0, Some(0));
    let wanted = text.replace("up==0", "up == 0");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), wanted);
    let about = std::fs::metadata(&file).expect("the file");
    let owned = (about.uid(), about.gid(), about.mode() & 0o777);
    assert_eq!(owned, (1234, 4321, 0o640));
    let beside = std::fs::read_to_string(scratch.path.join("r.yml.new"));
    assert_eq!(beside.expect("it"), "somebody else's");
    let left = || {
        std::fs::read_dir(&scratch.path)
            .expect("the folder")
            .count()
    };
    assert_eq!(left(), 2);

    // What a crash left behind is in nobody's way, though in a container all have one number.
    std::fs::write(&file, text).expect("the file");
    scratch.file("r.yml.1.new", "left behind");
    let unshare = program::find("unshare", "util-linux");
    program::run(
        Command::new(unshare)
            .args(["--pid", "--fork", env!("CARGO_BIN_EXE_belfry")])
            .args(["rules", "fmt", "r.yml"])
            .current_dir(&scratch.path),
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), wanted);
    assert_eq!(left(), 3);
    assert_eq!(
        rules(&scratch, &["fmt", "--check", "r.yml"]),
        (Some(0), String::new())
    );

    scratch.file(
        "bad.yml",
        "groups: [{name: g, rules: [{record: a, expr: up +}]}]",
    );
    assert_eq!(rules(&scratch, &["fmt", "bad.yml"]).0, Some(2));
}

#[test]
fn rules_that_can_never_fire_here_are_named_as_long_as_nothing_has_what_they_read() {
    let setup = Setup::new().rules(
        "- {alert: Off, expr: test_switch == 2, labels: {severity: info}}\n\
         - {alert: Never, expr: 'up > on (x) nothing{a=\"1\"}', labels: {severity: info}}\n\
         - {alert: Gone, expr: absent(nothing), labels: {severity: info}}\n",
    );
    let belfry = Launch::with(&setup.config()).start();
    let data = belfry.data().display().to_string();
    let told = |words: &[&str]| {
        let words = [&["unmatched", "--data", &data], words].concat();
        rules(&Scratch::new(), &words)
    };
    let never = "Never (test): there is no nothing{a=\"1\"}\n";
    let counted = |count: u8| format!("{count} of 3 rules can never fire here, so far\n");
    poll::holds("two should be named", || {
        let off = "Off (test): there is no test_switch\n";
        told(&[]) == (Some(0), format!("{never}{off}{}", counted(2)))
    });
    setup.switch(false);
    poll::holds("one should be left", || {
        told(&[]) == (Some(0), format!("{never}{}", counted(1)))
    });
    let (_, told) = told(&["--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["rules"], 3);
    assert_eq!(told["unmatched"][0]["missing"][0], "nothing{a=\"1\"}");
}

#[test]
fn rules_that_can_never_fire_are_named_in_prometheus_place_as_well() {
    let scratch = Scratch::new();
    scratch.file(
        "rules.yml",
        "groups: [{name: g, rules: [{alert: Never, expr: nothing > 1}, {alert: Ever, expr: vector(1)}]}]",
    );
    let flags = ["--web.route-prefix=/p"];
    let alone = Alone::start(scratch, "rule_files: [rules.yml]", &flags);
    let data = alone.scratch.path.join("data").display().to_string();
    assert_eq!(
        rules(&Scratch::new(), &["unmatched", "--data", &data]),
        (
            Some(0),
            "Never (g): there is no nothing\n1 of 2 rules can never fire here, so far\n".to_owned()
        )
    );
}
