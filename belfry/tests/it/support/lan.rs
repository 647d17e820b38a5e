//! Hosts of one test in network namespaces, on one bridge that this host reaches.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::claim::{self, Claim};
use super::program;
use super::scratch::Scratch;

/// Some hosts and the links between them; all of it ends with this value.
pub(crate) struct Lan {
    network: Claim,
    hosts: Vec<&'static str>,
    scratch: Scratch,
}

impl Lan {
    /// Hosts with these names, which all reach each other.
    #[track_caller]
    pub(crate) fn new(hosts: &[&'static str]) -> Self {
        let lan = Self {
            network: claim::network(),
            hosts: hosts.to_vec(),
            scratch: Scratch::new(),
        };
        let bridge = lan.bridge();
        // A killed test leaves it to `scripts/sweep`.
        lan.scratch.file("bridges", &format!("{bridge}\n"));
        ip(&["link", "add", &bridge, "type", "bridge"]);
        ip(&[
            "address",
            "add",
            &format!("{}/24", lan.address_of(254)),
            "dev",
            &bridge,
        ]);
        ip(&["link", "set", &bridge, "up"]);
        for (at, host) in hosts.iter().enumerate() {
            let (space, outer) = (lan.space(host), format!("{bridge}{host}"));
            ip(&["netns", "add", &space]);
            ip(&[
                "link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &space,
            ]);
            ip(&["link", "set", &outer, "master", &bridge, "up"]);
            let address = lan.address_of(u8::try_from(at + 1).expect("few hosts"));
            ip(&[
                "-n",
                &space,
                "address",
                "add",
                &format!("{address}/24"),
                "dev",
                "eth0",
            ]);
            ip(&["-n", &space, "link", "set", "eth0", "up"]);
            ip(&["-n", &space, "link", "set", "lo", "up"]);
        }
        lan
    }

    /// A host's address.
    pub(crate) fn address(&self, host: &str) -> String {
        let at = self
            .hosts
            .iter()
            .position(|have| *have == host)
            .expect("a host of this test");
        self.address_of(u8::try_from(at + 1).expect("few hosts"))
    }

    /// A program that starts the given one on a host.
    pub(crate) fn on(&self, host: &str, binary: &str) -> PathBuf {
        let ip = program::find("ip", "iproute2");
        let script = format!(
            "#!/bin/sh\nexec {} netns exec {} {binary} \"$@\"\n",
            ip.display(),
            self.space(host)
        );
        let file = self.scratch.file(&format!("on-{host}"), &script);
        program::run(Command::new("chmod").arg("755").arg(&file));
        file
    }

    /// Nothing goes from one host to another, or it does again; answers to what
    /// comes from there still do.
    pub(crate) fn cut(&self, from: &str, to: &str, cut: bool) {
        let iptables = program::find("iptables", "iptables");
        let mut command = Command::new(program::find("ip", "iproute2"));
        command
            .args(["netns", "exec", &self.space(to)])
            .arg(iptables);
        command.args([
            "-w",
            if cut { "-A" } else { "-D" },
            "INPUT",
            "-s",
            &self.address(from),
        ]);
        program::run(command.args(["-p", "tcp", "--syn", "-j", "DROP"]));
    }

    fn address_of(&self, last: u8) -> String {
        format!("10.78.{}.{last}", self.network.number)
    }

    fn bridge(&self) -> String {
        format!("bt{}", self.network.number)
    }

    fn space(&self, host: &str) -> String {
        format!(
            "belfry-{}-{}-{host}",
            std::process::id(),
            self.network.number
        )
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ =
                program::attempt(Command::new("ip").args(["netns", "delete", &self.space(host)]));
        }
        let _ = program::attempt(Command::new("ip").args(["link", "delete", &self.bridge()]));
        let _ = fs::remove_file(self.scratch.path.join("bridges"));
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    program::run(Command::new(program::find("ip", "iproute2")).args(arguments));
}
