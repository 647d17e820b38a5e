//! Copies brought to targets that lacked them, pins, and folders that come late.

use std::fs;

use backup::catalogue;
use backup::drill::drill;
use backup::id::Id;
use backup::marks::{Kind, Mark};
use backup::prune::prune;
use backup::replicate::replicate;
use backup::restore::pick_to_try;
use backup::run::Outcome;
use backup::verify::verify;

use crate::place::folder;
use crate::prune::{NEWEST, manner};
use crate::tree::{LATER, bench};

#[tokio::test]
async fn a_target_that_was_down_gets_its_copies_later_and_they_are_the_same() {
    let (mut bench, root) = bench();
    fs::write(root.join("file"), vec![7; 100_000]).unwrap();
    let late = bench.scratch.path().join("late");
    bench.change(|config| config.targets.push(folder("late", &late)));
    for _ in 0..4 {
        assert_eq!(bench.run().await.outcome, Outcome::Partly);
    }
    // It is still away: that is told, and nothing else happens.
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!((done.brought.len(), done.errors.len()), (0, 1), "{done:?}");
    fs::create_dir(&late).unwrap();
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!(
        (done.brought.len(), done.errors),
        (3, vec![]),
        "the newest three"
    );
    let (here, there) = (bench.listed("local").await, bench.listed("late").await);
    assert_eq!(there.len(), 3);
    assert_eq!(there[2].manifest, here[3].manifest);
    let target = bench.target("late");
    verify(
        &bench.setup,
        bench.job(),
        &target,
        &there[2],
        LATER,
        &|_| {},
    )
    .await
    .unwrap();
    let again = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!(again.brought, vec![]);
    // New backups go to both at once.
    assert_eq!(bench.run().await.outcome, Outcome::Good);
}

#[tokio::test]
async fn what_is_damaged_where_it_lies_is_not_brought_and_a_try_that_was_cut_off_is_made_whole() {
    let (mut bench, root) = bench();
    fs::write(root.join("file"), vec![7; 100_000]).unwrap();
    let manifest = bench.good().await;
    let late = bench.scratch.path().join("late");
    fs::create_dir(&late).unwrap();
    bench.change(|config| config.targets.push(folder("late", &late)));
    let piece = &manifest.piece("archive").unwrap().key;
    let stored = bench.scratch.path().join("local").join(piece);
    let whole = fs::read(&stored).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&stored, damaged).unwrap();
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert!(
        done.errors[0].contains("archive is damaged where it lies"),
        "{done:?}"
    );
    assert_eq!(bench.listed("late").await.len(), 0);
    assert!(
        bench
            .files("late")
            .iter()
            .all(|file| !file.to_string_lossy().contains("tar"))
    );
    fs::write(&stored, &whole).unwrap();
    // Half of the piece is there already, of a process that was killed.
    let half = late.join(piece);
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, &whole[..middle]).unwrap();
    let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
    assert_eq!((done.brought.len(), done.errors), (1, vec![]));
    assert_eq!(fs::read(&half).unwrap(), whole);
}

