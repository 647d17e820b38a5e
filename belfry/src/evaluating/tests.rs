use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::task::Poll;

use rules::{Due, RuleSet, Site, Source};

use super::*;

/// As many groups, ready to be evaluated.
fn evaluations(count: usize) -> Vec<Evaluation> {
    let group = |at| format!("- {{name: g{at}, rules: [{{record: 'a:b', expr: '1'}}]}}\n");
    let text = format!("groups:\n{}", (0..count).map(group).collect::<String>());
    let source = Source {
        name: "r.yml".into(),
        text,
    };
    let mut set = RuleSet::load(&[source], Site::default()).unwrap();
    let due = |group| Due { group, at_ms: 0 };
    (0..count)
        .filter_map(|group| set.begin(due(group)))
        .collect()
}

fn alert() -> Alert {
    Alert {
        labels: alert::Set::new(),
        annotations: alert::Set::new(),
        starts_at: None,
        ends_at: None,
        generator_url: String::new(),
    }
}

/// Takes what is told until so many groups have ended.
async fn ended(evaluating: &mut Evaluating, mut count: usize) {
    while count > 0 {
        if evaluating.next().await.unwrap().is_empty() {
            count -= 1;
        }
    }
}

#[tokio::test]
async fn groups_that_wait_behind_slow_ones_are_evaluated_all_the_same() {
    let (release, gate) = std_mpsc::channel::<()>();
    let (gate, begun) = (Mutex::new(gate), AtomicUsize::new(0));
    // The first two hang until they are released.
    let mut evaluating = Evaluating::new(3, move |_, tell| {
        if begun.fetch_add(1, Ordering::SeqCst) < 2 {
            let _ = gate.lock().unwrap().recv();
        }
        tell(vec![alert()]);
    });
    evaluating.add(evaluations(7));
    ended(&mut evaluating, 5).await;
    assert_eq!(evaluating.open(), 2);
    assert!(!evaluating.is_stuck());
    drop(release);
    ended(&mut evaluating, 2).await;
    assert_eq!(evaluating.open(), 0);
}

#[tokio::test]
async fn no_more_groups_than_allowed_are_evaluated_at_once() {
    let (release, gate) = std_mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let mut evaluating = Evaluating::new(2, move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
    });
    evaluating.add(evaluations(5));
    // Nothing ends: it gets stuck with two under way, and says so.
    while !evaluating.is_stuck() {
        let soon = Duration::from_millis(10);
        assert!(time::timeout(soon, evaluating.next()).await.is_err());
    }
    // A thread may need its time before it takes the second.
    while begun.load(Ordering::SeqCst) < 2 {
        let soon = Duration::from_millis(10);
        assert!(time::timeout(soon, evaluating.next()).await.is_err());
    }
    assert_eq!(begun.load(Ordering::SeqCst), 2);
    assert_eq!(evaluating.threads.len(), 2);
    drop(release);
    ended(&mut evaluating, 5).await;
    assert!(!evaluating.is_stuck());
}

#[tokio::test]
async fn a_fault_in_a_group_is_not_kept_quiet() {
    let mut evaluating = Evaluating::new(2, |_, _| panic!("as a fault of ours would"));
    evaluating.add(evaluations(1));
    assert!(evaluating.next().await.is_err());
}

#[tokio::test]
async fn at_the_end_nothing_is_begun_and_what_is_said_soon_is_told() {
    let (release, gate) = std_mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let mut evaluating = Evaluating::new(1, move |_, tell| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
        tell(vec![alert()]);
    });
    evaluating.add(evaluations(3));
    while begun.load(Ordering::SeqCst) == 0 {
        let soon = Duration::from_millis(10);
        assert!(time::timeout(soon, evaluating.next()).await.is_err());
    }
    // From here on its time stands still while a thread works, however long that takes.
    time::pause();
    let mut end = Box::pin(evaluating.finish());
    let waits = poll_fn(|context| Poll::Ready(end.as_mut().poll(context).is_pending()));
    assert!(waits.await);
    drop(release);
    assert_eq!(end.await.len(), 1);
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_end_waits_for_no_slow_group() {
    let (release, gate) = std_mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let mut evaluating = Evaluating::new(1, move |_, _| {
        let _ = gate.lock().unwrap().recv();
    });
    evaluating.add(evaluations(1));
    let soon = Duration::from_millis(10);
    assert!(time::timeout(soon, evaluating.next()).await.is_err());
    assert_eq!(evaluating.finish().await, []);
    // Until here it hung.
    drop(release);
}
