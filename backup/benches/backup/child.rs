//! The work itself, in a process of its own, so that its memory can be told from
//! that of the bench.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use backup::run::{Outcome, run as back_up};
use backup::{Config, Job, Place, Setup, catalogue, restore};

use crate::store;

/// The file that says after how many seconds each step of a restore was done: a line
/// of its word and the seconds. A restored database can be used after `swap`.
pub(crate) const STEPS: &str = "steps";

/// What tells this program that it is a child.
pub(crate) const WORD: &str = "child";

/// `backup` or `restore`, the folder of all, and `files` or the folder of a
/// server's socket, with the port of the bucket if it goes there too.
pub(crate) fn run(words: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (what, home) = (words[0].as_str(), Path::new(&words[1]));
    let setup = setup(home, &words[2..]);
    let job = setup.config.jobs[0].clone();
    runtime.block_on(async {
        match what {
            "backup" => {
                let report = back_up(&setup, &job, &now_ms, &|_| {}).await;
                let report = report.expect("a free job");
                assert_eq!(report.outcome, Outcome::Good, "{report:?}");
            }
            "restore" => {
                let targets = setup.all_targets().expect("targets");
                let listing = catalogue::list(&targets[0], "", &setup.kept()).await;
                let newest = listing.expect("a listing").copies.pop().expect("a copy");
                let began = Instant::now();
                let steps = Mutex::new(BTreeMap::new());
                // What comes after `swap` goes on while the database is used.
                let say = |line: String| {
                    let word = match line.split(' ').next().unwrap_or_default() {
                        "made" => "swap",
                        word => word,
                    };
                    let seconds = began.elapsed().as_secs_f64();
                    let mut steps = steps.lock().expect("nobody panics");
                    steps.insert(word.to_owned(), seconds);
                };
                let restored = restore::restore(&setup, &job, &targets[0], &newest, &say).await;
                restored.expect("a restore");
                let steps = steps.lock().expect("nobody panicked").clone();
                let lines = steps.iter().map(|(word, at)| format!("{word} {at}\n"));
                std::fs::write(home.join(STEPS), lines.collect::<String>()).expect("a file");
                restore::confirm(&setup, &job)
                    .await
                    .expect("a confirmation");
            }
            other => panic!("{other}?"),
        }
    });
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("a clock").as_millis()).expect("a time")
}

fn setup(home: &Path, words: &[String]) -> Setup {
    let mut targets = vec![Place {
        name: "local".into(),
        folder: home.join("copies"),
        ..Place::default()
    }];
    if let [_, port] = words {
        targets.push(Place {
            name: "s3".into(),
            bucket: store::BUCKET.into(),
            endpoint: format!("http://127.0.0.1:{port}"),
            access_key_id: store::KEY_ID.into(),
            secret_access_key: settings::Secret::new(store::SECRET),
            ..Place::default()
        });
    }
    let job = match words[0].as_str() {
        "files" => Job {
            name: "files".into(),
            directory: home.join("tree"),
            ..Job::default()
        },
        socket => Job {
            name: "db".into(),
            database: "shop".into(),
            host: socket.to_owned(),
            ..Job::default()
        },
    };
    let config = Config {
        targets,
        jobs: vec![job],
        ..Config::default()
    };
    Setup {
        config: Arc::new(config),
        host: "bench".into(),
        version: "0".into(),
        engine: None,
        work: PathBuf::from(home).join("work"),
    }
}
