//! `--web.config.file`: TLS, logins and header fields, as Alertmanager, Prometheus and
//! its exporters take them, with the clients that people use.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::alertmanager::Alone;
use crate::support::certificate::Certificate;
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::sink::{Act, Sink};
use crate::support::{claim, http, poll, program};

/// What bcrypt makes of the password `U*U`: an example of crypt_blowfish's.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

const CONFIG: &str = "{global: {smtp_smarthost: '127.0.0.1:PORT', smtp_from: am@example.org, smtp_require_tls: false}, \
    route: {receiver: ops, group_by: [alertname], group_wait: 0s}, \
    receivers: [{name: ops, email_configs: [{to: ops@example.org, headers: {Subject: '{{ .CommonLabels.alertname }}'}}]}]}";

/// Writes `web.yml`, a certificate and its key beside it under names that stay.
fn web(folder: &Path, more: &str) -> Certificate {
    let made = Certificate::for_host("localhost", folder);
    for (from, to) in [(&made.chain, "web.crt"), (&made.key, "web.key")] {
        fs::rename(from, folder.join(to)).expect("a file in the scratch folder");
    }
    let text = format!(
        "tls_server_config: {{cert_file: web.crt, key_file: web.key, {more}}}\n\
         http_server_config: {{http2: false, headers: {{X-Frame-Options: deny}}}}\n\
         basic_auth_users: {{amy: {HASH}}}\n"
    );
    fs::write(folder.join("web.yml"), text).expect("a file in the scratch folder");
    made
}

/// What curl says: the status, 0 for no answer, and the answer with its head.
fn curl(port: &str, path: &str, trusted: &Path, words: &[&str]) -> (u16, String) {
    let mut command = Command::new(program::find("curl", "curl"));
    command
        .args(["-sS", "-i", "--max-time", "20", "-w", "\n%{http_code}"])
        .arg("--cacert")
        .arg(trusted)
        .args(words)
        .arg(format!("https://localhost:{port}{path}"));
    let output = command.output().expect("curl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, status) = text.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), text.to_owned())
}

fn port_of(address: &str) -> &str {
    address.rsplit_once(':').expect("a port").1
}

const AMY: [&str; 2] = ["-u", "amy:U*U"];

#[test]
fn an_alertmanager_behind_tls_and_a_login_serves_those_who_are_let_in() {
    let sink = Sink::start(&[Act::Accept]);
    let config = CONFIG.replace("PORT", &sink.port().to_string());
    let mut alone = Alone::with(&config, &["--web.config.file=web.yml"]);
    let folder = alone.scratch.path.clone();
    let made = web(&folder, "");
    alone.launch();
    let address = alone.address();
    let port = port_of(&address).to_owned();
    let ask = |path: &str, words: &[&str]| curl(&port, path, &made.authority, words);
    alone.process().ready("it should serve", || {
        (ask("/-/ready", &AMY).0 == 200).then_some(())
    });
    for (path, words, wanted) in [
        ("/api/v2/status", &AMY[..], 200),
        ("/api/v2/status", &["-u", "amy:U*"], 401),
        ("/api/v2/status", &["-u", "bob:U*U"], 401),
        ("/metrics", &[], 401),
        ("/nowhere", &[], 401),
        ("/nowhere", &AMY, 404),
        ("/-/reload", &["-X", "POST"], 401),
        ("/-/reload", &["-u", "amy:U*U", "-X", "POST"], 200),
        ("/-/ready", &["-u", "amy:U*U", "--tls-max", "1.2"], 200),
        ("/-/ready", &["-u", "amy:U*U", "--tls-max", "1.1"], 0),
    ] {
        let (status, answer) = ask(path, words);
        assert_eq!(status, wanted, "{path} {words:?}: {answer}");
        let head = answer.to_ascii_lowercase();
        assert_eq!(head.contains("x-frame-options: deny"), status > 0, "{head}");
        assert_eq!(
            head.contains("www-authenticate: basic"),
            status == 401,
            "{head}"
        );
    }
    assert!(http::get(&address, "/-/ready").is_err(), "not without TLS");

    let client = folder.join("client.yml");
    let trust = format!(
        "basic_auth: {{username: amy, password: 'U*U'}}\ntls_config: {{ca_file: '{}'}}\n",
        made.authority.display()
    );
    fs::write(&client, &trust).expect("a file in the scratch folder");
    let mut amtool = Command::new(program::find("amtool", "prometheus-alertmanager"));
    amtool
        .arg(format!("--alertmanager.url=https://localhost:{port}"))
        .arg(format!("--http.config.file={}", client.display()))
        .args(["alert", "add", "FromAmtool"])
        .env("HOME", &folder);
    program::run(&mut amtool);
    let told = |subject: &str| {
        let received = sink.received();
        received
            .iter()
            .any(|it| it.mail.header("subject") == subject)
    };
    poll::holds("amtool's alert", || told("FromAmtool"));

    let rules =
        "groups: [{name: g, interval: 1s, rules: [{alert: FromPrometheus, expr: vector(1)}]}]";
    fs::write(folder.join("rules.yml"), rules).expect("a file in the scratch folder");
    let sender = trust.trim_end().replace('\n', ", ");
    let config = format!(
        "{{rule_files: [rules.yml], alerting: {{alertmanagers: [{{scheme: https, {sender}, \
          static_configs: [{{targets: ['localhost:{port}']}}]}}]}}}}"
    );
    fs::write(folder.join("prometheus.yml"), config).expect("a file in the scratch folder");
    let mut command = Command::new(program::find("prometheus", "prometheus"));
    command
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"])
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--rules.alert.resend-delay=1s",
        ])
        .current_dir(&folder);
    let mut prometheus = Process::spawn("prometheus", &mut command, &folder.join("prometheus.log"));
    prometheus.ready("Prometheus' alert", || told("FromPrometheus").then_some(()));
    // Our own commands, by the same door.
    let trusted = made.authority.display().to_string();
    let belfry = |words: &[&str], login: &str, trusted: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .args(words)
            .arg(format!("--url=https://{login}localhost:{port}/"))
            .args(trusted)
            .current_dir(&folder);
        let output = command.output().expect("the program runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code(), text)
    };
    let trust = ["--ca-file", &*trusted];
    let (code, text) = belfry(&["alerts"], "amy:U*U@", &trust);
    assert!(text.contains("FromPrometheus"), "{code:?} {text}");
    let (code, text) = belfry(&["ack", "FromPrometheus", "--by=kim"], "amy:U*U@", &trust);
    assert_eq!(code, Some(0), "{text}");
    let (_, text) = belfry(&["why", "FromPrometheus"], "amy:U*U@", &trust);
    assert!(text.contains("acknowledged by kim"), "{text}");
    for (login, trust, words) in [
        ("", &trust[..], "401"),
        ("amy:wrong@", &trust, "401"),
        ("amy:U*U@", &[], "the belfry at the URL does not answer"),
    ] {
        let (code, text) = belfry(&["ack", "FromPrometheus"], login, trust);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(words) && !text.contains("U*U"), "{text}");
    }

    let log = alone.process().log();
    assert!(!log.contains("U*U") && !log.contains(HASH), "{log}");
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_a_faulty_file_changes_nothing() {
    let mut alone = Alone::with(
        "{route: {receiver: a}, receivers: [{name: a}]}",
        &["--web.config.file=web.yml"],
    );
    let folder = alone.scratch.path.clone();
    let first = web(&folder, "");
    let old = folder.join("old.pem");
    fs::rename(first.authority, &old).expect("a file in the scratch folder");
    alone.launch();
    let address = alone.address();
    let port = port_of(&address).to_owned();
    let status = |trusted: &Path| curl(&port, "/-/ready", trusted, &AMY).0;
    alone
        .process()
        .ready("it should serve", || (status(&old) == 200).then_some(()));
    let second = web(&folder, "");
    poll::holds("the new certificate", || status(&second.authority) == 200);
    assert_eq!(status(&old), 0, "the old one is gone");

    fs::write(folder.join("web.yml"), "rate_limit: {burst: 1}")
        .expect("a file in the scratch folder");
    let log = folder.join("log");
    poll::holds("the refusal", || {
        assert_eq!(status(&second.authority), 200, "the old rules stay");
        fs::read_to_string(&log).is_ok_and(|log| log.contains("rate_limit"))
    });
}

