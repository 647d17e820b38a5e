//! What the probers of the host itself are told: its systemd, its engine, its commands.

use std::path::PathBuf;
use std::time::Duration;

use super::super::pattern::Pattern;

settings::section! {
    /// A command that must end well. It runs with a clean environment, an empty
    /// input, and no shell; it gains no rights by what it starts, such as sudo, and all of
    /// it is killed when its time is over.
    pub struct Command {
        /// The program and its arguments. It must only read: it runs again and again.
        pub argv: Vec<String> = vec![],
        /// The user as whom it runs. Empty: nobody where Belfry is root, else as Belfry does. To become another one takes the capabilities SETUID and SETGID; what only root may ask, such as smartctl, needs root here.
        pub user: String = String::new(),
        /// Files and folders that it may write, beside /dev/null; nothing else, root neither, where the kernel has Landlock (Linux 5.13). /: everything, and it may use sudo and look into the processes of others, which nothing confined may. What it may ask others to do, such as a database or an engine by its socket, is not bounded by that.
        pub may_write: Vec<PathBuf> = vec![PathBuf::from("/tmp")],
        /// The codes with which it may end.
        pub exit_codes: Vec<u16> = vec![0],
        /// What its output must match. Absent: anything.
        pub expect: Option<Pattern> = None,
    }
}

settings::section! {
    /// A unit of systemd, as systemctl tells of it.
    pub struct Systemd {
        /// The program systemctl; in a container, one that reaches the host's.
        pub program: PathBuf = PathBuf::from("systemctl"),
        /// The states that are good. Empty: active, and what a unit of its kind goes through between.
        pub states: Vec<String> = vec![],
        /// The longest time since a timer went off. Absent: any.
        pub max_age: Option<Duration> = None,
    }
}

settings::section! {
    /// A Docker engine.
    pub struct Docker {
        /// Whether the containers are listed as well: a hung engine may still answer a ping.
        pub list: bool = true,
    }
}
