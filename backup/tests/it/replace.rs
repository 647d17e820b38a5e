//! Restores where the disk has no room for two: the live database is dropped, and put
//! back from its dump when anything goes wrong.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use backup::catalogue::Copy;
use backup::restore::{self, Manner, Names, in_place, restore};
use backup::target::Target;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::cluster::{BIN, Cluster, run};
use crate::faults::tool::instead;
use crate::place::{Bench, Mount};

/// A restore for which the live database is dropped.
async fn replace(bench: &Bench, target: &Target, copy: &Copy) -> Result<Names, String> {
    let manner = Manner {
        replace: true,
        ..Manner::default()
    };
    in_place(&bench.setup, bench.job(), (target, copy), &manner, &|_| {}).await
}

pub(crate) async fn replaced(bench: &Bench) -> Result<(), String> {
    let copy = bench.newest().await;
    let target = bench.target("local");
    let done = replace(bench, &target, &copy).await;
    done.map(drop)
}

/// What is in our own folder of what was dropped.
pub(crate) fn kept(bench: &Bench) -> usize {
    let note = bench.setup.work.join("kept-db.json");
    bench.files("work/kept").len() + usize::from(note.exists())
}

/// What is only read through is.
pub(crate) const READ: &str = "[[ $* == *--file=/dev/null* ]] && exec $real \"$@\"";

/// A database with a good backup, and rows that are gone since: as it is now.
pub(crate) async fn changed(cluster: &Cluster, bench: &Bench) -> (String, String) {
    let wanted = cluster.fingerprint("shop");
    bench.good().await;
    cluster.sql("shop", "DELETE FROM users WHERE id > 10");
    // Put back where it was it is told to others, as it was before.
    cluster.sql("shop", "CREATE PUBLICATION told FOR TABLE users");
    (wanted, cluster.fingerprint("shop"))
}

#[tokio::test]
async fn a_database_of_which_the_disk_holds_no_second_one_is_dropped_and_made_anew() {
    let small = |data: &Path| Mount::small(data, "size=165m");
    let (cluster, _disk) = Cluster::on(15, small);
    cluster.shop();
    let big = "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 50000) n";
    cluster.sql("shop", big);
    let bench = Bench::new(&cluster);
    let (wanted, now) = changed(&cluster, &bench).await;
    let (copy, target) = (bench.newest().await, bench.target("local"));
    let room = restore::room(&bench.setup, bench.job(), &copy.manifest).await;
    assert!(!room.unwrap().is_enough(), "{room:?}");
    let err = restore(&bench.setup, bench.job(), &target, &copy, &|_| {})
        .await
        .unwrap_err();
    assert!(
        err.ends_with("; --replace drops the live one first"),
        "{err}"
    );
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(cluster.fingerprint("shop"), now, "nothing was touched");

    replaced(&bench).await.unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
    assert_eq!(cluster.databases(), "postgres shop");
    assert_eq!(kept(&bench), 2);
    let err = replaced(&bench).await.unwrap_err();
    assert!(err.contains("confirm or undo that first"), "{err}");
    let undone = restore::undo(&bench.setup, bench.job()).await.unwrap();
    assert_eq!(undone, None);
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(kept(&bench), 0);
    restore::undo(&bench.setup, bench.job()).await.unwrap_err();
    replaced(&bench).await.unwrap();
    let confirmed = restore::confirm(&bench.setup, bench.job()).await.unwrap();
    assert!(confirmed.len() == 1 && confirmed[0].ends_with("/kept/db"));
    assert_eq!(kept(&bench), 0);
    assert_eq!(cluster.fingerprint("shop"), wanted);
    assert_eq!(cluster.databases(), "postgres shop");

    // One that is larger than the disk is refused, and the live one is still there.
    let mut large = copy.clone();
    let facts = large.manifest.postgres.as_mut().unwrap();
    facts.size = Some(400 << 20);
    let err = replace(&bench, &target, &large).await.unwrap_err();
    assert!(
        err.contains("are needed even when shop is dropped"),
        "{err}"
    );
    assert_eq!(cluster.fingerprint("shop"), wanted);
    assert_eq!(kept(&bench), 0);
}

#[tokio::test]
async fn the_room_of_another_server_whose_folder_is_called_alike_is_not_taken_for_it() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    for (of, is_told) in [(&cluster, true), (&other, false)] {
        // A server elsewhere tells of its folder what is another's here.
        keeps_its_data_in(&mut bench, &of.sockets.join("data"));
        let room = restore::room(&bench.setup, bench.job(), &manifest).await;
        assert_eq!(room.is_some(), is_told, "{room:?}");
    }
}

