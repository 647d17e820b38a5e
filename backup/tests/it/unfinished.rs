//! Who confirms a restore, or undoes it, while another one was cut short: that is put
//! back first, and nothing else is done.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use backup::Job;
use backup::quiet::{self, Of};
use backup::restore::{self, Names, Paths};
use backup::run::Lock;
use tokio::time::timeout;

use crate::cluster::{BIN, Cluster, run};
use crate::faults::tool::instead;
use crate::place::Bench;
use crate::replace::{changed, kept, replaced};

/// What is done: confirmed, or undone.
async fn asked(bench: &Bench, undo: bool) -> Result<(), String> {
    if undo {
        restore::undo(&bench.setup, bench.job()).await.map(drop)
    } else {
        restore::confirm(&bench.setup, bench.job()).await.map(drop)
    }
}

const LOOK: &str = "what an unfinished restore left was put back";

#[tokio::test]
async fn what_is_kept_of_a_database_is_not_removed_before_what_was_cut_short_is_put_back() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let (_, now) = changed(&cluster, &bench).await;
    let journal = bench.setup.work.join("restore-db.json");
    let number = "SELECT oid FROM pg_database WHERE datname = 'shop'";
    let names = Names::new("shop", "20260823T031000Z-0123abcd");
    for undo in [false, true] {
        // Between the two renames: what was there has another name.
        let away = format!("ALTER DATABASE shop RENAME TO {}", names.before);
        cluster.sql("postgres", &away);
        cluster.sql("postgres", &format!("CREATE DATABASE {}", names.beside));
        fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        let err = asked(&bench, undo).await.unwrap_err();
        assert!(err.starts_with(LOOK), "{err}");
        assert!(err.ends_with("; look at it, and say it again"), "{err}");
        assert_eq!(cluster.fingerprint("shop"), now, "{undo}");
        assert_eq!(cluster.databases(), "postgres shop", "{undo}");
        // It is dropped, and its dump is the only one that is left.
        let was = Some(cluster.sql("postgres", number).parse().unwrap());
        replaced(&bench).await.unwrap();
        cluster.sql("postgres", "DROP DATABASE shop");
        let names = Names {
            was,
            ..names.clone()
        };
        fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        let err = asked(&bench, undo).await.unwrap_err();
        assert!(err.starts_with(LOOK), "{err}");
        assert_eq!(cluster.fingerprint("shop"), now, "{undo}");
        assert_eq!(cluster.databases(), "postgres shop", "{undo}");
        assert!(!journal.exists() && kept(&bench) == 0, "{undo}");
    }
    // Said again it is done, where there is anything to do.
    asked(&bench, false).await.unwrap();
    asked(&bench, true).await.unwrap_err();
    assert_eq!(cluster.fingerprint("shop"), now);
}

#[tokio::test]
async fn what_is_kept_of_a_folder_is_not_removed_before_what_was_cut_short_is_put_back() {
    let (bench, root) = crate::tree::bench();
    fs::write(root.join("is"), "live").unwrap();
    let manifest = bench.good().await;
    let paths = Paths::new(&root, &manifest.id).unwrap();
    let journal = bench.setup.work.join("restore-files-files.json");
    for undo in [false, true] {
        fs::create_dir(&paths.beside).unwrap();
        fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
        fs::rename(&root, &paths.before).unwrap();
        let err = asked(&bench, undo).await.unwrap_err();
        assert!(err.starts_with(LOOK), "{err}");
        assert!(err.ends_with("; look at it, and say it again"), "{err}");
        assert_eq!(fs::read(root.join("is")).unwrap(), b"live", "{undo}");
        assert!(!paths.before.exists() && !paths.beside.exists());
        assert!(!journal.exists());
    }
}