#[test]
fn a_client_without_a_certificate_that_is_trusted_gets_nothing() {
    let mut alone = Alone::with(
        "{route: {receiver: a}, receivers: [{name: a}]}",
        &["--web.config.file=web.yml"],
    );
    let folder = alone.scratch.path.clone();
    let client = Certificate::for_host("client", &folder);
    let more = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: client-authority.pem, min_version: TLS13";
    let made = web(&folder, more);
    alone.launch();
    let address = alone.address();
    let port = port_of(&address).to_owned();
    let (chain, key) = (
        client.chain.display().to_string(),
        client.key.display().to_string(),
    );
    let shown = [&AMY[..], &["--cert", &chain, "--key", &key]].concat();
    alone.process().ready("it should serve", || {
        (curl(&port, "/-/ready", &made.authority, &shown).0 == 200).then_some(())
    });
    let strange = Certificate::for_host("stranger", &folder);
    let (chain, key) = (
        strange.chain.display().to_string(),
        strange.key.display().to_string(),
    );
    for words in [
        AMY.to_vec(),
        [&AMY[..], &["--cert", &chain, "--key", &key]].concat(),
        [&shown[..], &["--tls-max", "1.2"]].concat(),
    ] {
        let (status, answer) = curl(&port, "/-/ready", &made.authority, &words);
        assert_eq!(status, 0, "{words:?}: {answer}");
    }
}

#[test]
fn prometheus_place_and_the_exporters_are_served_so_too() {
    let port = claim::port();
    let scratch = Scratch::new();
    let folder = scratch.path.clone();
    let made = web(&folder, "");
    fs::write(folder.join("prometheus.yml"), "").expect("a file in the scratch folder");
    fs::write(folder.join("belfry.yml"), "").expect("a file in the scratch folder");
    let listen = format!("127.0.0.1:{}", port.number);
    let web_listen = format!("--web.listen-address={listen}");
    for (words, path, wanted) in [
        (
            vec!["prometheus", &web_listen],
            "/api/v1/query?query=1",
            "\"success\"",
        ),
        (
            vec![
                "exporter",
                "--only",
                "host",
                "--config",
                "belfry.yml",
                "--listen",
                &listen,
            ],
            "/metrics/host",
            "node_load1 ",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .args(&words)
            .arg("--web.config.file=web.yml")
            .env_remove("BELFRY_CONFIG")
            .current_dir(&folder);
        let mut process = Process::spawn(words[0], &mut command, &folder.join("log"));
        let port = port.number.to_string();
        let ask = |words: &[&str]| curl(&port, path, &made.authority, words);
        let answer = process.ready("it should serve", || {
            let (status, answer) = ask(&AMY);
            (status == 200).then_some(answer)
        });
        assert!(answer.contains(wanted), "{answer}");
        assert_eq!(ask(&[]).0, 401, "{words:?}");
        assert!(
            process.log().contains(&format!("https://{listen}")),
            "{}",
            process.log()
        );
        assert!(process.stop().success());
    }
}
