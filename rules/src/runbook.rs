//! The runbooks that are shipped in the binary.
//!
//! Each is a Markdown file about one alert or a family of them. A rule names
//! its runbook by the path at which the page serves it, `/runbooks/NAME`.

mod shelf;

pub use shelf::{Runbook, Runbooks};

/// Where the page serves runbooks; a rule's `runbook_url` begins with it.
pub const PATH: &str = "/runbooks/";

/// All runbooks by name, in order.
pub const ALL: [(&str, &str); 26] = [
    ("api-down", include_str!("../runbooks/api-down.md")),
    ("backup", include_str!("../runbooks/backup.md")),
    ("belfry", include_str!("../runbooks/belfry.md")),
    ("celery", include_str!("../runbooks/celery.md")),
    (
        "certificate-pending",
        include_str!("../runbooks/certificate-pending.md"),
    ),
    ("clock", include_str!("../runbooks/clock.md")),
    (
        "container-down",
        include_str!("../runbooks/container-down.md"),
    ),
    (
        "container-unhealthy",
        include_str!("../runbooks/container-unhealthy.md"),
    ),
    ("database", include_str!("../runbooks/database.md")),
    ("declared", include_str!("../runbooks/declared.md")),
    ("disk-failing", include_str!("../runbooks/disk-failing.md")),
    ("disk-full", include_str!("../runbooks/disk-full.md")),
    ("engine-down", include_str!("../runbooks/engine-down.md")),
    ("heartbeat", include_str!("../runbooks/heartbeat.md")),
    ("host-down", include_str!("../runbooks/host-down.md")),
    ("load", include_str!("../runbooks/load.md")),
    ("log", include_str!("../runbooks/log.md")),
    ("memory", include_str!("../runbooks/memory.md")),
    ("network", include_str!("../runbooks/network.md")),
    ("proxy", include_str!("../runbooks/proxy.md")),
    ("queue-stuck", include_str!("../runbooks/queue-stuck.md")),
    ("reboot", include_str!("../runbooks/reboot.md")),
    ("redis", include_str!("../runbooks/redis.md")),
    ("restore", include_str!("../runbooks/restore.md")),
    (
        "stack-restart",
        include_str!("../runbooks/stack-restart.md"),
    ),
    ("target-down", include_str!("../runbooks/target-down.md")),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The fenced blocks of a text: what stands behind the fence, and inside.
    fn blocks(text: &str) -> Vec<(&str, &str)> {
        text.split("```")
            .skip(1)
            .step_by(2)
            .filter_map(|block| block.split_once('\n'))
            .collect()
    }

    #[test]
    fn the_table_is_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let table: Vec<String> = ALL.iter().map(|(name, _)| format!("{name}.md")).collect();
        assert_eq!(files, table);
    }

    #[test]
    fn every_runbook_has_its_parts_in_order() {
        for (name, text) in ALL {
            let parts: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("## "))
                .collect();
            let expected = ["## Symptom", "## First look", "## Causes", "## Verify"];
            assert_eq!(parts, expected, "{name}");
            assert!(
                text.starts_with("# ") && text.contains("\nAlerts: "),
                "{name}"
            );
            assert!(text.matches("\n### ").count() >= 2, "{name}");
            let steps = Runbooks::default().get(name).unwrap().first_steps().len();
            assert!((3..=5).contains(&steps), "{name}: {steps} steps");
        }
    }

    /// Words of commands that change something.
    const CHANGING: [&str; 28] = [
        " restart ",
        "prune",
        " up -d",
        " start ",
        "umount",
        "vacuum",
        "sysctl -w",
        "_backend(",
        " reload",
        " stop ",
        "config set",
        " bgsave",
        "createdb",
        "pg_restore -U",
        "unpause",
        " attest",
        " kill ",
        "set-ntp",
        "mkswap",
        "mdadm --manage",
        "backup run ",
        " replicate ",
        "backup verify ",
        "backup drill ",
        "backup pin ",
        " --table ",
        " --undo",
        " --confirm",
    ];

    /// Whether a command changes something: by a word of its own, since it writes a
    /// file, or since it has a database do what comes in.
    fn changes(command: &str) -> bool {
        // Signs within quotes are not the shell's.
        let unquoted: String = command.split(['\'', '"']).step_by(2).collect();
        let writes = unquoted.replace("2>/dev/null", "").replace("2>&1", "");
        let fed = unquoted.replace("||", ";");
        CHANGING.iter().any(|word| command.contains(word))
            || writes.contains('>')
            || fed.split('|').skip(1).any(|part| part.contains("psql "))
    }

    #[test]
    fn a_command_that_writes_or_feeds_a_database_changes_something() {
        for command in [
            "belfry backup attest",
            "docker logs NAME >> ~/evidence.log 2>&1",
            "docker logs NAME 2>>log",
            "zcat FILE.sql.gz | docker exec -i POSTGRES psql -U DBUSER",
            "docker exec POSTGRES pg_dump -U DBUSER DATABASE > ~/rescue.dump",
        ] {
            assert!(changes(command), "{command}");
        }
        for command in [
            "docker logs NAME 2>&1 | grep -iE 'a|psql ' | tail -20",
            "ls -l /var/crash 2>/dev/null",
            "docker exec POSTGRES psql -c \"select 1 where 2 > 1\" | sort",
            "docker inspect --format '{{.Source}} -> {{.Destination}}' NAME",
            "openssl s_client -connect MAILHOST:587 </dev/null",
        ] {
            assert!(!changes(command), "{command}");
        }
    }

    #[test]
    fn every_command_says_whether_it_changes_something() {
        for (name, text) in ALL {
            for (kind, commands) in blocks(text) {
                assert!(
                    ["sh read-only", "sh changing"].contains(&kind),
                    "{name}: {kind}"
                );
                let changes = commands.lines().any(changes);
                assert!(!changes || kind == "sh changing", "{name}: {commands}");
            }
            // Those within a sentence bear no mark, so that they may only look.
            let prose = text.split("```").step_by(2);
            for span in prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)) {
                let command = span.contains(' ');
                assert!(!command || !changes(span), "{name}: {span}");
            }
            let book = Runbooks::default();
            assert!(book.get(name).unwrap().first_steps_only_look(), "{name}");
        }
    }

    #[test]
    fn no_runbook_destroys_data_or_evidence() {
        let forbidden = [
            "volume prune",
            "volume rm",
            "--volumes",
            "system prune",
            "prune -a",
            "down -v",
            "truncate -s",
            "rm -rf",
            ": >",
            "> /var/lib",
            "> /var/log",
            // It would empty what was kept at the last incident.
            " > ~/evidence",
        ];
        for (name, text) in ALL {
            for word in forbidden {
                assert!(!text.contains(word), "{name}: {word}");
            }
        }
    }

    /// Compose starts nothing where one of the services that it is told is unknown, as a
    /// blank is that nothing fills.
    #[test]
    fn services_that_a_host_may_lack_are_started_each_by_itself() {
        for (name, text) in ALL {
            for line in text.lines().filter(|line| line.contains("docker compose")) {
                let blanks = line.split(' ').filter(|word| word.ends_with("_SERVICE"));
                assert!(blanks.count() < 2, "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_container_that_is_replaced_leaves_its_log_behind() {
        for (name, text) in ALL {
            for (_, commands) in blocks(text) {
                let place = |words: &str| commands.find(words);
                let replaced = place("IMAGE_TAG=").or_else(|| place("--force-recreate"));
                if let Some(replaced) = replaced {
                    let kept = place(" >> ~/evidence-");
                    assert!(
                        kept.is_some_and(|kept| kept < replaced),
                        "{name}: {commands}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_runbook_is_found_by_name_and_by_url() {
        let all = Runbooks::default();
        assert_eq!(all.get("memory"), all.get("/runbooks/memory"));
        assert_eq!(
            all.get("https://x.example/belfry/runbooks/memory"),
            all.get("memory")
        );
        assert!(all.get("memory").is_some() && all.get("nothing").is_none());
        assert_eq!(
            all.get("memory").unwrap().first_steps()[0],
            "How much is left: `free -h`"
        );
    }
}