/// What the server says.
fn keeps_its_data_in(bench: &mut Bench, data: &Path) {
    let script = format!(
        "exec 3<&0; exec $real \"$@\" < <(exec 2>/dev/null; sed -u \"s|^SHOW data_directory|SELECT '{}'|\" <&3) 3<&-",
        data.display()
    );
    instead(bench, "psql", &script);
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_disk_that_does_not_tell_its_room_and_others_not_at_all() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let manifest = bench.good().await;
    let data = bench.scratch.path().join("data");
    fs::create_dir_all(data.join("global")).unwrap();
    // Who reads it waits until somebody has written into it.
    let control = data.join("global/pg_control");
    run(Command::new("mkfifo").arg(&control));
    keeps_its_data_in(&mut bench, &data);
    let (tell, read) = oneshot::channel();
    let (go_on, gave_up) = mpsc::channel();
    let disk = std::thread::spawn(move || {
        let _hangs = fs::File::options().write(true).open(control).unwrap();
        tell.send(()).unwrap();
        gave_up.recv_timeout(Duration::from_secs(60)).is_ok()
    });
    let other = async {
        read.await.unwrap();
        // From here on time passes as fast as nobody has anything to do.
        tokio::time::pause();
    };
    let day = Duration::from_secs(24 * 3600);
    let asked = timeout(day, restore::room(&bench.setup, bench.job(), &manifest));
    let (room, ()) = tokio::join!(asked, other);
    let _ = go_on.send(());
    assert!(disk.join().unwrap(), "the others should go on");
    assert_eq!(room, Ok(None));
}

#[tokio::test]
async fn who_replaces_where_no_database_is_and_no_room_is_not_told_to_replace() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    bench.good().await;
    cluster.sql("postgres", "DROP DATABASE shop");
    let (mut large, target) = (bench.newest().await, bench.target("local"));
    large.manifest.postgres.as_mut().unwrap().size = Some(1 << 60);
    let err = replace(&bench, &target, &large).await.unwrap_err();
    assert!(err.contains(", and a second database needs "), "{err}");
    assert!(!err.contains("--replace"), "{err}");
}

#[tokio::test]
async fn whatever_fails_before_it_is_dropped_or_after_the_database_is_as_it_was() {
    let cluster = Cluster::start();
    cluster.shop();
    let mut bench = Bench::new(&cluster);
    let (wanted, now) = changed(&cluster, &bench).await;
    let once = bench.scratch.path().join("once");
    let once = format!(
        "{READ}; if mkdir {}; then exit 1; fi; exec $real \"$@\"",
        once.display()
    );
    for (program, script, cause) in [
        // Before: it is not dropped.
        ("pg_dump", "exit 1", "cannot be dumped, and is not dropped"),
        (
            "pg_dump",
            "$real \"$@\" | head -c 9000",
            "and is not dropped",
        ),
        (
            "pg_restore",
            "exit 1",
            "and is not dropped: pg_restore ended",
        ),
        // After: it is made anew from its dump.
        ("pg_restore", once.as_str(), "pg_restore ended with code 1"),
    ] {
        instead(&mut bench, program, script);
        let err = replaced(&bench).await.unwrap_err();
        assert!(err.contains(cause), "{script}: {err}");
        assert!(
            err.ends_with("; everything is as it was"),
            "{script}: {err}"
        );
        assert_eq!(cluster.fingerprint("shop"), now, "{script}");
        assert_eq!(cluster.databases(), "postgres shop", "{script}");
        assert_eq!(kept(&bench), 0, "{script}");
    }
    // While nothing can be restored its dump stays, and the next who comes does it.
    instead(&mut bench, "pg_restore", &format!("{READ}; exit 1"));
    let err = replaced(&bench).await.unwrap_err();
    assert!(err.contains("it could not be put back yet: "), "{err}");
    assert_eq!(kept(&bench), 2);
    restore::recover(&bench.setup, bench.job())
        .await
        .unwrap_err();
    assert_eq!(kept(&bench), 2);
    bench.change(|config| config.jobs[0].bin = BIN.into());
    assert!(restore::is_left(&bench.setup, bench.job()));
    let done = restore::recover(&bench.setup, bench.job()).await.unwrap();
    assert!(done.is_some() && kept(&bench) == 0);
    assert_eq!(cluster.fingerprint("shop"), now);
    // What is asked of it, and what goes on around it.
    type Change = fn(&mut backup::Config);
    let changes: [(Change, &str); 3] = [
        (
            |config| config.jobs[0].checks = vec!["SELECT false".into()],
            "SELECT false is f",
        ),
        (
            |config| {
                config.jobs[0].checks.clear();
                config.jobs[0].restore.migrate = vec!["false".into()];
            },
            "the migration",
        ),
        (
            |config| {
                config.jobs[0].restore.migrate.clear();
                config.jobs[0].restore.healthy = vec!["http://127.0.0.1:1/".into()];
                config.jobs[0].restore.healthy_within = Duration::from_secs(1);
            },
            "is not well",
        ),
    ];
    for (change, cause) in changes {
        bench.change(change);
        let err = replaced(&bench).await.unwrap_err();
        assert!(err.contains(cause), "{cause}: {err}");
        assert!(err.ends_with("; everything is as it was"), "{cause}: {err}");
        assert_eq!(cluster.fingerprint("shop"), now, "{cause}");
        assert_eq!(cluster.databases(), "postgres shop", "{cause}");
        assert_eq!(kept(&bench), 0, "{cause}");
    }
    bench.change(|config| config.jobs[0].restore.healthy.clear());
    // A copy that is damaged is found out before anything is dropped.
    let files = bench.files("local");
    let dump = files
        .iter()
        .find(|file| file.to_string_lossy().contains(".pgdump."))
        .unwrap();
    let sound = fs::read(dump).unwrap();
    let mut bytes = sound.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(dump, bytes).unwrap();
    replaced(&bench).await.unwrap_err();
    assert_eq!(cluster.fingerprint("shop"), now);
    fs::write(dump, sound).unwrap();
    replaced(&bench).await.unwrap();
    assert_eq!(cluster.fingerprint("shop"), wanted);
}

