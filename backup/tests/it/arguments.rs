//! What the programs that a backup, a drill and a restore start are told in arguments,
//! which every user of a host can read: no secret.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use backup::drill::drill;
use backup::restore::{globals, restore};
use backup::verify::verify;
use settings::Secret;

use crate::cluster::{BIN, Cluster};
use crate::place::Bench;
use crate::store::{self, Store};
use crate::tree::LATER;

const PASSWORD: &str = "swordfish-7431";

/// The arguments of all processes of this host that are no child of the kernel's.
fn look(seen: &Mutex<BTreeSet<String>>) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = fs::read(process.path().join("cmdline")) else {
            continue;
        };
        if !line.is_empty() {
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            seen.lock().unwrap().insert(line);
        }
    }
}

/// PostgreSQL's programs, each of which writes down how it was called.
fn telling(bench: &mut Bench) {
    let folder = bench.scratch.path().join("tools");
    fs::create_dir(&folder).unwrap();
    let told = folder.join("told");
    for name in ["psql", "pg_dump", "pg_dumpall", "pg_restore"] {
        let real = Path::new(BIN).join(name);
        // Long enough there to be seen from outside, too.
        let text = format!(
            "#!/bin/bash\nprintf '%s ' {name} \"$@\" >>{told}; echo >>{told}\nsleep 0.1\nexec {real} \"$@\"\n",
            told = told.display(),
            real = real.display(),
        );
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bench.change(|config| config.jobs[0].bin = folder);
}

async fn all_of_it(bench: &Bench) {
    bench.good().await;
    let copy = bench.listed("r2").await.pop().unwrap();
    let (setup, job, target) = (&bench.setup, bench.job(), bench.target("r2"));
    verify(setup, job, &target, &copy, LATER, &|_| {})
        .await
        .unwrap();
    let report = drill(setup, job, &target, &copy, LATER, &|_| {}).await;
    assert!(report.as_ref().unwrap().passed, "{report:?}");
    restore(setup, job, &target, &copy, &|_| {}).await.unwrap();
    globals::apply(setup, job, &target, &copy, &|_| {})
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_argument_of_any_program_holds_a_secret() {
    let cluster = Cluster::start();
    cluster.shop();
    let make = format!("CREATE ROLE locked SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
    let mut psql = cluster
        .psql("postgres")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = psql.stdin.take().unwrap();
    input.write_all(make.as_bytes()).unwrap();
    drop(input);
    assert!(psql.wait().unwrap().success());
    let store = Store::start().await;
    let mut bench = Bench::new(&cluster);
    telling(&mut bench);
    bench.change(|config| {
        config
            .targets
            .push(super::faults::bucket(store.port, "arguments"));
        let job = &mut config.jobs[0];
        job.user = "locked".into();
        job.password = Secret::new(PASSWORD);
        job.checks = vec!["SELECT count(*) = 5000 FROM users".into()];
        job.restore.migrate = vec!["sleep".into(), "0.2".into()];
    });
    let (over, seen) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                look(&seen);
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(all_of_it(&bench));
        });
        over.store(true, Ordering::Relaxed);
    });
    let told = fs::read_to_string(bench.setup.config.jobs[0].bin.join("told")).unwrap();
    let seen = seen.into_inner().unwrap();
    for program in ["psql", "pg_dump", "pg_dumpall", "pg_restore"] {
        let called = |line: &str| line.starts_with(&format!("{program} "));
        assert!(told.lines().any(called), "{program} was started");
        let real = Path::new(BIN).join(program).display().to_string();
        assert!(
            seen.iter().any(|line| line.contains(&real)),
            "{program} was seen"
        );
    }
    let key = bench.key.expose();
    for secret in [PASSWORD, store::SECRET, &key] {
        assert!(!told.contains(secret), "{told}");
    }
    // Other tests that run now have the bucket's secret too, and do what they like.
    for secret in [PASSWORD, &key] {
        let holds = seen.iter().find(|line| line.contains(secret));
        assert_eq!(holds, None);
    }
}
