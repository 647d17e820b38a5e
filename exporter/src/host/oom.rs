//! Processes that the kernel killed for want of memory, with their names, from
//! the kernel's log.
//!
//! The log is a ring: what it still has of the time before us counts too. It is
//! read without waiting, and only so much for each page.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};
use crate::tallies::lock;

/// Records for one page.
const MOST_RECORDS: usize = 20_000;
/// Names that are told, those that were killed last.
const MOST_NAMES: usize = 100;

/// By process and container: how often, and when last, in microseconds since
/// the machine was started.
type Killed = BTreeMap<(String, String), (u64, u64)>;

/// The log, and what was found in it.
#[derive(Debug, Default)]
pub(super) struct Known {
    log: Option<File>,
    killed: Killed,
    /// The process that is about to be killed, and its container. The kernel
    /// says so seldomly when it kills many.
    chosen: Option<(String, String)>,
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let mut known = lock(&machine.oom);
    known.follow(files)?;
    let booted = files.proc("stat").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        line.trim().parse().ok()
    });
    known.encode(booted, page);
    Ok(())
}

impl Known {
    fn follow(&mut self, files: &Files<'_>) -> Result<(), Failure> {
        if self.log.is_none() {
            let path = files.roots.root.join("dev/kmsg");
            let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
            let opened = OpenOptions::new()
                .read(true)
                .custom_flags(nonblock)
                .open(&path);
            // Without the right to read it we are as good as without it.
            let log = opened.map_err(|_| Failure::Absent(path.display().to_string()))?;
            self.log = Some(log);
        }
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        let mut record = [0; 8192];
        for _ in 0..MOST_RECORDS {
            match log.read(&mut record) {
                Ok(0) => break,
                Ok(read) => {
                    let record = String::from_utf8_lossy(&record[..read]);
                    if let Some((pid, container)) = chosen(&record) {
                        self.chosen = Some((pid.to_owned(), container));
                    }
                    if let Some((when, pid, name)) = killed(&record) {
                        let chosen = self.chosen.take().filter(|(chosen, _)| chosen == pid);
                        let container = chosen.map(|(_, container)| container);
                        let key = (name.to_owned(), container.unwrap_or_default());
                        let slot = self.killed.entry(key).or_default();
                        *slot = (slot.0 + 1, slot.1.max(when));
                        forget_the_oldest(&mut self.killed);
                    }
                }
                // What was overwritten before we read it is gone.
                Err(err) if err.raw_os_error() == Some(libc::EPIPE) => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(err) => return Err(Failure::Unreadable("the kernel's log".into(), err)),
            }
        }
        Ok(())
    }

    fn encode(&self, booted: Option<f64>, page: &mut Writer) {
        page.family(
            "belfry_host_oom_kills_total",
            "Processes that the kernel killed for want of memory, as its log has them.",
            Kind::Counter,
        );
        for ((process, container), (count, _)) in &self.killed {
            let labels = [("container_id", container.as_str()), ("process", process)];
            page.sample(&labels, *count as f64);
        }
        let Some(booted) = booted else { return };
        page.family(
            "belfry_host_oom_kill_timestamp_seconds",
            "When it killed one of this name last, in seconds since 1970.",
            Kind::Gauge,
        );
        for ((process, container), (_, when)) in &self.killed {
            let labels = [("container_id", container.as_str()), ("process", process)];
            page.sample(&labels, booted + *when as f64 / 1e6);
        }
    }
}

fn forget_the_oldest(killed: &mut Killed) {
    if killed.len() > MOST_NAMES {
        let oldest = killed.iter().min_by_key(|(_, (_, when))| *when);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            killed.remove(&key);
        }
    }
}

/// Who is to be killed, and in which container: from a record such as
/// `6,1234,5678,-;oom-kill:constraint=CONSTRAINT_MEMCG,...,task_memcg=/docker/ID,task=NAME,pid=7,uid=0`.
fn chosen(record: &str) -> Option<(&str, String)> {
    let (_, message) = record.split_once(';')?;
    let line = message.lines().next()?.strip_prefix("oom-kill:")?;
    // A name may hold commas.
    let (before, pid) = line.rsplit_once(",pid=")?;
    let group = before
        .split_once("task_memcg=")
        .map_or("", |(_, group)| group);
    let id = group
        .split(['/', '-', '.', ','])
        .find(|part| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let id = id.map(|id| id[..12].to_owned());
    Some((pid.split(',').next()?, id.unwrap_or_default()))
}

/// When, and who: from `3,1235,5679,-;Memory cgroup out of memory: Killed process 7 (NAME) total-vm:...`.
fn killed(record: &str) -> Option<(u64, &str, &str)> {
    let (head, message) = record.split_once(';')?;
    let when = head.split(',').nth(2)?.parse().ok()?;
    let line = message.lines().next()?;
    let (before, behind) = line.split_once("ut of memory")?;
    // At the begin of the line: anybody may write the rest into the log.
    if !["O", "Memory cgroup o"].contains(&before) {
        return None;
    }
    let (pid, behind) = behind.split_once("Killed process ")?.1.split_once(" (")?;
    let (name, _) = behind
        .rsplit_once(") total-vm:")
        .or_else(|| behind.rsplit_once(')'))?;
    Some((when, pid, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_is_in_one_line_and_its_container_in_the_one_before() {
        let id = "0123456789abcdef".repeat(4);
        let line = |group: &str, task: &str| {
            format!(
                "6,1234,5678901,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg={group},task_memcg={group},task={task},pid=7,uid=0\n SUBSYSTEM=x\n"
            )
        };
        for (group, want) in [
            (format!("/docker/{id}"), "0123456789ab"),
            (format!("/system.slice/docker-{id}.scope"), "0123456789ab"),
            ("/user.slice".to_owned(), ""),
        ] {
            let record = line(&group, "python3");
            assert_eq!(chosen(&record), Some(("7", want.to_owned())), "{group}");
        }
        assert_eq!(chosen(&line("/", "a,pid=b")).unwrap().0, "7");
        for (text, want) in [
            (
                "Memory cgroup out of memory: Killed process 7 (py (x) y) total-vm:1kB, UID:0",
                Some((2, "7", "py (x) y")),
            ),
            (
                "Out of memory: Killed process 8 (a) total-vm:1kB",
                Some((2, "8", "a")),
            ),
            (
                "Out of memory (oom_kill_allocating_task): Killed process 9 (b) total-vm:1kB",
                Some((2, "9", "b")),
            ),
            (
                "somebody says: Out of memory: Killed process 8 (a) total-vm:1kB",
                None,
            ),
            ("usb 1-1: new device", None),
        ] {
            assert_eq!(killed(&format!("3,1,2,-;{text}\n")), want, "{text}");
        }
        for other in ["", "6,1,2,-;oom-kill:constraint=X", "6,1;x", "x"] {
            assert_eq!((chosen(other), killed(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn only_the_latest_names_are_kept() {
        let mut all = Killed::new();
        for at in 0..500_u64 {
            all.insert((format!("p{at}"), String::new()), (1, at));
            forget_the_oldest(&mut all);
        }
        assert_eq!(all.len(), MOST_NAMES);
        assert!(all.values().all(|(_, when)| *when >= 400));
    }
}
