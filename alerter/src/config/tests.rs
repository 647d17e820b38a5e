use super::*;
use crate::plan::{GroupBy, Integration};
use crate::smtp::Tls;

fn config(yaml: &str) -> Config {
    settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn mail(yaml: &str) -> Mail {
    settings::read("a.yml".as_ref(), yaml, &|_| None).unwrap()
}

fn problems(config: &Config, mail: &Mail) -> Vec<String> {
    let problems = plan(config, mail).expect_err("there are faults");
    problems.iter().map(Problem::to_string).collect()
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let config = config(
        r#"
global: {smtp_smarthost: "mx.example.org:"}
route:
  receiver: nobody
  matchers: [a=b]
  continue: true
  group_by: [x, x]
  routes:
    - {receiver: gone, group_interval: 0s, repeat_interval: 0s}
    - {group_by: ['...', y], matchers: ['=x'], match: {a b: c}, match_re: {d: '('}}
inhibit_rules:
  - {source_matchers: ['x'], target_match_re: {y: '['}, equal: ['']}
receivers:
  - {name: a, email_configs: [{to: ops@example.org}, {to: '{{ y }}', from: '{{ end }}', threading: {enabled: true}}, {threading: {enabled: true, thread_by_date: daily}, headers: {references: x}}]}
  - {name: a}
  - {email_configs: [{from: nobody, html: '{{ end }}', text: '{{ y }}', smarthost: "mx:25", headers: {content-type: x, x-a: y, X-B: 1, x-b: 2}}]}
"#,
    );
    let found = problems(&config, &Mail::default()).join("\n");
    for wanted in [
        "alerter.route: root route must not have any matchers",
        "alerter.route.continue: cannot have continue in root route",
        "alerter.route.receiver: undefined receiver \"nobody\" used in route",
        "alerter.route.group_by: duplicated label \"x\" in group_by",
        "alerter.route.routes[0].receiver: undefined receiver \"gone\" used in route",
        "alerter.route.routes[0].group_interval: group_interval cannot be zero",
        "alerter.route.routes[0].repeat_interval: repeat_interval cannot be zero",
        "alerter.route.routes[1].group_by: cannot have wildcard group_by (`...`) and other labels at the same time",
        "alerter.route.routes[1].matchers[0]: bad matcher format: =x",
        "alerter.route.routes[1].match: invalid label name \"a b\"",
        "alerter.route.routes[1].match_re: invalid regexp value for \"d\"",
        "alerter.inhibit_rules[0].source_matchers[0]: bad matcher format: x",
        "alerter.inhibit_rules[0].target_match_re: invalid regexp value for \"y\"",
        "alerter.inhibit_rules[0].equal: invalid label name \"\" in equal list",
        "alerter.receivers[0].email_configs[0].smarthost: address \"mx.example.org:\": port cannot be empty",
        "alerter.receivers[0].email_configs[0].from: no global SMTP from set",
        "alerter.receivers[1].name: notification config name \"a\" is not unique",
        "alerter.receivers[2].name: missing name in receiver",
        "alerter.receivers[2].email_configs[0].to: missing to address in email config",
        "alerter.receivers[2].email_configs[0].from: \"nobody\" is not an address",
        "alerter.receivers[0].email_configs[1].threading.thread_by_date: threading.thread_by_date must be either 'none' or 'daily'",
        "alerter.receivers[0].email_configs[2].threading: conflicts with References in headers",
        "alerter.receivers[0].email_configs[1].to: 1:4: function \"y\" not defined",
        "alerter.receivers[0].email_configs[1].from: 1:",
        "email_configs[0].headers[content-type]: Content-Type is set by the program",
        "email_configs[0].text: 1:4: function \"y\" not defined",
        "email_configs[0].html: 1:",
        "email_configs[0].headers[x-b]: duplicate header \"X-B\" in email config",
    ] {
        assert!(found.contains(wanted), "{wanted}\nis not in\n{found}");
    }
}

#[test]
fn times_of_attempts_have_fractions_as_in_go_and_times_of_routes_have_none() {
    let entries = [
        "webhook_configs: [{url: 'http://x/y', timeout: 1.5s}]",
        "slack_configs: [{api_url: 'http://x/y', timeout: 1.5s}]",
        "pagerduty_configs: [{routing_key: k, timeout: 1.5s}]",
        "pushover_configs: [{user_key: u, token: t, retry: 1.5m, expire: 0.5h, ttl: 36h}]",
    ];
    let text = format!(
        "{{route: {{receiver: a}}, receivers: [{{name: a, {}}}]}}",
        entries.join(", ")
    );
    let config = config(&text);
    let plan = plan(&config, &Mail::default()).unwrap();
    let timeouts = plan.receivers[0].integrations.values().map(|it| match it {
        Integration::Channel(channel) => channel.timeout.as_millis(),
        Integration::Email(_) => 0,
    });
    let mut timeouts: Vec<_> = timeouts.collect();
    timeouts.sort_unstable();
    assert_eq!(timeouts, [0, 1_500, 1_500, 1_500]);
    // As Go reads them, who knows no days.
    for shown in ["timeout: 1.5s", "retry: 1m30s", "expire: 30m", "ttl: 36h"] {
        assert!(plan.original.contains(shown), "{shown}: {}", plan.original);
    }
    for (field, entry) in [
        ("group_wait", "group_wait: 1.5s"),
        ("group_interval", "group_interval: 0.5h"),
        ("repeat_interval", "repeat_interval: 1h1.5s"),
    ] {
        let text = format!("{{route: {{receiver: a, {entry}}}}}");
        let faults = settings::read::<Config>("a.yml".as_ref(), &text, &|_| None).unwrap_err();
        assert!(format!("{faults:?}").contains(field), "{faults:?}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (yaml, key) in [
        ("event_recorder: {}", "event_recorder"),
        ("tracing: {}", "tracing"),
        (
            "receivers: [{name: a, incidentio_configs: []}]",
            "incidentio_configs",
        ),
        ("route: {receiver: a, group_limit: 1}", "group_limit"),
        ("inhibit_rules: [{sources: []}]", "sources"),
    ] {
        let faults = settings::read::<Config>("a.yml".as_ref(), yaml, &|_| None).unwrap_err();
        let text = format!("{faults:?}");
        assert!(text.contains(key), "{yaml}: {text}");
    }
}

#[test]
fn the_mail_section_is_checked_too() {
    let found = problems(
        &Config::default(),
        &mail("{to: '{{ x }}', smarthost: mx, password: hunter2, timeout: 0s, hello: \"a b\"}"),
    );
    for wanted in [
        "mail.to: templates are not supported here",
        "mail.from: say who the mails are from",
        "mail.smarthost: address \"mx\": missing port in address",
        "mail.username: a password is of no use without a user name",
        "mail.hello: \"a b\" is not a host name",
        "mail.timeout: no server answers in no time",
    ] {
        assert!(
            found.iter().any(|line| line == wanted),
            "{wanted}: {found:?}"
        );
    }
    assert!(!format!("{found:?}").contains("hunter2"));
    let found = problems(&Config::default(), &mail("{from: a@b.c}"));
    assert_eq!(
        found,
        [
            "mail.to: say who is to be mailed",
            "mail.smarthost: name the mail server as host:port"
        ]
    );
}

#[test]
fn mail_alone_gives_the_built_in_tree() {
    let mail = mail(
        "{to: 'Ops <ops@example.org>, b@example.org', username: belfry@example.org, password: x, smarthost: 'mx.example.org:465'}",
    );
    let plan = plan(&Config::default(), &mail).unwrap();
    assert!(!plan.letter);
    let route = |severity: &str| {
        let labels = [("severity", severity)].into_iter().collect();
        let routes = plan.routes_of(&labels);
        assert_eq!(routes.len(), 1);
        (&plan.routes[routes[0]], plan.receiver_of(routes[0]))
    };
    let (critical, receiver) = route("critical");
    assert_eq!(
        (critical.group_wait_ms, critical.repeat_interval_ms),
        (10_000, 3_600_000)
    );
    assert_eq!(
        critical.group_by,
        GroupBy::Labels(vec!["alertname".into(), "project".into()])
    );
    let email = receiver.emails().next().unwrap();
    let whom = crate::whom::Whom::without(&email.to, &email.from, 0);
    assert_eq!(whom.to.len(), 2);
    assert_eq!(whom.from.unwrap().to_string(), "belfry@example.org");
    assert!(email.send_resolved);
    assert_eq!(email.server().tls, Tls::Implicit);
    for severity in ["warning", "", "page"] {
        let (other, receiver) = route(severity);
        assert_eq!(
            (other.group_wait_ms, other.repeat_interval_ms),
            (30_000, 14_400_000)
        );
        assert_eq!(receiver.integrations.len(), 1);
    }
    assert!(route("info").1.integrations.is_empty());
}

#[test]
fn without_any_section_alerts_are_only_shown() {
    let plan = plan(&Config::default(), &Mail::default()).unwrap();
    assert!(
        plan.receivers
            .iter()
            .all(|receiver| receiver.integrations.is_empty())
    );
}

#[test]
fn encryption_follows_alertmanagers_rules() {
    for (keys, port, wanted) in [
        ("", 25, Tls::Starttls),
        ("", 465, Tls::Implicit),
        ("require_tls: false", 25, Tls::None),
        ("require_tls: false", 465, Tls::Implicit),
        ("force_implicit_tls: true", 25, Tls::Implicit),
        ("force_implicit_tls: false", 465, Tls::Starttls),
        (
            "force_implicit_tls: false, require_tls: false",
            465,
            Tls::None,
        ),
    ] {
        let config = config(&format!(
            "{{route: {{receiver: a}}, receivers: [{{name: a, email_configs: [{{to: a@b.c, from: d@e.f, smarthost: 'mx:{port}', {keys}}}]}}]}}"
        ));
        let plan = plan(&config, &Mail::default()).unwrap();
        assert_eq!(
            plan.receivers[0].emails().next().unwrap().server().tls,
            wanted,
            "{keys} {port}"
        );
    }
}

#[test]
fn a_receiver_without_a_server_goes_through_the_mail_sections() {
    let config = config(
        "{route: {receiver: a}, receivers: [{name: a, email_configs: [{to: a@b.c}, {to: a@b.c, smarthost: 'other:25'}]}]}",
    );
    let mail =
        mail("{to: x@y.z, from: d@e.f, smarthost: 'mx:587', username: u, password: p, tls: none}");
    let plan = plan(&config, &mail).unwrap();
    let servers: Vec<_> = plan.receivers[0]
        .emails()
        .map(|it| &it.servers[0])
        .collect();
    assert_eq!(&*servers[0].address, "mx:587");
    assert_eq!((&*servers[0].username, servers[0].tls), ("u", Tls::None));
    // The password is for the server that it was given for.
    assert_eq!(&*servers[1].address, "other:25");
    assert_eq!((&*servers[1].username, servers[1].tls), ("", Tls::Starttls));
    assert!(servers[1].password.is_empty());
}