/// A job with an unfinished restore, whose server does not answer, and another one. Both
/// have runs that were killed.
fn killed() -> Bench {
    let mut bench = Bench::bare();
    let job = |name: &str| Job {
        name: name.into(),
        database: name.into(),
        after: vec!["true".into()],
        timeout: Duration::from_secs(7200),
        ..Job::default()
    };
    bench.change(|config| config.jobs = vec![job("slow"), job("other")]);
    instead(&mut bench, "psql", "exec sleep 60");
    let work = &bench.setup.work;
    fs::create_dir_all(work).unwrap();
    let names = serde_json::to_vec(&Names::new("slow", "20260823T031000Z-0123abcd"));
    fs::write(work.join("restore-slow.json"), names.unwrap()).unwrap();
    for job in ["slow", "other"] {
        let quiet = work.join(format!("quiet-{job}.json"));
        fs::write(quiet, r#"{"touched": [], "after": true}"#).unwrap();
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn who_is_started_again_after_a_restore_does_not_wait_for_ever_for_it() {
    let bench = killed();
    let day = Duration::from_secs(24 * 3600);
    let done = timeout(day, quiet::recover(&bench.setup, Of::Restores)).await;
    let told = "slow: an unfinished restore cannot be put back: it took longer than 2h";
    assert_eq!(done.unwrap().unwrap_err(), told);
    let tried_again = bench.setup.work.join("quiet-slow.json");
    assert!(tried_again.exists());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_due_does_not_wait_for_ever_for_a_restore_that_is_put_back() {
    let bench = killed();
    let day = Duration::from_secs(24 * 3600);
    let report = timeout(day, bench.run()).await.unwrap();
    let told = "an unfinished restore cannot be put back: it took longer than 2h";
    assert_eq!(report.error.as_deref(), Some(told));
}

#[tokio::test(start_paused = true)]
async fn who_puts_back_a_folder_does_not_wait_for_ever_for_its_disk() {
    let (bench, root) = crate::tree::bench();
    // Who opens it waits until somebody writes into it.
    let hangs = bench.scratch.path().join("hangs");
    run(Command::new("mkfifo").arg(&hangs));
    let paths = Paths {
        live: hangs.join("live"),
        ..Paths::new(&root, "20260823T031000Z-0123abcd").unwrap()
    };
    let journal = bench.setup.work.join("restore-files-files.json");
    fs::create_dir_all(&bench.setup.work).unwrap();
    fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    let told = format!("{} does not answer", hangs.display());
    let (tell, gave_up) = mpsc::channel();
    let disk = std::thread::spawn(move || {
        let gave_up = gave_up.recv_timeout(Duration::from_secs(60));
        fs::File::options().write(true).open(hangs).unwrap();
        gave_up.is_ok()
    });
    let done = restore::recover(&bench.setup, bench.job()).await;
    let _ = tell.send(());
    assert!(disk.join().unwrap(), "{done:?}");
    assert_eq!(done.unwrap_err(), told);
    assert!(journal.exists(), "it is tried again");
}

#[tokio::test]
async fn what_had_taken_its_place_is_told_though_what_was_there_cannot_be_put_back() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let now = cluster.fingerprint("shop");
    let names = Names::new("shop", "20260823T031000Z-0123abcd");
    let away = format!("ALTER DATABASE shop RENAME TO {}", names.before);
    cluster.sql("postgres", &away);
    cluster.sql("postgres", "CREATE DATABASE shop");
    fs::create_dir_all(&bench.setup.work).unwrap();
    let journal = bench.setup.work.join("restore-db.json");
    fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
    let script = r#"exec 3<&0
exec $real "$@" < <(exec 2>/dev/null; sed -u 's|^.* RENAME TO "shop";$|SELECT 1/0;|' <&3) 3<&-"#;
    instead(&mut bench, "psql", script);
    let recover = async |bench: &Bench| restore::recover(&bench.setup, bench.job()).await;
    let err = recover(&bench).await.unwrap_err();
    let aside = "; what had taken its place is shop__aside_0123abcd";
    assert!(err.ends_with(aside), "{err}");
    bench.change(|config| config.jobs[0].bin = BIN.into());
    recover(&bench).await.unwrap().unwrap();
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(cluster.databases(), "postgres shop shop__aside_0123abcd");
}

#[tokio::test]
async fn who_was_stopped_is_noted_until_it_runs_though_the_restore_is_put_back() {
    let (bench, root) = crate::tree::bench();
    let work = &bench.setup.work;
    fs::create_dir_all(work).unwrap();
    let paths = Paths::new(&root, "20260823T031000Z-0123abcd").unwrap();
    let journal = work.join("restore-files-files.json");
    fs::write(&journal, serde_json::to_vec(&paths).unwrap()).unwrap();
    let touched = r#"{"touched": [{"id": "1", "name": "app", "pause": false}], "after": false}"#;
    fs::write(work.join("quiet-files.json"), touched).unwrap();
    let noted = || quiet::is_noted(&bench.setup, "files");
    assert!(noted());
    // No engine is there that could start it.
    let err = quiet::recover(&bench.setup, Of::Restores)
        .await
        .unwrap_err();
    assert_eq!(err, "files: no engine is there");
    assert!(!journal.exists() && noted());
    // Who is at it has the lock: what he works on is left by nobody.
    let _lock = Lock::take(work, "files").unwrap();
    assert_eq!(quiet::left(&bench.setup), []);
    assert!(noted());
    fs::remove_file(work.join("quiet-files.json")).unwrap();
    assert!(!noted());
}

#[tokio::test]
async fn who_was_stopped_by_a_run_does_not_wait_for_a_restore_of_another_job() {
    let bench = killed();
    let done = quiet::recover(&bench.setup, Of::Runs).await;
    assert_eq!(done.unwrap(), ["other"]);
    let left = quiet::left(&bench.setup);
    assert_eq!(left, [("slow".to_owned(), String::new())]);
}
