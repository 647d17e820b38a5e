//! A file system whose server we are: it answers when the test says so.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rustix::mount::{MountFlags, UnmountFlags};

const STATFS: u32 = 17;
const INIT: u32 = 26;
const ENOSYS: i32 = -38;

/// A mount whose server is silent until [`Mount::answer`].
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) point: PathBuf,
    start: Sender<()>,
    server: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Mount {
    /// Mounts it; every question put to it hangs.
    pub(crate) fn silent() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "mounting needs root: run the tests as root"
        );
        let folder = tempfile::tempdir().unwrap();
        let point = folder.path().join("dead");
        std::fs::create_dir(&point).unwrap();
        let device = File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .expect("/dev/fuse is missing: modprobe fuse");
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            device.as_raw_fd()
        );
        let options = std::ffi::CString::new(options).unwrap();
        rustix::mount::mount(
            "belfry-test",
            &point,
            "fuse",
            MountFlags::empty(),
            options.as_c_str(),
        )
        .expect("cannot mount a FUSE file system");
        let (start, started) = channel();
        let server = std::thread::spawn(move || serve(device, &started));
        Self {
            point,
            start,
            server: Some(server),
            _folder: folder,
        }
    }

    /// Lets the server answer from now on.
    pub(crate) fn answer(&self) {
        self.start.send(()).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The server, if it still waits, ends and closes the device, which
        // ends every question that hangs.
        let (closed, _) = channel();
        self.start = closed;
        let _ = rustix::mount::unmount(&self.point, UnmountFlags::DETACH);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn serve(mut device: File, started: &Receiver<()>) {
    if started.recv().is_err() {
        return;
    }
    let mut question = vec![0; 64 << 10];
    while device.read(&mut question).is_ok() {
        let word = |at: usize| u32::from_ne_bytes(question[at..at + 4].try_into().unwrap());
        let (status, body) = match word(4) {
            INIT => {
                let mut body = [0; 64];
                body[..4].copy_from_slice(&7u32.to_ne_bytes());
                body[4..8].copy_from_slice(&31u32.to_ne_bytes());
                body[20..24].copy_from_slice(&4096u32.to_ne_bytes());
                (0, body.to_vec())
            }
            STATFS => {
                let mut body = [0; 80];
                for (at, value) in [1000u64, 500, 400, 30, 20].into_iter().enumerate() {
                    body[at * 8..at * 8 + 8].copy_from_slice(&value.to_ne_bytes());
                }
                for (at, value) in [4096u32, 255, 4096].into_iter().enumerate() {
                    body[40 + at * 4..44 + at * 4].copy_from_slice(&value.to_ne_bytes());
                }
                (0, body.to_vec())
            }
            _ => (ENOSYS, Vec::new()),
        };
        let mut answer = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
        answer.extend(i32::to_ne_bytes(status));
        answer.extend(&question[8..16]);
        answer.extend(body);
        if device.write_all(&answer).is_err() {
            return;
        }
    }
}

/// How many threads of this process have the name that blocking readers have.
pub(crate) fn reader_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: &Path| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
    tasks
        .filter(|task| name(&task.as_ref().unwrap().path()).trim() == "reader")
        .count()
}
