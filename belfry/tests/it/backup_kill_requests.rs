//! Belfry killed while it waits for an answer of its bucket: at each kind of request
//! of each of its works. What is listed restores, and the next run is as any other.

use std::fs;

use crate::backup_files::{begin, command};
use crate::disaster::store;
use crate::support::poll;
use crate::support::scratch::Scratch;

#[path = "../../../backup/tests/it/strict.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod strict;

use strict::{Harm, Strict, To, all_of};

struct Place {
    scratch: Scratch,
}

impl Place {
    fn new(port: u16, prefix: &str) -> Self {
        let scratch = Scratch::new();
        let files = scratch.path.join("files");
        fs::create_dir(&files).unwrap();
        fs::create_dir(scratch.path.join("copies")).unwrap();
        fs::write(files.join("first"), "of the first run").unwrap();
        let config = format!(
            "host: here\ndata: data\nexporter: {{engine: /nowhere.sock}}\nbackup:\n  level: 1\n  targets:\n    - {{name: local, folder: copies, reserve: 1MiB}}\n    \
             - {{name: r2, bucket: {}, endpoint: 'http://127.0.0.1:{port}', prefix: {prefix}, access_key_id: {}, secret_access_key: {}}}\n  \
             jobs: [{{name: files, directory: {files:?}, keep: {{last: 2, daily: 0, weekly: 0, monthly: 0}}}}]\n",
            store::BUCKET,
            store::KEY_ID,
            store::SECRET
        );
        scratch.file("belfry.yml", &config);
        Self { scratch }
    }

    /// More than one part of an upload.
    fn grow(&self) {
        let mut state = 7_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 24).to_le_bytes()
        })
        .take(18 << 17)
        .flatten()
        .collect();
        fs::write(self.scratch.path.join("files/noise"), noise).unwrap();
    }

    #[track_caller]
    fn good(&self, case: &str, arguments: &[&str]) {
        self.ends(case, arguments, &[0]);
    }

    fn ends(&self, case: &str, arguments: &[&str], codes: &[i32]) {
        let done = command(&self.scratch.path, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        let code = done.status.code().unwrap();
        assert!(
            codes.contains(&code),
            "{case}: {arguments:?}: {code}: {told}"
        );
    }
}

/// What Belfry does, and the request at which it is killed, after how many others.
const CASES: &[(&[&str], To, usize)] = &[
    (&["backup", "run", "files"], To::List, 0),
    (&["backup", "run", "files"], To::Create, 0),
    (&["backup", "run", "files"], To::Part, 0),
    (&["backup", "run", "files"], To::Part, 1),
    (&["backup", "run", "files"], To::Complete, 0),
    (&["backup", "run", "files"], To::Head, 0),
    (&["backup", "run", "files"], To::Put, 0),
    // All is there but the manifest.
    (&["backup", "run", "files"], To::Put, 1),
    (&["backup", "verify", "files", "--target", "r2"], To::Get, 0),
    (&["backup", "verify", "files", "--target", "r2"], To::Put, 0),
    (&["backup", "drill", "files", "--target", "r2"], To::Get, 1),
    (&["backup", "drill", "files", "--target", "r2"], To::Put, 0),
    // The manifest first, then the rest.
    (&["backup", "prune", "files", "--force"], To::Delete, 0),
    (&["backup", "prune", "files", "--force"], To::Delete, 1),
    (
        &[
            "restore",
            "files",
            "--target",
            "r2",
            "--yes",
            "--lose-newer",
        ],
        To::Get,
        1,
    ),
    (&["backup", "pin", "files"], To::Put, 0),
];

fn case(upstream: u16, at: usize, (arguments, to, after): (&[&str], To, usize)) {
    let case = &format!("{arguments:?} killed at {to:?} {after}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (strict, port) = runtime.block_on(Strict::start(upstream));
    let place = Place::new(port, &format!("kill-{at}"));
    let run = ["backup", "run", "files"];
    place.good(case, &run);
    place.grow();
    if arguments[1] != "run" {
        place.good(case, &run);
    }
    if arguments[1] == "prune" {
        // Its own retention would have left nothing to do.
        let pages = fs::read_to_string(place.scratch.path.join("belfry.yml")).unwrap();
        place
            .scratch
            .file("belfry.yml", &pages.replace("last: 2", "last: 1"));
    }
    strict.harm_later(to, Harm::Hang, after, usize::MAX);
    let mut killed = begin(&place.scratch.path, arguments);
    poll::holds(case, || strict.struck() > 0);
    assert_eq!(killed.ended(), None, "{case}: it was at work");
    killed.kill();
    strict.heal();
    for target in ["local", "r2"] {
        // What is the newest good one is listed as such, and is one.
        place.good(case, &["backup", "verify", "files", "--target", target]);
    }
    match arguments[1] {
        // Two of three copies would go at once, which a run leaves to whoever looks at it.
        "prune" => place.ends(case, &run, &[0, 1]),
        _ => place.good(case, &run),
    }
    let uploads = fs::read_dir(place.scratch.path.join("data/backup/uploads"));
    assert_eq!(
        uploads.map_or(0, Iterator::count),
        0,
        "{case}: no upload stays open"
    );
    for target in ["local", "r2"] {
        let into = format!("into-{target}");
        place.good(
            case,
            &["restore", "files", "--target", target, "--into", &into],
        );
        for name in ["first", "noise"] {
            let read = |folder: &str| fs::read(place.scratch.path.join(folder).join(name)).unwrap();
            assert_eq!(read(&into), read("files"), "{case}");
        }
    }
}

#[test]
fn killed_at_any_request_nothing_listed_is_false_and_the_next_run_is_good() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(store::Store::start());
    all_of(4, CASES, |at, this| case(store.port, at, this));
}