#[tokio::test]
async fn one_that_died_at_any_step_is_put_back_from_the_dump_where_it_must() {
    let cluster = Cluster::start();
    cluster.shop();
    let bench = Bench::new(&cluster);
    let (wanted, now) = changed(&cluster, &bench).await;
    let number = || {
        let sql = "SELECT oid FROM pg_database WHERE datname = 'shop'";
        cluster.sql("postgres", sql).parse::<u64>().unwrap()
    };
    let names = |was| Names {
        was: Some(was),
        ..Names::new("shop", "20260823T031000Z-0123abcd")
    };
    let journal = bench.setup.work.join("restore-db.json");
    let begin = |was| fs::write(&journal, serde_json::to_vec(&names(was)).unwrap()).unwrap();
    let recovered = async || {
        let done = restore::recover(&bench.setup, bench.job()).await.unwrap();
        assert!(done.is_some() && !journal.exists());
        assert_eq!(cluster.databases(), "postgres shop");
    };
    let (beside, before) = (names(0).beside, names(0).before);
    let away = format!("ALTER DATABASE shop RENAME TO {before}");
    // It is there still: before it is closed, closed, renamed.
    for sql in [
        "SELECT 1",
        "ALTER DATABASE shop ALLOW_CONNECTIONS false",
        &away,
    ] {
        begin(number());
        cluster.sql("postgres", sql);
        recovered().await;
        assert_eq!(cluster.fingerprint("shop"), now, "{sql}");
    }
    // It is dropped: nothing is there, half of it, or what was restored.
    for sql in [
        vec!["DROP DATABASE shop".to_owned()],
        vec![
            "DROP DATABASE shop".to_owned(),
            format!("CREATE DATABASE {beside}"),
        ],
        Vec::new(),
    ] {
        let was = number();
        replaced(&bench).await.unwrap();
        assert_eq!(cluster.fingerprint("shop"), wanted);
        let names = Names {
            made: Some(number()),
            ..names(was)
        };
        fs::write(&journal, serde_json::to_vec(&names).unwrap()).unwrap();
        for sql in &sql {
            cluster.sql("postgres", sql);
        }
        recovered().await;
        assert_eq!(cluster.fingerprint("shop"), now, "{sql:?}");
        assert_eq!(kept(&bench), 0, "{sql:?}");
    }
    // It was put back, and only the journal is left of it.
    begin(1);
    recovered().await;
    assert_eq!(cluster.fingerprint("shop"), now);
    // A run does the same before it reads anything.
    let was = number();
    replaced(&bench).await.unwrap();
    begin(was);
    cluster.sql("postgres", "DROP DATABASE shop");
    let report = bench.run().await;
    assert!(report.manifest.is_some(), "{report:?}");
    assert_eq!(cluster.fingerprint("shop"), now);
    assert_eq!(kept(&bench), 0);
}
