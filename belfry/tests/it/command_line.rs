//! The command line: what is asked of it, what it answers, and its exit codes.

use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::fault::HungMount;
use crate::support::poll;
use crate::support::process::Process;
use crate::support::scratch::Scratch;

fn command(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
    command
        .args(arguments)
        .current_dir(&scratch.path)
        .env("XDG_STATE_HOME", scratch.path.join("state"));
    command
}

fn belfry(scratch: &Scratch, arguments: &[&str]) -> Output {
    command(scratch, arguments)
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("one JSON value")
}

#[test]
fn the_command_line_explains_itself() {
    let scratch = Scratch::new();
    let help = belfry(&scratch, &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in [
        "run",
        "check",
        "status",
        "config",
        "Exit codes: 0 ok, 1 warning, 2 critical, 3 usage",
    ] {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["check", "--help"],
        &["run", "-h"],
    ] {
        let said = text(&belfry(&scratch, arguments).stdout);
        let longest = said.lines().map(|line| line.chars().count()).max();
        assert!(
            longest > Some(20) && longest <= Some(80),
            "{longest:?}: {said}"
        );
    }
    let version = concat!("belfry ", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&belfry(&scratch, &["version"]).stdout).trim(), version);
    assert_eq!(
        text(&belfry(&scratch, &["--version"]).stdout).trim(),
        version
    );
    let version = json(&belfry(&scratch, &["version", "--json"]));
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        version["target"],
        format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
    );
    assert!(text(&belfry(&scratch, &["completions", "bash"]).stdout).contains("_belfry"));
    assert!(text(&belfry(&scratch, &["man"]).stdout).starts_with(".ie"));
    let keys = json(&belfry(&scratch, &["config", "reference", "--json"]));
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .any(|key| key["key"] == "mail.smarthost")
    );
}

