//! Finds the control groups of a container, whichever version and driver.

use std::path::{Path, PathBuf};

use crate::files::Files;

/// The controllers of version 1 that are read, each in a tree of its own.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "memory", "blkio", "pids"];

/// Where a container's control groups lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Groups {
    /// The path within the hierarchy; it tells containers apart in series.
    pub(super) path: String,
    pub(super) folders: Folders,
}

/// The folders by version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folders {
    V1 {
        cpu: PathBuf,
        cpuacct: PathBuf,
        memory: PathBuf,
        blkio: PathBuf,
        pids: PathBuf,
    },
    V2(PathBuf),
}

/// Finds the groups of the container `id`, whose first process is `pid`.
pub(super) fn find(id: &str, pid: u32, files: &mut Files<'_>) -> Option<Groups> {
    let text = files.proc(&format!("{pid}/cgroup")).ok()?.into_owned();
    let base = files.roots.sys.join("fs/cgroup");
    if base.join("cgroup.controllers").is_file() {
        let (folder, path) = locate(&base, path_of(&text, "").unwrap_or_default(), id)?;
        return Some(Groups {
            path,
            folders: Folders::V2(folder),
        });
    }
    let found = CONTROLLERS.map(|controller| {
        let path = path_of(&text, controller).unwrap_or_default();
        locate(&base.join(controller), path, id)
    });
    let path = found
        .iter()
        .flatten()
        .map(|(_, path)| path.clone())
        .next()?;
    let [cpu, cpuacct, memory, blkio, pids] =
        found.map(|found| found.map(|(folder, _)| folder).unwrap_or_default());
    Some(Groups {
        path,
        folders: Folders::V1 {
            cpu,
            cpuacct,
            memory,
            blkio,
            pids,
        },
    })
}

/// The groups of the whole machine.
pub(super) fn root(files: &Files<'_>) -> Groups {
    let base = files.roots.sys.join("fs/cgroup");
    let folders = if base.join("cgroup.controllers").is_file() {
        Folders::V2(base)
    } else {
        let [cpu, cpuacct, memory, blkio, pids] =
            CONTROLLERS.map(|controller| base.join(controller));
        Folders::V1 {
            cpu,
            cpuacct,
            memory,
            blkio,
            pids,
        }
    };
    Groups {
        path: "/".to_owned(),
        folders,
    }
}

/// The path that `/proc/<pid>/cgroup` names for a controller; version 2 has
/// none, and an empty name.
fn path_of<'a>(text: &'a str, controller: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        controllers
            .split(',')
            .any(|one| one == controller)
            .then_some(path)
    })
}

/// Finds the folder under a hierarchy's root, and the path to it. The process
/// may be in a group below its container's, and where we are in a container
/// ourselves the path may start from our own group.
fn locate(base: &Path, path: &str, id: &str) -> Option<(PathBuf, String)> {
    let mut own = String::new();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty() && *part != "..")
    {
        own.push('/');
        own.push_str(part);
        if part.contains(id) {
            break;
        }
    }
    let as_told = Some(own).filter(|own| own.contains(id));
    let usual = [
        format!("/system.slice/docker-{id}.scope"),
        format!("/docker/{id}"),
    ];
    as_told.into_iter().chain(usual).find_map(|path| {
        let folder = base.join(&path[1..]);
        folder.is_dir().then_some((folder, path))
    })
}

/// Reads a text as the control groups of a process, for those who throw any at it.
pub(super) fn any(text: &str) {
    for controller in CONTROLLERS.into_iter().chain([""]) {
        let path = path_of(text, controller).unwrap_or_default();
        locate(Path::new("/nowhere"), path, "0123");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Roots;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[derive(Debug)]
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(groups: &[String], cgroup: &str) -> Self {
            let tree = tempfile::tempdir().unwrap();
            for group in groups {
                std::fs::create_dir_all(tree.path().join("sys/fs/cgroup").join(group)).unwrap();
            }
            std::fs::create_dir_all(tree.path().join("proc/7")).unwrap();
            std::fs::write(tree.path().join("proc/7/cgroup"), cgroup).unwrap();
            Self(tree)
        }

        fn unified(self) -> Self {
            std::fs::write(
                self.0.path().join("sys/fs/cgroup/cgroup.controllers"),
                "cpu",
            )
            .unwrap();
            self
        }

        fn find(&self) -> Option<Groups> {
            let roots = Roots {
                proc: self.0.path().join("proc"),
                sys: self.0.path().join("sys"),
                root: self.0.path().into(),
            };
            find(ID, 7, &mut Files::new(&roots))
        }
    }

    #[test]
    fn both_drivers_and_nested_groups_are_found_in_version_2() {
        for (group, told) in [
            (
                format!("system.slice/docker-{ID}.scope"),
                format!("0::/system.slice/docker-{ID}.scope\n"),
            ),
            (format!("docker/{ID}"), format!("0::/docker/{ID}\n")),
            // Of an engine that works for one user.
            (
                format!(
                    "user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope"
                ),
                format!(
                    "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope\n"
                ),
            ),
            // A process that made groups of its own in its container.
            (
                format!("docker/{ID}"),
                format!("0::/docker/{ID}/init.scope\n"),
            ),
            (format!("mine/{ID}"), format!("0::/mine/{ID}\n")),
            // Seen from a container with a namespace of its own.
            (
                format!("system.slice/docker-{ID}.scope"),
                format!("0::/../docker-{ID}.scope\n"),
            ),
            (format!("docker/{ID}"), "0::/\n".to_owned()),
        ] {
            let groups = Tree::new(std::slice::from_ref(&group), &told)
                .unified()
                .find();
            assert_eq!(groups.unwrap().path, format!("/{group}"), "{told}");
        }
    }

    #[test]
    fn version_1_has_a_path_for_each_controller() {
        let group = format!("docker/{ID}");
        let groups =
            ["cpu", "cpuacct", "memory", "pids"].map(|controller| format!("{controller}/{group}"));
        let told = format!(
            "9:name=systemd:/docker/{ID}\n4:memory:/docker/{ID}\n2:cpuacct,cpu:/docker/{ID}\n8:pids:/docker/{ID}\n0::/\n"
        );
        let found = Tree::new(&groups, &told).find().unwrap();
        assert_eq!(found.path, format!("/{group}"));
        let Folders::V1 { memory, blkio, .. } = found.folders else {
            panic!("not version 1");
        };
        assert!(memory.ends_with(format!("memory/{group}")));
        assert_eq!(blkio, PathBuf::new());
    }

    #[test]
    fn a_process_of_something_else_has_no_group_of_the_container() {
        let tree = Tree::new(&["docker/other".into()], "0::/docker/other\n").unified();
        assert_eq!(tree.find(), None);
    }
}
