//! A real Docker engine for one test: its own socket, data, networks, containers.
//!
//! It runs beside any other engine of the machine and touches neither its
//! bridges nor the firewall. Its images are made here from the static busybox;
//! nothing is pulled. An engine takes half a second to start, so tests share
//! none: a test sees its own containers and no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::claim::{self, Claim};
use super::container::Container;
use super::process::Process;
use super::scratch::{self, Scratch};
use super::{poll, program};

/// The image every container here runs.
pub(crate) const IMAGE: &str = "belfry-test/busybox";
/// Names under which the same image stands too: to discovery they look like the real thing.
pub(crate) const LOOKALIKES: [&str; 4] = ["postgres:16", "redis:7", "caddy:2", "rabbitmq:3"];

/// A running `dockerd`; its containers end with it.
pub(crate) struct Engine {
    process: Process,
    network: Claim,
    scratch: Scratch,
}

impl Engine {
    /// Starts an engine with the images above.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::start_in(Scratch::new())
    }

    /// Starts one in this folder; programs below `programs` it finds before any other.
    #[track_caller]
    pub(crate) fn start_in(scratch: Scratch) -> Self {
        let network = claim::network();
        let process = launch(&scratch.path, network.number);
        let mut engine = Self {
            process,
            network,
            scratch,
        };
        engine.wait_until_it_answers();
        engine.import_image();
        engine
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(&self.scratch.path)
    }

    /// Its address in the form of `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Runs a container in the background; returns its id.
    #[track_caller]
    pub(crate) fn run(&self, container: &Container) -> String {
        let arguments = container.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.docker(&arguments)
    }

    /// Runs a command of the client; returns what it printed, without the end of line.
    #[track_caller]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        program::run(self.client().args(arguments))
            .trim_end()
            .to_owned()
    }

    /// Whether a command of the client ends well.
    pub(crate) fn tries(&self, arguments: &[&str]) -> bool {
        program::attempt(self.client().args(arguments)).is_ok()
    }

    /// Builds an image from the Dockerfile of a folder.
    #[track_caller]
    pub(crate) fn build(&self, image: &str, folder: &Path) {
        // The builder that every engine has.
        let mut client = self.client();
        client.env("DOCKER_BUILDKIT", "0");
        program::run(client.args(["build", "--tag", image]).arg(folder));
    }

    /// Runs compose in a folder, with this engine.
    #[track_caller]
    pub(crate) fn compose(&self, folder: &Path, arguments: &[&str]) {
        let mut command = Command::new(program::find("docker-compose", "docker-compose"));
        command
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_CONFIG", self.scratch.path.join("client"))
            .current_dir(folder);
        program::run(command.args(arguments));
    }

    /// What the engine knows of a container; `at` is a JSON pointer such as `/State/Status`.
    #[track_caller]
    pub(crate) fn inspect(&self, container: &str, at: &str) -> serde_json::Value {
        let text = self.docker(&["container", "inspect", container]);
        let all: serde_json::Value =
            serde_json::from_str(&text).expect("docker inspect prints JSON");
        all[0]
            .pointer(at)
            .unwrap_or_else(|| panic!("no {at} in {all:#}"))
            .clone()
    }

    /// Waits until a container has a state: `running`, `exited`, `restarting`, ...
    #[track_caller]
    pub(crate) fn wait_for_state(&self, container: &str, state: &str) {
        poll::holds(&format!("{container} should be {state}"), || {
            self.inspect(container, "/State/Status") == state
        });
    }

    /// Makes a network that containers can join; this host reaches their addresses.
    #[track_caller]
    pub(crate) fn create_network(&self, name: &str) {
        self.create_network_with(name, &[]);
    }

    /// The same with options of `docker network create`.
    #[track_caller]
    pub(crate) fn create_network_with(&self, name: &str, options: &[&str]) {
        let id = self.docker(&[&["network", "create"], options, &[name]].concat());
        // The bridge outlives an engine that is killed: `scripts/sweep` finds its name here.
        let mut bridges = fs::read_to_string(self.scratch.path.join("bridges")).unwrap_or_default();
        bridges.push_str(&format!("br-{}\n", &id[..12]));
        self.scratch.file("bridges", &bridges);
    }

    /// The address of a container in a network.
    #[track_caller]
    pub(crate) fn address(&self, container: &str, network: &str) -> String {
        let at = format!("/NetworkSettings/Networks/{network}/IPAddress");
        self.inspect(container, &at)
            .as_str()
            .expect("an address")
            .to_owned()
    }

    /// Stops the process in its tracks: the socket still accepts, and never answers.
    #[track_caller]
    pub(crate) fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets a frozen engine go on.
    pub(crate) fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Ends the engine at once; its socket then refuses. The containers go on.
    #[track_caller]
    pub(crate) fn crash(&mut self) {
        self.process.kill();
        // Its containerd dies with it, a moment later. An engine that finds its number in this file and any
        // process under that number, be it a dead one that nobody has buried, would rely on it.
        let containerd = self.scratch.path.join("exec/containerd");
        poll::holds("containerd should die with its engine", || {
            scratch::processes_with(&containerd.join("containerd.toml")).is_empty()
        });
        fs::remove_file(containerd.join("containerd.pid")).expect("the number of containerd");
    }

    /// Starts a crashed engine again on the same data.
    #[track_caller]
    pub(crate) fn revive(&mut self) {
        assert!(self.process.ended().is_some(), "the engine still runs");
        self.process = launch(&self.scratch.path, self.network.number);
        self.wait_until_it_answers();
    }

    fn client(&self) -> Command {
        let mut command = Command::new(program::find("docker", "docker.io"));
        // Neither the user's settings nor another engine: this one, as if nothing were set up.
        command
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_CONFIG", self.scratch.path.join("client"))
            .env_remove("DOCKER_CONTEXT")
            .env_remove("DOCKER_TLS_VERIFY");
        command
    }

    #[track_caller]
    fn wait_until_it_answers(&mut self) {
        let host = self.host();
        let docker = program::find("docker", "docker.io");
        let version = ["version", "--format", "{{.Server.Version}}"];
        self.process.ready("dockerd should answer", || {
            let mut command = Command::new(&docker);
            program::attempt(command.env("DOCKER_HOST", &host).args(version)).ok()
        });
    }

    /// An image is a folder with busybox and a link for each of its programs.
    #[track_caller]
    fn import_image(&self) {
        let root = self.scratch.path.join("image");
        fs::create_dir_all(root.join("bin")).expect("a folder for the image");
        fs::create_dir_all(root.join("etc")).expect("a folder for the image");
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")
            .expect("a user in the image");
        let busybox = program::find("busybox", "busybox-static");
        fs::copy(&busybox, root.join("bin/busybox")).expect("busybox in the image");
        for name in program::run(Command::new(&busybox).arg("--list"))
            .lines()
            .filter(|name| *name != "busybox")
        {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name))
                .expect("a link in the image");
        }
        let mut tar = Command::new("tar");
        let mut tar = tar
            .arg("-C")
            .arg(&root)
            .args(["-cf", "-", "."])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tar runs");
        let archive = tar.stdout.take().expect("the output of tar");
        let import = self
            .client()
            .args(["import", "-", IMAGE])
            .stdin(archive)
            .output()
            .expect("docker runs");
        assert!(import.status.success(), "docker import failed: {import:?}");
        assert!(tar.wait().expect("tar ends").success(), "tar failed");
        for name in LOOKALIKES {
            self.docker(&["tag", IMAGE, name]);
        }
    }

    /// Takes every container away, with an engine started anew if this one is dead:
    /// only an engine can find the processes of its containers.
    fn remove_containers(&mut self) {
        self.thaw();
        if self.process.ended().is_some() && self.scratch.path.join("data").exists() {
            self.process = launch(&self.scratch.path, self.network.number);
            // The client waits for the socket no longer than it takes to appear, or for nothing.
            while self.process.ended().is_none() && !self.socket().exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let ids =
            program::attempt(self.client().args(["ps", "--all", "--quiet"])).unwrap_or_default();
        if !ids.is_empty() {
            let remove = ["rm", "--force", "--volumes"];
            let _ = program::attempt(self.client().args(remove).args(ids.lines()));
        }
        // The bridges are the kernel's, not the engine's: they would stay.
        let _ = program::attempt(self.client().args(["network", "prune", "--force"]));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Nothing here may panic: the test may be panicking already.
        self.remove_containers();
        self.process.end();
        for pid in scratch::processes_with(&self.scratch.path) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        unmount_below(&self.scratch.path);
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("docker.sock")
}

#[track_caller]
fn launch(folder: &Path, network: u16) -> Process {
    assert!(
        rustix::process::geteuid().is_root(),
        "dockerd needs root: run the tests as root"
    );
    // A crashed engine leaves its pid file, and its number may be someone else's by now.
    let _ = fs::remove_file(folder.join("docker.pid"));
    let _ = fs::remove_file(socket(folder));
    // Not the file of the machine's own engine.
    let settings = folder.join("daemon.json");
    fs::write(&settings, "{}").expect("settings for the engine");
    let mut command = Command::new(program::find("dockerd", "docker.io"));
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = [folder.join("programs")]
        .into_iter()
        .chain(std::env::split_paths(&others));
    command
        .env("PATH", std::env::join_paths(path).expect("paths"))
        .arg("--host")
        .arg(format!("unix://{}", socket(folder).display()))
        .arg("--data-root")
        .arg(folder.join("data"))
        .arg("--exec-root")
        .arg(folder.join("exec"))
        .arg("--pidfile")
        .arg(folder.join("docker.pid"))
        .arg("--config-file")
        .arg(settings)
        .args([
            "--bridge",
            "none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-masq=false",
        ])
        .arg("--default-address-pool")
        .arg(format!("base=10.213.{network}.0/24,size=28"))
        .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
        .args(["--shutdown-timeout", "5", "--log-level", "warn"]);
    Process::spawn("dockerd", &mut command, &folder.join("dockerd.log"))
}

fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let inside = |path: &&str| Path::new(path).starts_with(folder);
    let points: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(inside)
        .collect();
    for point in points.iter().rev() {
        let _ = program::attempt(Command::new("umount").args(["--lazy", point]));
    }
}
