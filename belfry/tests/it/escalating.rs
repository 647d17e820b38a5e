//! What nobody ends and nobody answers: it becomes critical, is mailed again,
//! and goes to the second contact, over restarts.

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::poll;
use crate::support::sink::{Act, Received, Sink};

const STUCK: &str = "\
- alert: QueueStuck
  expr: last_over_time(test_switch[30s]) == 1
  labels: {severity: warning}
  annotations: {summary: the queue is stuck}
";

const POLICY: &str =
    "  escalation: [{raise_after: 25s, again_after: 3s, second_after: 6s, second_receiver: boss}]
";

fn routes() -> String {
    let receiver = |name: &str| {
        format!(
            "{{name: {name}, email_configs: [{{to: {name}@example.org, send_resolved: true}}]}}"
        )
    };
    format!(
        "alerter:\n{POLICY}  route:\n    receiver: ops\n    group_by: [alertname]\n    group_wait: 0s\n    \
         group_interval: 1s\n    repeat_interval: 1h\n    routes: [{{matchers: [severity=critical]}}]\n  \
         receivers: [{}, {}]",
        receiver("ops"),
        receiver("boss")
    )
}

fn subjects(sink: &Sink) -> Vec<String> {
    let one = |got: &Received| {
        let to = got.recipients.join(",");
        let to = to
            .trim_matches(['<', '>'])
            .split('@')
            .next()
            .unwrap_or_default()
            .to_owned();
        format!("{to}: {}", got.mail.header("Subject"))
    };
    sink.received().iter().map(one).collect()
}

#[test]
fn a_warning_grows_critical_is_mailed_again_and_reaches_the_second_contact() {
    let sink = Sink::start(&[Act::Accept]);
    let setup = Setup::new().rules(STUCK).part(&format!(
        "mail: {{smarthost: '127.0.0.1:{}', from: belfry@example.org, to: ops@example.org, tls: none}}",
        sink.port()
    ));
    let setup = setup.part(&routes());
    setup.switch(true);
    let mut belfry = Launch::with(&setup.config()).start();
    poll::holds("the warning should be mailed", || {
        !sink.received().is_empty()
    });
    let first = subjects(&sink).remove(0);
    assert!(
        first.starts_with("ops: [SEV-2] the queue is stuck"),
        "{first}"
    );
    assert!(sink.received()[0].mail.text.contains("becomes SEV-1"));
    let alert = belfry.get("/api/belfry/v1/alerts").json()["alerts"][0].clone();
    assert!(alert["raises_ms"].is_i64(), "{alert}");
    assert!(belfry.get("/").body.contains("becomes critical"));

    // The clocks go on while nobody watches.
    belfry.kill();
    belfry.restart();
    let raised = poll::until("it should be mailed as critical", || {
        subjects(&sink).into_iter().find(|it| it.contains("->"))
    });
    assert!(
        raised.starts_with("ops: [SEV-2 -> SEV-1] the queue is stuck"),
        "{raised}"
    );
    poll::holds(
        "it should be mailed again, and to the second contact",
        || {
            let all = subjects(&sink);
            let again = all.iter().filter(|it| it.starts_with("ops: [SEV-1 "));
            again.count() == 1 && all.iter().any(|it| it.starts_with("boss: [SEV-"))
        },
    );
    assert!(belfry.get("/").body.contains("card critical"));
    assert_eq!(
        subjects(&sink)
            .iter()
            .filter(|it| it.contains("->"))
            .count(),
        2,
        "once each"
    );

    setup.switch(false);
    poll::holds("both should be told the end", || {
        let over = |name: &str| subjects(&sink).iter().any(|it| it.starts_with(name));
        over("ops: [OK]") && over("boss: [OK]")
    });
    let steps = belfry.get("/api/belfry/v1/history").json()["episodes"][0]["steps"].to_string();
    assert!(steps.contains("\"raised\""), "{steps}");
}
