//! A drill that is given up while the engine has yet to make its container.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ::backup::drill::drill;
use ::backup::{Config, Job, Place as Target, Setup, catalogue};

use crate::backup_drill::{is_there, place};
use crate::backup_files::Place;
use crate::support::poll;

/// What is asked of an engine to make containers, as it passes.
#[derive(Default)]
struct Asked {
    /// Whether one was asked for, and waits.
    seen: bool,
    /// Whether it goes on.
    open: bool,
    /// Whether the engine has made it.
    made: bool,
}

type Shared = Arc<(Mutex<Asked>, Condvar)>;

/// Passes on between a socket here and the engine's; the asking for a container waits.
fn before(engine: &Path, socket: &Path) -> Shared {
    let listener = UnixListener::bind(socket).unwrap();
    let shared = Shared::default();
    let (engine, theirs) = (engine.to_owned(), Arc::clone(&shared));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(&engine).unwrap();
            let (back, answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (up, down) = (Arc::clone(&theirs), Arc::clone(&theirs));
            thread::spawn(move || pass(client, server, |chunk| asking(&up, chunk)));
            thread::spawn(move || pass(answers, back, |chunk| answered(&down, chunk)));
        }
    });
    shared
}

/// Until one of both ends it.
fn pass(mut from: UnixStream, mut to: UnixStream, mut look: impl FnMut(&[u8])) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        look(&bytes[..read]);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn asking((asked, changed): &(Mutex<Asked>, Condvar), chunk: &[u8]) {
    let line = chunk
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if !(line.starts_with("POST ") && line.contains("/containers/create?")) {
        return;
    }
    let mut asked = asked.lock().unwrap();
    asked.seen = true;
    while !asked.open {
        asked = changed.wait(asked).unwrap();
    }
}

fn answered((asked, _): &(Mutex<Asked>, Condvar), chunk: &[u8]) {
    let mut asked = asked.lock().unwrap();
    if asked.open && chunk.starts_with(b"HTTP/1.1 201") {
        asked.made = true;
    }
}

fn setup(place: &Place, socket: &Path) -> Setup {
    let folder = |name: &str| -> PathBuf { place.scratch.path.join(name) };
    let config = Config {
        targets: vec![Target {
            name: "local".into(),
            folder: folder("copies"),
            ..Target::default()
        }],
        jobs: vec![Job {
            name: "db".into(),
            container: "shop-db-1".into(),
            database: "shop".into(),
            user: "owner".into(),
            drill_container: true,
            ..Job::default()
        }],
        ..Config::default()
    };
    Setup {
        config: Arc::new(config),
        host: "here".into(),
        version: "0".into(),
        engine: exporter::container::at_socket(socket)().ok(),
        work: folder("data/backup"),
    }
}

#[test]
fn what_the_engine_makes_for_a_drill_that_was_given_up_is_taken_away() {
    let place = place();
    let socket = place.scratch.path.join("held.sock");
    let shared = before(&place.engine.socket(), &socket);
    let setup = setup(&place, &socket);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let target = setup.all_targets().unwrap().remove(0);
        let listing = catalogue::list(&target, "", &setup.kept()).await.unwrap();
        let copy = listing.copies.last().unwrap();
        let job = &setup.config.jobs[0];
        let came = async {
            while !shared.0.lock().unwrap().seen {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Whoever wanted the drill has gone.
        tokio::select! {
            report = drill(&setup, job, &target, copy, 0, &|_| {}) => panic!("{report:?}"),
            () = came => {}
        }
    });
    assert!(!is_there(&place));
    shared.0.lock().unwrap().open = true;
    shared.1.notify_all();
    poll::holds("the engine should make it", || {
        shared.0.lock().unwrap().made
    });
    poll::holds("it should be taken away", || !is_there(&place));
}
