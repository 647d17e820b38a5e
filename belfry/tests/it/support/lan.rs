//! Hosts of one test in network namespaces, each with a link to each other one
//! and one to this host. There is no bridge: a firewall of this host would see it.

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
        // A killed test leaves them to `scripts/sweep`.
        let outer: Vec<_> = hosts.iter().map(|host| lan.link(host)).collect();
        lan.scratch
            .file("bridges", &format!("{}\n", outer.join("\n")));
        let me = lan.outside();
        for (host, outer) in hosts.iter().zip(&outer) {
            let (space, address) = (lan.space(host), lan.address(host));
            ip(&["netns", "add", &space]);
            let to = |arguments: &[&str]| ip(&[&["-n", &space], arguments].concat());
            to(&["link", "set", "lo", "up"]);
            to(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
            ip(&[
                "link", "add", outer, "type", "veth", "peer", "name", "home", "netns", &space,
            ]);
            ip(&["address", "add", &format!("{me}/32"), "dev", outer]);
            ip(&["link", "set", outer, "up"]);
            to(&["link", "set", "home", "up"]);
            to(&["route", "add", &me, "dev", "home", "src", &address]);
            ip(&["route", "add", &address, "dev", outer, "src", &me]);
        }
        for (at, one) in hosts.iter().enumerate() {
            for other in &hosts[at + 1..] {
                let (here, there) = (lan.space(one), lan.space(other));
                ip(&[
                    "-n",
                    &here,
                    "link",
                    "add",
                    &format!("to-{other}"),
                    "type",
                    "veth",
                    "peer",
                    "name",
                    &format!("to-{one}"),
                    "netns",
                    &there,
                ]);
                for (space, from, to) in [(&here, one, other), (&there, other, one)] {
                    let link = format!("to-{to}");
                    ip(&["-n", space, "link", "set", &link, "up"]);
                    ip(&[
                        "-n",
                        space,
                        "route",
                        "add",
                        &lan.address(to),
                        "dev",
                        &link,
                        "src",
                        &lan.address(from),
                    ]);
                }
            }
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

    /// The address of this host, as those hosts reach it.
    pub(crate) fn outside(&self) -> String {
        self.address_of(254)
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

    /// A host replies to no ping any more, or does again.
    pub(crate) fn mute(&self, host: &str, mute: bool) {
        let iptables = program::find("iptables", "iptables");
        let mut command = Command::new(program::find("ip", "iproute2"));
        command
            .args(["netns", "exec", &self.space(host)])
            .arg(iptables)
            .args(["-w", if mute { "-A" } else { "-D" }, "INPUT"]);
        program::run(command.args(["-p", "icmp", "-j", "DROP"]));
    }

    /// Nobody but the host itself reaches a port of it any more, or all do again.
    pub(crate) fn shut(&self, host: &str, port: u16, shut: bool) {
        let iptables = program::find("iptables", "iptables");
        let mut command = Command::new(program::find("ip", "iproute2"));
        command
            .args(["netns", "exec", &self.space(host)])
            .arg(iptables)
            .args([
                "-w",
                if shut { "-A" } else { "-D" },
                "INPUT",
                "!",
                "-i",
                "lo",
            ])
            .args(["-p", "tcp", "--dport", &port.to_string(), "-j", "REJECT"]);
        program::run(command.args(["--reject-with", "tcp-reset"]));
    }

    fn address_of(&self, last: u8) -> String {
        format!("10.78.{}.{last}", self.network.number)
    }

    /// The link to a host, as this host calls it.
    fn link(&self, host: &str) -> String {
        format!("bt{}-{host}", self.network.number)
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
        let delete = |kind: &str, name: &str| {
            let _ = program::attempt(Command::new("ip").args([kind, "delete", name]));
        };
        for host in &self.hosts {
            delete("netns", &self.space(host));
            // With its other end it may be gone already.
            delete("link", &self.link(host));
        }
        let _ = fs::remove_file(self.scratch.path.join("bridges"));
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    program::run(Command::new(program::find("ip", "iproute2")).args(arguments));
}
