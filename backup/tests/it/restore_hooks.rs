//! What the command before a restore writes itself, and what others write meanwhile.

use std::fs;
use std::sync::Mutex;

use backup::restore::{self, Manner, Newer, tree};

use crate::cluster::Cluster;
use crate::place::Bench;

fn words(text: &str) -> Vec<String> {
    ["sh", "-c", text].map(str::to_owned).to_vec()
}

/// A job whose command before a restore is this one, and is said to write that.
fn hooked(bench: &mut Bench, command: &str, writes: &[&str]) {
    bench.change(|config| {
        let around = &mut config.jobs[0].restore;
        around.before = words(command);
        around.before_writes = writes.iter().map(|name| (*name).to_owned()).collect();
    });
}

fn manner(newer: Newer) -> Manner {
    Manner {
        newer: Some(newer),
        ..Manner::default()
    }
}

#[tokio::test]
async fn rows_that_the_command_before_is_said_to_write_stop_no_restore_and_all_others_do() {
    let cluster = Cluster::start();
    cluster.shop();
    cluster.sql("shop", "CREATE TABLE flags (name text)");
    let mut bench = Bench::new(&cluster);
    let sockets = cluster.sockets.display().to_string();
    let does = |sql: &str| format!("psql -h {sockets} -U postgres -d shop -c \"{sql}\"");
    let flag = "INSERT INTO flags VALUES ('maintenance')";
    let order = "UPDATE users SET name = name WHERE id = 1";
    let both = format!("{flag}; {order}");
    let more = "there is more now that the backup lacks than when this began";
    for replace in [false, true] {
        for (command, writes, meanwhile, cause) in [
            (
                flag,
                &[] as &[&str],
                "",
                Some("restore.before_writes says what"),
            ),
            (flag, &["flags"], "", None),
            (flag, &["public.flags"], "", None),
            (flag, &["users"], "", Some(more)),
            (&*both, &["flags"], "", Some(more)),
            // Who wrote it before the command did is somebody else.
            (flag, &["flags"], flag, Some(more)),
            (flag, &["flags"], order, Some(more)),
        ] {
            let case = format!("{command} {writes:?} {meanwhile} {replace}");
            hooked(&mut bench, &does(command), writes);
            let facts = bench.good().await.postgres.unwrap();
            let (target, copy) = (bench.target("local"), bench.newest().await);
            let newer = Newer::of_database(&bench.setup, bench.job(), &facts).await;
            let newer = newer.unwrap();
            assert_eq!(newer.told, Vec::<String>::new(), "{case}");
            let flags = || cluster.sql("shop", "SELECT count(*) FROM flags");
            let before: usize = flags().parse().unwrap();
            if !meanwhile.is_empty() {
                cluster.sql("shop", meanwhile);
            }
            let lines = Mutex::new(Vec::new());
            let say = |line: String| lines.lock().unwrap().push(line);
            let manner = Manner {
                replace,
                ..manner(newer)
            };
            let from = (&target, &copy);
            let done = restore::in_place(&bench.setup, bench.job(), from, &manner, &say).await;
            let lines = lines.into_inner().unwrap();
            let told = |line: &str| lines.iter().any(|told| told == line);
            let its = "lost    public.flags: 1 rows that are new or were changed since: \
                       written while the command before ran";
            match cause {
                Some(cause) => {
                    let err = done.unwrap_err();
                    assert!(err.contains(cause), "{case}: {err}");
                    assert!(err.contains("everything is as it was"), "{case}: {err}");
                    // Once somebody else wrote, the command is not begun any more.
                    let more = usize::from(meanwhile != order);
                    assert_eq!(flags(), (before + more).to_string(), "{case}");
                }
                None => {
                    done.unwrap();
                    assert!(told(its), "{case}: {lines:?}");
                    assert_eq!(flags(), before.to_string(), "{case}");
                    // What was told to be lost is in what was kept.
                    restore::undo(&bench.setup, bench.job()).await.unwrap();
                    assert_eq!(flags(), (before + 1).to_string(), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn files_that_the_command_before_is_said_to_write_stop_no_restore_and_all_others_do() {
    let (mut bench, root) = crate::tree::bench();
    fs::write(root.join("order"), "one").unwrap();
    bench.good().await;
    let (target, copy) = (bench.target("local"), bench.newest().await);
    let at = |name: &str| root.join(name).display().to_string();
    let closed = format!("echo >{}", at("closed.flag"));
    let both = format!("{closed}; echo >{}", at("order.new"));
    let odd = format!("echo >{}", at("public.flags"));
    for (command, writes, cause) in [
        (
            &closed,
            &[] as &[&str],
            Some("restore.before_writes says what"),
        ),
        (&both, &["*.flag"], Some("there is more now")),
        // Only tables have a schema that need not be said.
        (&odd, &["flags"], Some("there is more now")),
        (&closed, &["*.flag"], None),
    ] {
        hooked(&mut bench, command, writes);
        let newer = Newer::of_tree(&bench.setup, bench.job(), &target, &copy).await;
        let newer = newer.unwrap();
        assert_eq!(newer.told, Vec::<String>::new());
        let from = (&target, &copy);
        let manner = manner(newer);
        let done = tree::in_place(&bench.setup, bench.job(), from, &manner, &|_| {}).await;
        if let Some(cause) = cause {
            let err = done.unwrap_err();
            assert!(err.contains(cause), "{writes:?}: {err}");
            for name in ["closed.flag", "order.new", "public.flags"] {
                let _ = fs::remove_file(root.join(name));
            }
        } else {
            let paths = done.unwrap();
            assert!(!root.join("closed.flag").exists());
            assert!(paths.before.join("closed.flag").exists());
        }
    }
}