#[tokio::test]
async fn a_pinned_backup_stays_until_its_time_and_a_drill_leaves_its_report_with_the_copy() {
    let (mut bench, root) = bench();
    fs::write(root.join("file"), "x").unwrap();
    let first = bench.good().await;
    bench.change(|config| config.jobs[0].keep = NEWEST);
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let report = drill(&bench.setup, bench.job(), &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    let mark = Mark {
        kind: Kind::Drilled,
        at_ms: LATER,
    };
    let id = Id::parse(&first.id).unwrap();
    let text = target
        .get(&first.shelf().key(&id, &mark.ending()))
        .await
        .unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(kept["passed"], true, "{kept}");
    assert_eq!(kept["files"], report.files.unwrap());
    let pinned = Mark {
        kind: Kind::Pinned,
        at_ms: LATER + 86_400_000,
    };
    pinned.set(&target, &first.shelf(), &id).await.unwrap();
    bench.good().await;
    let manner = manner(false, true);
    let done = prune(&bench.setup, bench.job(), &manner, LATER)
        .await
        .unwrap();
    assert_eq!(done[0].deleted, Vec::<String>::new(), "{done:?}");
    // It is the only one that is known to restore, until another is.
    let later = LATER + 2 * 86_400_000;
    let done = prune(&bench.setup, bench.job(), &manner, later).await;
    assert_eq!(done.unwrap()[0].deleted, Vec::<String>::new());
    let copy = bench.newest().await;
    let report = drill(&bench.setup, bench.job(), &target, &copy, later, &|_| {}).await;
    assert!(report.unwrap().passed);
    let done = prune(&bench.setup, bench.job(), &manner, later).await;
    assert_eq!(done.unwrap()[0].deleted, [first.id]);
}

#[tokio::test]
async fn what_survives_this_host_is_tried_though_a_newer_one_lies_here() {
    let (mut bench, root) = bench();
    fs::write(root.join("file"), "x").unwrap();
    let other = bench.scratch.path().join("other");
    fs::create_dir(&other).unwrap();
    bench.change(|config| config.targets.push(folder("other", &other)));
    let first = bench.good().await;
    let place = bench.setup.config.targets[1].clone();
    bench.change(|config| config.targets.truncate(1));
    let second = bench.good().await;
    bench.change(|config| config.targets.push(place));
    let names = ["other", "local"].map(str::to_owned);
    let mut listings = Vec::new();
    for name in &names {
        let listing = catalogue::list(&bench.target(name), "", &bench.setup.kept()).await;
        listings.push((name.clone(), listing.unwrap()));
    }
    let backups = catalogue::merge(&listings);
    let picked = |elsewhere: &[String]| {
        let (name, copy) = pick_to_try(&backups, elsewhere, &names).unwrap();
        (name.to_owned(), copy.manifest.id.clone())
    };
    assert_eq!(picked(&names[..1]), ("other".to_owned(), first.id.clone()));
    assert_eq!(picked(&[]), ("local".to_owned(), second.id.clone()));
    // Of which nothing is there, or nothing good, is no reason to try none.
    let none = ["away".to_owned()];
    assert_eq!(picked(&none), ("local".to_owned(), second.id));
}

#[tokio::test]
async fn pins_that_lie_ahead_are_set_wherever_the_copy_is_and_those_of_a_restore_are_not() {
    let (mut bench, root) = bench();
    fs::write(root.join("file"), "x").unwrap();
    let late = bench.scratch.path().join("late");
    fs::create_dir(&late).unwrap();
    bench.change(|config| config.targets.push(folder("late", &late)));
    let first = bench.good().await;
    let (target, id) = (bench.target("local"), Id::parse(&first.id).unwrap());
    let now_ms = jiff::Timestamp::now().as_millisecond() / 1000 * 1000;
    let (over, ahead) = (now_ms - 86_400_000, now_ms + 86_400_000);
    let restored = "it was restored, and nobody has confirmed that yet";
    for (at_ms, why) in [(over, ""), (ahead, "kept"), (ahead + 1000, restored)] {
        let set = Mark::pin(at_ms, why, &target, &first.shelf(), &id).await;
        set.unwrap();
    }
    // All of it is in both places: nothing is brought, and the pin is missing there.
    for _ in 0..2 {
        let done = replicate(&bench.setup, bench.job(), &|_| {}).await.unwrap();
        assert_eq!((done.brought, done.errors), (vec![], vec![]));
        let marks = &bench.listed("late").await[0].marks;
        let pins = marks.iter().filter(|mark| mark.kind == Kind::Pinned);
        let pins: Vec<_> = pins.copied().collect();
        assert_eq!(
            pins.iter().map(|pin| pin.at_ms).collect::<Vec<_>>(),
            [ahead]
        );
        let late = bench.target("late");
        let why = pins[0].why(&late, &first.shelf(), &id).await;
        assert_eq!(why.as_deref(), Some("kept"));
    }
}