#[test]
fn exit_codes_tell_how_it_went() {
    let scratch = Scratch::new();
    scratch.file("faulty.yml", "host: [a]\n");
    scratch.file("calm.yml", "listen: 127.0.0.1:0\n");
    for (arguments, code) in [
        (&["no-such-command"][..], 3),
        (&["check", "--no-such-flag"], 3),
        (&["runbook", "no-such-runbook"], 3),
        (&["runbook"], 0),
        (&["run", "--config", "faulty.yml"], 3),
        (&["check", "--config", "faulty.yml"], 2),
        // Nobody is told by mail.
        (&["check", "--config", "calm.yml"], 1),
        (&["state", "check", "--data", "none"], 2),
        (&["status", "--data", "none"], 3),
    ] {
        let output = belfry(&scratch, arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
    }
}

#[test]
fn check_answers_programs_too() {
    let scratch = Scratch::new();
    scratch.file("belfry.yml", "hots: a\nrules: {files: [lost.yml]}\n");
    let output = belfry(&scratch, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let told = json(&output);
    assert_eq!(told["worst"], "fail");
    let checks = told["checks"].as_array().unwrap();
    let of = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap();
    assert_eq!(of("config")["grade"], "fail");
    assert_eq!(
        of("config")["said"],
        "belfry.yml:1:1: unknown key \"hots\"; did you mean \"host\"?"
    );
    assert!(
        of("rules")["said"]
            .as_str()
            .unwrap()
            .starts_with("lost.yml:1:1: ")
    );

    scratch.file("belfry.yml", "host: a\n");
    let output = command(&scratch, &["check", "--json"])
        .env("DOCKER_HOST", "tcp://name:word@127.0.0.1:2375")
        .output()
        .unwrap();
    let told = json(&output);
    assert_eq!(told["worst"], "warn");
    let engines = told["checks"].as_array().unwrap().iter();
    let said: Vec<_> = engines
        .filter(|check| check["what"] == "engine")
        .map(|check| check["said"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        said[1].starts_with("DOCKER_HOST is a tcp:// address"),
        "{said:?}"
    );
    assert!(said[1].contains("only unix:// is supported"), "{said:?}");
}

#[test]
fn check_warns_of_a_secret_of_a_scrape_that_is_not_there() {
    let scratch = Scratch::new();
    scratch.file("there", "word\n");
    let config = |file: &str| {
        format!(
            "rules: {{scrape: [{{job: shop, targets: ['127.0.0.1:1'], username: watch, password_file: {file}}}]}}\n"
        )
    };
    let said = |file: &str| {
        scratch.file("belfry.yml", &config(file));
        let output = belfry(&scratch, &["check", "--json"]);
        let told = json(&output);
        let checks = told["checks"].as_array().unwrap().iter();
        let of = checks.filter(|check| check["what"] == "scrape");
        let said = of.map(|check| format!("{}: {}", check["grade"], check["said"]));
        said.collect::<Vec<_>>()
    };
    let [said_of_lost] = said("lost").try_into().unwrap();
    let expected = "\"warn\": \"shop: password_file: cannot read the file it names: No such file";
    assert!(said_of_lost.starts_with(expected), "{said_of_lost}");
    assert_eq!(said("there"), Vec::<String>::new());
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_none() {
    let scratch = Scratch::new();
    for arguments in [
        &["config", "reference"][..],
        &["version"],
        &["--help"],
        &["man"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = command(&scratch, arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("cannot write the output: No space left"));
    }
    let mut child = command(&scratch, &["config", "reference"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn status_and_state_check_look_through_a_faulty_configuration() {
    let setup = Setup::switched("0s");
    let running = Launch::with(&setup.config()).start();
    running.wait_for_status("/health/ready", 200);
    let data = running.data().display().to_string();
    let scratch = Scratch::new();
    for faulty in [
        format!("data: {data}\nmail: {{password: '${{NO_SUCH_SECRET}}'}}\n"),
        format!("data: {data}\nbogus: 1\n"),
    ] {
        scratch.file("belfry.yml", &faulty);
        for arguments in [&["status"][..], &["state", "check"]] {
            let output = belfry(&scratch, arguments);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let warned = text(&output.stderr);
            assert!(warned.contains("belfry.yml:2:"), "{warned}");
            assert!(
                warned.contains("looking with what can be known of it"),
                "{warned}"
            );
        }
    }
    for unknown in ["data: ${NO_SUCH_FOLDER}\n", "data: [a]\n"] {
        scratch.file("belfry.yml", unknown);
        let output = belfry(&scratch, &["status"]);
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output.stderr).contains("name it with --data"));
        let output = belfry(&scratch, &["status", "--data", &data]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_folder_is_in_use_as_long_as_its_belfry_runs() {
    let setup = Setup::switched("0s");
    let mut running = Launch::with(&setup.config()).start();
    let data = running.data();
    let scratch = Scratch::new();
    let check = || {
        let output = belfry(&scratch, &["check", "--data", &data.display().to_string()]);
        text(&output.stdout)
    };
    assert!(check().contains("in use by a running belfry"));
    assert_eq!(
        running.get("/health/live").status,
        200,
        "the look took nothing away"
    );
    running.kill();
    assert!(
        data.join("address").exists(),
        "a killed one cannot clean up"
    );
    let said = check();
    assert!(
        !said.contains("in use") && said.contains("can be written"),
        "{said}"
    );
    let output = belfry(&scratch, &["status", "--data", &data.display().to_string()]);
    assert!(text(&output.stderr).contains("no belfry runs on the data folder"));
    running.restart();
}

#[test]
fn a_signal_ends_a_start_that_hangs() {
    let mount = HungMount::new();
    let scratch = Scratch::new();
    let mut command = command(&scratch, &["run", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(mount.path().join("data"));
    let log = scratch.path.join("log");
    let mut process = Process::spawn("belfry", &mut command, &log);
    let status = format!("/proc/{}/status", process.pid());
    poll::holds("it should listen for signals", || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << (Signal::TERM.as_raw() - 1)) != 0)
    });
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn a_start_that_fails_leaves_no_address_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let scratch = Scratch::new();
    let data = scratch.path.join("data");
    let (code, log) = Launch::with("")
        .listen(&taken.local_addr().unwrap().to_string())
        .data(&data)
        .fail();
    assert_eq!(code, Some(2), "{log}");
    assert!(!data.join("address").exists());
    // Half way: the folder is taken, and then the database is none.
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(
        data.join("belfry.db"),
        "no database, but as long as one".repeat(99),
    )
    .unwrap();
    std::fs::write(data.join("address"), "127.0.0.1:1\n").unwrap();
    let (code, log) = Launch::with("").data(&data).fail();
    assert_eq!(code, Some(2), "{log}");
    assert!(!data.join("address").exists(), "{log}");
}

#[test]
fn status_shows_one_screen_and_exits_with_the_worst_severity() {
    let setup = Setup::switched("0s");
    let running = Launch::with(&setup.config()).start();
    poll::holds("a collection should be in", || {
        running.metric("belfry_collections_total") >= Some(2.0)
    });
    running.wait_for_status("/health/ready", 200);
    let data = running.data().display().to_string();
    let scratch = Scratch::new();
    let calm = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(calm.status.code(), Some(0), "{}", text(&calm.stdout));
    assert!(
        text(&calm.stdout).starts_with("testhost  up "),
        "{}",
        text(&calm.stdout)
    );

    setup.switch(true);
    poll::holds("it should fire", || {
        running.metric("belfry_alerts{state=\"firing\"}") == Some(1.0)
    });
    let alarmed = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(alarmed.status.code(), Some(2), "{}", text(&alarmed.stdout));
    assert!(
        text(&alarmed.stdout).contains("SEV-1  Switched"),
        "{}",
        text(&alarmed.stdout)
    );
    assert!(
        text(&alarmed.stdout)
            .lines()
            .all(|line| line.chars().count() <= 80)
    );

    drop(running);
    let alone = belfry(&scratch, &["status", "--data", &data]);
    assert_eq!(alone.status.code(), Some(3));
    assert!(
        text(&alone.stdout).contains("up "),
        "what can be seen without it: {}",
        text(&alone.stdout)
    );
}
