//! What a process is, by its name and its command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Found, Kind, celery, program};

/// A process that does not run in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its program's name, as the kernel keeps it.
    pub name: String,
    /// Its command line, word by word.
    pub command: Vec<String>,
    /// TCP ports that it listens on; filled only for programs we know.
    pub ports: Vec<u16>,
}

/// Reads the process table below `proc`; what vanishes or cannot be read
/// meanwhile is left out. Command lines stay here: they can hold secrets.
#[must_use]
pub fn processes(proc: &Path) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir(proc) else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<Process> = pids.filter_map(|pid| read(proc, pid)).collect();
    let known =
        |process: &Process| program(&process.name).is_some() || is_celery(process).is_some();
    if found.iter().any(known) {
        let listeners = listeners(proc);
        for process in found.iter_mut().filter(|process| known(process)) {
            process.ports = ports(proc, process.pid, &listeners);
        }
    }
    found
}

fn read(proc: &Path, pid: i32) -> Option<Process> {
    let folder = proc.join(pid.to_string());
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // The name stands in parentheses and may itself hold some.
    let (name, rest) = (stat.find('(')?, stat.rfind(')')?);
    let parent = stat.get(rest + 2..)?.split(' ').nth(1)?.parse().ok()?;
    let cgroup = std::fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    if in_container(&cgroup) {
        return None;
    }
    let command = std::fs::read(folder.join("cmdline")).ok()?;
    let command = command
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    Some(Process {
        pid,
        parent,
        name: stat.get(name + 1..rest)?.to_owned(),
        command,
        ports: Vec::new(),
    })
}

/// Whether a line of `/proc/PID/cgroup` ends in a container's 64 hex digits.
fn in_container(cgroup: &str) -> bool {
    cgroup.lines().any(|line| {
        let last = line.rsplit('/').next().unwrap_or_default();
        let id = last.strip_suffix(".scope").unwrap_or(last);
        let id = id.rsplit('-').next().unwrap_or(id);
        id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Listening TCP sockets: inode to port.
fn listeners(proc: &Path) -> BTreeMap<u64, u16> {
    let mut found = BTreeMap::new();
    // The host's network, also when we run in a container with the host's /proc.
    for file in ["1/net/tcp", "1/net/tcp6"] {
        let text = std::fs::read_to_string(proc.join(file)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let (Some(local), Some(&"0A"), Some(inode)) =
                (words.get(1), words.get(3), words.get(9))
            else {
                continue;
            };
            let port = local
                .rsplit(':')
                .next()
                .and_then(|port| u16::from_str_radix(port, 16).ok());
            if let (Some(port), Ok(inode)) = (port, inode.parse()) {
                found.insert(inode, port);
            }
        }
    }
    found
}

fn ports(proc: &Path, pid: i32, listeners: &BTreeMap<u64, u16>) -> Vec<u16> {
    let Ok(entries) = std::fs::read_dir(proc.join(format!("{pid}/fd"))) else {
        return Vec::new();
    };
    let ports: BTreeSet<u16> = entries
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()?;
            listeners.get(&inode).copied()
        })
        .collect();
    ports.into_iter().collect()
}

fn is_celery(process: &Process) -> Option<String> {
    let words: Vec<&str> = process.command.iter().map(String::as_str).collect();
    celery(&words)
}

/// What the processes are; one finding per server, not per child of it.
pub(super) fn services(processes: &[Process]) -> Vec<Found> {
    let kind = |process: &Process| match is_celery(process) {
        Some(part) => Some((Kind::Celery, format!("Celery {part}"))),
        None => program(&process.name).map(|(kind, what)| (kind, what.to_owned())),
    };
    let known: BTreeMap<i32, (Kind, String)> = processes
        .iter()
        .filter_map(|process| Some((process.pid, kind(process)?)))
        .collect();
    processes
        .iter()
        .filter(|process| !known.contains_key(&process.parent))
        .filter_map(|process| {
            let (kind, what) = known.get(&process.pid)?.clone();
            let ports: Vec<_> = process.ports.iter().map(u16::to_string).collect();
            let listens = if ports.is_empty() {
                String::new()
            } else {
                format!(", listening on port {}", ports.join(", "))
            };
            Some(Found {
                kind,
                what: format!("{what} on the host"),
                evidence: format!("process {} ({}){listens}", process.pid, process.name),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, name: &str, command: &str) -> Process {
        Process {
            pid,
            parent,
            name: name.into(),
            command: command.split(' ').map(str::to_owned).collect(),
            ports: vec![],
        }
    }

    #[test]
    fn a_server_is_found_once_with_its_port() {
        let mut server = process(
            10,
            1,
            "postgres",
            "/usr/lib/postgresql/15/bin/postgres -D /data",
        );
        server.ports = vec![5432];
        let found = services(&[
            server,
            process(11, 10, "postgres", "postgres: checkpointer"),
        ]);
        assert_eq!(
            found,
            [Found {
                kind: Kind::Postgres,
                what: "PostgreSQL on the host".into(),
                evidence: "process 10 (postgres), listening on port 5432".into(),
            }]
        );
    }

    #[test]
    fn celery_is_known_by_its_command_line() {
        let found = services(&[
            process(
                5,
                1,
                "python3",
                "python3 /srv/venv/bin/celery -A shop worker --password=x",
            ),
            process(
                6,
                5,
                "python3",
                "python3 /srv/venv/bin/celery -A shop worker --password=x",
            ),
            process(7, 1, "vim", "vim celery worker.py"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "Celery worker on the host");
        assert!(!found[0].evidence.contains("password"));
    }

    #[test]
    fn processes_of_containers_are_left_to_the_engine() {
        let id = "0123456789abcdef".repeat(4);
        assert!(in_container(&format!(
            "0::/system.slice/docker-{id}.scope\n"
        )));
        assert!(in_container(&format!(
            "4:memory:/docker/{id}\n3:cpu:/docker/{id}\n"
        )));
        assert!(!in_container("0::/system.slice/postgresql.service\n"));
    }

    #[test]
    fn this_process_is_in_the_table_and_listens() {
        let me = i32::try_from(std::process::id()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(read(Path::new("/proc"), me).is_none_or(|process| !process.command.is_empty()));
        assert!(ports(Path::new("/proc"), me, &listeners(Path::new("/proc"))).contains(&port));
    }

    #[test]
    fn a_table_that_cannot_be_read_is_empty() {
        assert_eq!(processes(Path::new("/nowhere")), []);
    }
}
