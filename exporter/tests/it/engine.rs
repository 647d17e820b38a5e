//! A Docker engine of a test's own: its socket, data and processes are under a
//! folder that goes away with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const INSTALL: &str =
    "this test needs a Docker engine: apt-get install -y docker.io busybox-static";
/// The one image, made here.
pub(crate) const IMAGE: &str = "belfry-test:1";

/// A running engine, until it is dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    folder: tempfile::TempDir,
    /// What runs the containers; it outlives a daemon that is killed.
    containerd: Child,
    daemon: Option<Child>,
}

impl Engine {
    /// Starts one that has the image.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut containerd = Command::new("containerd");
        containerd
            .arg("--address")
            .arg(folder.path().join("c"))
            .arg("--root")
            .arg(folder.path().join("cd"))
            .arg("--state")
            .arg(folder.path().join("cs"));
        let containerd = start_until(&mut containerd, "containerd successfully booted");
        let mut engine = Self {
            folder,
            containerd: containerd.unwrap_or_else(|err| panic!("{err}")),
            daemon: None,
        };
        engine.launch();
        engine.import();
        engine
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("s")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the daemon and returns when it listens.
    pub(crate) fn launch(&mut self) {
        if let Err(err) = self.try_launch() {
            panic!("{err}");
        }
    }

    fn try_launch(&mut self) -> Result<(), String> {
        let mut daemon = Command::new("dockerd");
        daemon
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()))
            .arg("--containerd")
            .arg(self.path("c"))
            .arg("--data-root")
            .arg(self.path("d"))
            .arg("--exec-root")
            .arg(self.path("e"))
            .arg("--pidfile")
            .arg(self.path("p"))
            .args(["--bridge=none", "--iptables=false"]);
        self.daemon = Some(start_until(&mut daemon, "API listen on")?);
        Ok(())
    }

    fn import(&self) {
        let tar = image(self.folder.path());
        self.docker(&["import", tar.to_str().unwrap(), IMAGE]);
    }

    /// Runs the command line client; what it prints, trimmed.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let done = Command::new("docker")
            .arg("--host")
            .arg(format!("unix://{}", self.socket().display()))
            .args(arguments)
            .output()
            .unwrap_or_else(|err| panic!("{INSTALL} ({err})"));
        let failed = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "docker {arguments:?}: {failed}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Runs a container in the background: options, then a shell command.
    pub(crate) fn run(&self, name: &str, options: &[&str], script: &str) -> String {
        let mut arguments = vec!["run", "--detach", "--network=none", "--name", name];
        arguments.extend(options);
        arguments.extend([IMAGE, "/bin/sh", "-c", script]);
        self.docker(&arguments)
    }

    /// Sends the daemon a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let daemon = self.daemon.as_ref().unwrap();
        kill_process(Pid::from_child(daemon), signal).unwrap();
    }

    /// Kills the daemon; containers go on without it.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What a killed daemon left running is stopped by the next one.
        if self.daemon.is_none() {
            let _ = self.try_launch();
        }
        let Some(mut daemon) = self.daemon.take() else {
            let _ = self.containerd.kill();
            return;
        };
        let _ = kill_process(Pid::from_child(&daemon), Signal::CONT);
        let host = format!("unix://{}", self.socket().display());
        let client = |arguments: &[&str]| {
            let mut client = Command::new("docker");
            client.arg("--host").arg(&host).args(arguments).output()
        };
        if let Ok(all) = client(&["ps", "--all", "--quiet"]) {
            let all = String::from_utf8_lossy(&all.stdout).into_owned();
            let mut remove = vec!["rm", "--force"];
            remove.extend(all.split_ascii_whitespace());
            let _ = client(&remove);
        }
        for child in [&mut daemon, &mut self.containerd] {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let _ = child.wait();
        }
        // A daemon that was killed left its own mount behind.
        let _ = rustix::mount::unmount(self.path("d"), rustix::mount::UnmountFlags::DETACH);
    }
}

/// Makes the files of the image, packed, in a folder.
pub(crate) fn image(folder: &Path) -> PathBuf {
    let root = folder.join("image");
    for folder in ["bin", "dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"];
    let busybox = busybox
        .iter()
        .find(|path| Path::new(path).exists())
        .expect(INSTALL);
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    let tar = folder.join("image.tar");
    let packed = Command::new("tar")
        .arg("-cf")
        .arg(&tar)
        .arg("-C")
        .arg(&root)
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    tar
}

/// Starts a program and returns when its log says that it is ready.
pub(crate) fn start_until(program: &mut Command, ready: &str) -> Result<Child, String> {
    let started = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|err| format!("{INSTALL} ({program:?}: {err})"))?;
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    loop {
        let Some(Ok(line)) = log.next() else {
            let _ = child.wait();
            return Err(format!("{program:?} ended:\n{}", said.join("\n")));
        };
        if line.contains(ready) {
            break;
        }
        said.push(line);
    }
    // It must not wait for a reader of its log.
    std::thread::spawn(move || log.for_each(drop));
    Ok(child)
}
