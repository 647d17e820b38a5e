//! Flags of Prometheus that mean nothing here, or ask for what Belfry cannot do:
//! taken out of the command line, and each answered.

/// Flags that change nothing here; whether each has a value.
const IDLE: &[(&str, bool)] = &[
    ("storage.tsdb.no-lockfile", false),
    ("storage.tsdb.use-lockfile", false),
    ("storage.tsdb.wal-compression", false),
    ("storage.tsdb.wal-compression-type", true),
    ("storage.tsdb.wal-segment-size", true),
    ("storage.tsdb.min-block-duration", true),
    ("storage.tsdb.max-block-duration", true),
    ("storage.tsdb.max-block-chunk-segment-size", true),
    ("storage.tsdb.head-chunks-write-queue-size", true),
    ("storage.tsdb.samples-per-chunk", true),
    ("storage.tsdb.allow-overlapping-blocks", false),
    ("storage.tsdb.allow-overlapping-compaction", false),
    ("storage.tsdb.block-reload-interval", true),
    ("storage.remote.flush-deadline", true),
    ("storage.remote.read-sample-limit", true),
    ("storage.remote.read-concurrent-limit", true),
    ("storage.remote.read-max-bytes-in-frame", true),
    ("rules.max-concurrent-evals", true),
    ("scrape.adjust-timestamps", false),
    ("scrape.timestamp-tolerance", true),
    ("scrape.discovery-reload-interval", true),
    ("alertmanager.timeout", true),
    ("alertmanager.notification-batch-size", true),
    ("alertmanager.drain-notification-queue-on-shutdown", false),
    ("web.console.templates", true),
    ("web.console.libraries", true),
    ("web.page-title", true),
    ("web.cors.origin", true),
    ("web.user-assets", true),
    ("web.local-assets", true),
    ("web.max-connections", true),
    ("web.max-notifications-subscribers", true),
    ("web.read-timeout", true),
    ("web.remote-write-receiver.accepted-protobuf-messages", true),
    ("enable-feature", true),
    ("auto-gomaxprocs", false),
    ("auto-gomemlimit", false),
    ("auto-gomemlimit.ratio", true),
];

/// Flags that ask for what Belfry cannot do.
const REFUSED: &[&str] = &[
    "agent",
    "web.enable-admin-api",
    "web.enable-otlp-receiver",
    "web.systemd-socket",
    "storage.tsdb.delayed-compaction.max-percent",
    "config.auto-reload-interval",
];

/// Flags that are off unless they are given: `--no-...` takes one before it back.
const OFF: &[&str] = &["web.enable-lifecycle", "web.enable-remote-write-receiver"];

/// What is left of a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sifted {
    /// The words that remain.
    pub words: Vec<String>,
    /// Flags that change nothing here.
    pub idle: Vec<String>,
}

/// Takes out what changes nothing.
///
/// # Errors
/// The flag that asks for what Belfry cannot do.
pub(crate) fn sift(words: impl IntoIterator<Item = String>) -> Result<Sifted, String> {
    let mut out = Sifted::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            out.words.push(word);
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let off = name.strip_prefix("no-");
        let plain = off.unwrap_or(name);
        let refused = REFUSED.contains(&plain) || plain.starts_with("storage.agent.");
        if off.is_some() && (refused || OFF.contains(&plain)) {
            out.words
                .retain(|word| word.strip_prefix("--") != Some(plain));
            continue;
        }
        if refused {
            return Err(format!(
                "Belfry cannot do what --{name} asks for; leave it out to go on without"
            ));
        }
        match IDLE.iter().find(|(idle, _)| *idle == plain) {
            Some((_, has_value)) => {
                if *has_value && value.is_none() {
                    words.next();
                }
                out.idle.push(format!("--{name}"));
            }
            None => out.words.push(word),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sifted(line: &str) -> Result<Sifted, String> {
        sift(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn flags_that_change_nothing_are_taken_out_with_their_values() {
        let found = sifted("prometheus --config.file=a --web.console.libraries=/x --enable-feature b --no-storage.tsdb.wal-compression --web.enable-lifecycle").unwrap();
        assert_eq!(
            found.words,
            ["prometheus", "--config.file=a", "--web.enable-lifecycle"]
        );
        assert_eq!(
            found.idle,
            [
                "--web.console.libraries",
                "--enable-feature",
                "--no-storage.tsdb.wal-compression"
            ]
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let told = sifted("prometheus --web.enable-otlp-receiver").unwrap_err();
        assert!(told.contains("--web.enable-otlp-receiver"), "{told}");
        assert!(sifted("prometheus --agent").is_err());
        assert!(sifted("prometheus --storage.agent.path=/x").is_err());
        let off = sifted("prometheus --no-agent --no-web.enable-lifecycle").unwrap();
        assert_eq!((off.words, off.idle), (vec!["prometheus".into()], vec![]));
    }

    #[test]
    fn of_a_flag_and_its_opposite_the_last_one_wins() {
        let (on, off) = ("--web.enable-lifecycle", "--no-web.enable-lifecycle");
        let words = |line: String| sifted(&line).unwrap().words;
        assert_eq!(words(format!("prometheus {on} {off}")), ["prometheus"]);
        assert_eq!(words(format!("prometheus {off} {on}")), ["prometheus", on]);
    }
}
