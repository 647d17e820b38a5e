use super::*;

fn read(text: &str) -> Result<PrometheusFile, Vec<Fault>> {
    let environment = |name: &str| (name == "ZONE").then(|| "eu".to_owned());
    PrometheusFile::read(Path::new("etc/prometheus.yml"), text, &environment)
}

fn told(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_as_debian_ships_it_is_read() {
    let file = read("
# Sample config for Prometheus.
global:
  scrape_interval:     15s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s
  external_labels:
      monitor: 'example-$ZONE-$$5'
alerting:
  alertmanagers:
  - static_configs:
    - targets: ['localhost:9093']
rule_files:
  # - \"first_rules.yml\"
scrape_configs:
  - job_name: 'prometheus'
    scrape_interval: 5s
    scrape_timeout: 5s
    static_configs:
      - targets: ['localhost:9090']
  - job_name: node
    static_configs:
      - targets: ['localhost:9100']
    relabel_configs:
      - {source_labels: [__address__], regex: '(?P<host>[^:]+):.*', target_label: host, replacement: '${host}'}
")
    .unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(file.external_labels["monitor"], "example-eu-$5");
    assert_eq!(
        (file.scrape_interval, file.evaluation_interval),
        (seconds(15), seconds(15))
    );
    let times: Vec<_> = file
        .jobs
        .iter()
        .map(|job| (job.name(), job.scrape_interval, job.scrape_timeout))
        .collect();
    assert_eq!(
        times,
        [
            ("prometheus", Some(seconds(5)), Some(seconds(5))),
            ("node", Some(seconds(15)), Some(seconds(10))),
        ]
    );
    assert_eq!(file.jobs[1].relabel_configs[0].replacement, "${host}");
    assert_eq!(file.rule_files, Vec::<PathBuf>::new());
    assert_eq!(file.alertmanagers[0].job(0).metrics_path, "/api/v2/alerts");
    assert_eq!(file.idle, []);
}

#[test]
fn an_empty_file_has_prometheus_defaults() {
    let file = read("").unwrap();
    assert_eq!(file.scrape_interval, Duration::from_secs(60));
    assert_eq!(file.evaluation_interval, Duration::from_secs(60));
    assert!(file.jobs.is_empty() && file.alertmanagers.is_empty());
}

#[test]
fn files_are_named_from_the_folder_of_the_file() {
    let file = read(
        "
rule_files: [rules/*.yml, /abs/*.yml]
scrape_configs:
- job_name: a
  file_sd_configs: [{files: [targets/*.json]}]
  tls_config: {ca_file: ca.pem}
",
    )
    .unwrap();
    let paths = |paths: &[PathBuf]| -> Vec<String> {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    assert_eq!(paths(&file.rule_files), ["etc/rules/*.yml", "/abs/*.yml"]);
    let job = &file.jobs[0];
    assert_eq!(paths(&job.file_sd_configs[0].files), ["etc/targets/*.json"]);
    assert_eq!(job.tls_config.ca_file, Path::new("etc/ca.pem"));
}

#[test]
fn limits_come_from_the_job_else_from_global_else_there_are_none_but_for_the_size() {
    let file = read(
        "
global: {label_limit: 7, sample_limit: 9}
scrape_configs:
- {job_name: a, sample_limit: 3}
- {job_name: b, body_size_limit: 0, label_value_length_limit: 5}
",
    )
    .unwrap();
    let limits = |at: usize| {
        let limits = file.jobs[at].limits();
        (
            limits.samples,
            limits.labels,
            limits.value_bytes,
            limits.body_bytes,
        )
    };
    assert_eq!(limits(0), (3, 7, usize::MAX, 64 << 20));
    assert_eq!(limits(1), (9, 7, 5, usize::MAX));
}

#[test]
fn what_cannot_be_done_refuses_the_file_with_line_and_column() {
    let faults = read(
        "
remote_write:
- url: http://x
remote_read: []
scrape_configs:
- job_name: k
  kubernetes_sd_configs:
  - role: pod
  proxy_url: ''
  interval: 5s
- job_name: k
  oauth2: {client_id: a}
  tls_config: {min_version: TLS13}
  docker_sd_configs: [{host: 'tcp://a:2375', filters: [{name: x}]}]
- scrape_interval: 5s
  scrape_timeout: 6s
  scrape_intervall: 7s
alerting:
  alertmanagers:
  - api_version: v1
    basic_auth: {username: u}
    bearer_token: t
",
    )
    .unwrap_err();
    let told = told(&faults);
    let file = "etc/prometheus.yml";
    let cannot = "Belfry cannot do what this asks for; take it out to go on without";
    for expected in [
        format!("{file}:2:1: remote_write: {cannot}"),
        format!("{file}:7:3: scrape_configs[0].kubernetes_sd_configs: Belfry finds targets by"),
        format!(
            "{file}:10:3: scrape_configs[0].interval: unknown key \"interval\"; did you mean \"scrape_interval\"?"
        ),
        format!("{file}:12:3: scrape_configs[1].oauth2: {cannot}"),
        format!("{file}:13:16: scrape_configs[1].tls_config.min_version: {cannot}"),
        format!("{file}:14:46: scrape_configs[1].docker_sd_configs[0].filters: {cannot}"),
        format!(
            "{file}:17:3: scrape_configs[2]: unknown key \"scrape_intervall\"; did you mean \"scrape_interval\"?"
        ),
        format!("{file}:20:18: alerting.alertmanagers[0].api_version: \"v1\" is none of v2"),
    ] {
        assert!(
            told.iter().any(|one| one.starts_with(&expected)),
            "{expected}\nis not in\n{}",
            told.join("\n")
        );
    }
    assert_eq!(told.len(), 12, "{}", told.join("\n"));
}

#[test]
fn only_one_engine_can_be_asked_whoever_is_looked_for() {
    let read = |jobs: &str, alertmanagers: &str| {
        read(&format!(
            "scrape_configs:\n- job_name: a\n  docker_sd_configs: [{jobs}]\nalerting:\n  alertmanagers:\n  - docker_sd_configs: [{alertmanagers}]\n"
        ))
    };
    let (one, two) = ("{host: 'unix:///a'}", "{host: 'unix:///b'}");
    for (jobs, alertmanagers, engine) in [
        ("{}", "{}", ""),
        ("{}", one, "unix:///a"),
        (one, "{}", "unix:///a"),
        (
            "{host: 'unix:///a', port: 1}, {host: 'unix:///a'}",
            one,
            "unix:///a",
        ),
    ] {
        let file = read(jobs, alertmanagers).unwrap();
        assert_eq!(file.engine(), engine);
    }
    let not_first = "only one engine can be asked, and unix:///b is not the first";
    let job = "etc/prometheus.yml:3";
    let other = "etc/prometheus.yml:6";
    for (jobs, alertmanagers, wanted) in [
        (
            "{}",
            "{host: 'tcp://a:2375'}",
            format!(
                "{other}:32: alerting.alertmanagers[0].docker_sd_configs[0].host: only an engine on this host can be asked: unix://..."
            ),
        ),
        (
            one,
            two,
            format!("{other}:32: alerting.alertmanagers[0].docker_sd_configs[0].host: {not_first}"),
        ),
        (
            &format!("{one}, {two}"),
            one,
            format!("{job}:51: scrape_configs[0].docker_sd_configs[1].host: {not_first}"),
        ),
    ] {
        let faults = read(jobs, alertmanagers).unwrap_err();
        assert_eq!(told(&faults), [wanted]);
    }
}

#[test]
fn what_contradicts_itself_is_told_where_it_stands() {
    let faults = read(
        "
global: {scrape_interval: 5s, scrape_timeout: 10s}
scrape_configs:
- {job_name: a}
- {job_name: a, scrape_timeout: 6s}
- metrics_path: /m
- job_name: c
  docker_sd_configs: [{host: 'tcp://a:2375'}]
  relabel_configs: [{action: hashmod, target_label: x}]
alerting:
  alert_relabel_configs: [{action: labeldrop, source_labels: [a]}]
  alertmanagers:
  - basic_auth: {username: u}
    bearer_token: t
    alert_relabel_configs: [{source_labels: [a]}]
",
    )
    .unwrap_err();
    let file = "etc/prometheus.yml";
    assert_eq!(
        told(&faults),
        [
            format!("{file}:2:47: global.scrape_timeout: the timeout is longer than the interval"),
            format!("{file}:5:14: scrape_configs[1].job_name: the job_name \"a\" stands twice"),
            format!(
                "{file}:5:33: scrape_configs[1].scrape_timeout: the timeout is longer than the interval"
            ),
            format!("{file}:6:3: scrape_configs[2].job_name: a job needs a job_name"),
            format!(
                "{file}:8:30: scrape_configs[3].docker_sd_configs[0].host: only an engine on this host can be asked: unix://..."
            ),
            format!(
                "{file}:9:30: scrape_configs[3].relabel_configs[0].action: hashmod needs a modulus"
            ),
            format!(
                "{file}:11:36: alerting.alert_relabel_configs[0].action: labeldrop takes only regex"
            ),
            format!(
                "{file}:13:5: alerting.alertmanagers[0].authorization: at most one of basic authentication and authorization can be set"
            ),
            format!(
                "{file}:15:29: alerting.alertmanagers[0].alert_relabel_configs[0].action: replace needs a target_label"
            ),
        ]
    );
}

#[test]
fn what_changes_nothing_is_named() {
    let file = read(
        "
storage: {tsdb: {out_of_order_time_window: 30m}}
tracing: {}
global:
  query_log_file: /var/log/q
scrape_configs:
- job_name: a
  scrape_protocols: [PrometheusText0.0.4]
  enable_http2: false
  labels_of_mine:
",
    )
    .unwrap_err();
    assert!(told(&file)[0].contains("unknown key \"labels_of_mine\""));
    let file = read(
        "
storage: {tsdb: {out_of_order_time_window: 30m}}
global:
  query_log_file: /var/log/q
scrape_configs:
- job_name: a
  enable_http2: true
  keep_dropped_targets: 7
  static_configs: [{targets: [a], labels: {enable_http2: '1', sigv4: '2'}}]
",
    )
    .unwrap();
    let told = told(&file.idle);
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, expected) in told.iter().zip([
        "etc/prometheus.yml:2:1: storage: it changes nothing here: the store has its own limits",
        "etc/prometheus.yml:4:3: global.query_log_file: it changes nothing here: ",
        "etc/prometheus.yml:7:3: scrape_configs[0].enable_http2: it changes nothing here: HTTP/1.1",
        "etc/prometheus.yml:8:3: scrape_configs[0].keep_dropped_targets: it changes nothing here: ",
    ]) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(file.jobs[0].static_configs[0].labels.len(), 2);
}

#[test]
fn the_forms_of_pages_that_are_asked_for_come_from_the_job_else_from_global() {
    let text = "
global: {scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]}
scrape_configs:
- {job_name: a, scrape_protocols: [PrometheusProto, PrometheusText1.0.0]}
- {job_name: b}
";
    let file = read(text).unwrap();
    assert_eq!(file.idle, []);
    let asked = |at: usize| file.jobs[at].scrape_protocols.clone();
    assert_eq!(asked(0), [Offer::Proto, Offer::Text100]);
    assert_eq!(asked(1), [Offer::Text004, Offer::OpenMetrics100]);
    let twice = text.replace("PrometheusProto", "PrometheusText1.0.0");
    let place = "etc/prometheus.yml:4:57: scrape_configs[0].scrape_protocols[1]";
    assert_eq!(
        told(&read(&twice).unwrap_err()),
        [format!("{place}: PrometheusText1.0.0 stands twice")]
    );
}

#[test]
fn an_alertmanager_is_found_as_a_target_is() {
    let file = read("
alerting:
  alertmanagers:
  - scheme: https
    path_prefix: /am/
    timeout: 3s
    static_configs: [{targets: ['a:9093', 'b:9093']}]
    relabel_configs:
    - {source_labels: [__address__], regex: 'b.*', action: drop}
    - {source_labels: [__alerts_path__], target_label: __alerts_path__, regex: '(.*)', replacement: '/x$1'}
")
    .unwrap();
    let jobs = [file.alertmanagers[0].job(0)];
    let found = crate::Discovery::default().look(&jobs, &[], Duration::from_secs(60), false);
    assert_eq!(found.faults, Vec::<String>::new());
    let urls: Vec<_> = found.targets.iter().map(|one| &*one.url).collect();
    assert_eq!(urls, ["https://a:9093/x/am/api/v2/alerts"]);
    assert_eq!(found.targets[0].timeout, Duration::from_secs(3));
    assert_eq!(found.dropped.len(), 1);
}
