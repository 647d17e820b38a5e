//! What is counted under which names, and that there are never too many.

use super::*;
use crate::pieces::page;

fn sent(name: &str, queue: &str, eta: Option<f64>) -> Task {
    Task::Sent {
        name: name.into(),
        queue: queue.into(),
        eta,
    }
}

fn received(name: &str) -> Task {
    Task::Received {
        name: name.into(),
        eta: None,
    }
}

fn text(tally: &Tally) -> String {
    let mut sheet = Sheet::new(&"".into());
    tally.encode(&mut sheet);
    page(&[Arc::new(sheet.finish())])
}

fn play(tally: &mut Tally, uuid: &str, story: &[(&str, f64, Task)]) {
    for (host, at, what) in story {
        tally.happened((host, None), uuid, what, (*at, *at));
    }
}

#[test]
fn a_task_is_counted_on_its_way_and_its_waiting_begins_when_it_may() {
    let mut tally = Tally::default();
    play(
        &mut tally,
        "a",
        &[
            ("web", 100.0, sent("pay", "mail", Some(160.0))),
            ("w1", 101.0, received("pay")),
            ("w1", 162.0, Task::Started),
            ("w1", 163.0, Task::Retried),
            ("w1", 163.0, sent("pay", "mail", None)),
            ("w1", 163.5, Task::Started),
            ("w1", 164.0, Task::Succeeded { runtime: Some(0.3) }),
        ],
    );
    let labels = "{hostname=\"w1\",name=\"pay\",queue_name=\"mail\"";
    let page = text(&tally);
    for line in [
        "celery_task_sent_total{hostname=\"web\",name=\"pay\",queue_name=\"mail\"} 1\n".to_owned(),
        format!("celery_task_started_total{labels}}} 2\n"),
        format!("celery_task_retried_total{labels}}} 1\n"),
        format!("celery_task_revoked_total{labels}}} 0\n"),
        format!("celery_task_queue_wait_time_bucket{labels},le=\"1\"}} 1\n"),
        format!("celery_task_queue_wait_time_sum{labels}}} 2.5\n"),
        format!("celery_task_runtime_sum{labels}}} 0.3\n"),
    ] {
        assert!(page.contains(&line), "{line} {page}");
    }
    // The sender is no worker.
    assert!(!page.contains("celery_task_started_total{hostname=\"web\""));
    assert_eq!(tally.last_sent("pay"), Some(163.0));
}

#[test]
fn a_task_that_was_begun_before_we_listened_has_no_name() {
    let mut tally = Tally::default();
    let failed = Task::Failed {
        exception: "KeyError".into(),
    };
    tally.happened(("w", Some("mail")), "x", &failed, (1.0, 1.0));
    let page = text(&tally);
    let line = "celery_task_failed_total{exception=\"KeyError\",hostname=\"w\",name=\"other\",queue_name=\"mail\"} 1\n";
    assert!(page.contains(line), "{page}");
}

#[test]
fn names_that_never_end_become_other() {
    let mut tally = Tally::default();
    for at in 0..10_000 {
        let name = format!("t{at}");
        let host = format!("h{at}");
        let uuid = at.to_string();
        play(
            &mut tally,
            &uuid,
            &[
                (&host, 1.0, sent(&name, &name, None)),
                (
                    &host,
                    1.0,
                    Task::Failed {
                        exception: name.clone(),
                    },
                ),
            ],
        );
    }
    assert!(tally.counts.len() <= MOST_SERIES + 1);
    assert_eq!(
        (tally.names.len(), tally.queues.len()),
        (MOST_NAMES, MOST_QUEUES)
    );
    assert_eq!(tally.exceptions.len(), MOST_EXCEPTIONS);
    let all: u64 = tally.counts.values().map(|of| of.sent).sum();
    assert_eq!(all, 10_000);
    tally.tidy(KEEP + 2.0);
    assert!(tally.counts.is_empty());
}

#[test]
fn counts_go_on_after_a_restart() {
    let mut before = Tally::default();
    play(
        &mut before,
        "a",
        &[("w", 1.0, received("t")), ("w", 2.0, Task::Started)],
    );
    let kept = serde_json::to_string(&before.keep()).unwrap();
    let mut after = Tally::default();
    after.restore(serde_json::from_str(&kept).unwrap());
    assert_eq!(text(&before), text(&after));
    play(&mut after, "a", &[("w", 3.0, received("t"))]);
    assert!(text(&after).contains(
        "celery_task_received_total{hostname=\"w\",name=\"t\",queue_name=\"celery\"} 2\n"
    ));
    // What another version kept is no reason to fail.
    let other: Kept = serde_json::from_str("{\"more\":1}").unwrap();
    assert!(other.counts.is_empty());
}
