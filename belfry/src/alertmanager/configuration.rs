//! From `alertmanager.yml` to the alerter's section.

use md5::{Digest as _, Md5};
use settings::read_literal;

use super::Flags;

/// A configuration is no longer than this, in bytes.
const LONGEST: u64 = 16 << 20;

/// The page of mails that say nothing of their own.
const HTML: &str = "{{ template \"email.default.html\" . }}";

/// A file that was read and is in order.
pub(super) struct Source {
    pub config: alerter::Config,
    /// Tells it from another text.
    pub hash: u64,
}

impl Source {
    /// Reads the file that the flags name; all that is wrong with it, a line each.
    pub(super) fn read(flags: &Flags) -> Result<Self, String> {
        let file = &flags.config_file;
        let text = settings::read_soon(file, LONGEST)
            .map_err(|err| format!("cannot read {}: {err}", file.display()))?;
        let mut reading = read_literal::<alerter::Config>(file, &text);
        if reading.value.route.is_none() && !reading.is_broken("route") {
            reading.contradict("route", "no route provided in config");
        }
        prepare(&mut reading.value, flags);
        for problem in alerter::check(&reading.value, &alerter::Mail::default()) {
            let key = problem.key.strip_prefix("alerter.");
            reading.contradict(key.unwrap_or(&problem.key), &problem.message);
        }
        let (config, faults) = reading.end();
        if !faults.is_empty() {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            return Err(faults.join("\n"));
        }
        Ok(Self {
            config,
            hash: hash(&text),
        })
    }
}

/// What Alertmanager is told by flags, and what its mails look like.
fn prepare(config: &mut alerter::Config, flags: &Flags) {
    config.silences.retention = flags.retention;
    config.silences.limit = flags.max_silences;
    config.silences.size = settings::Size(flags.max_silence_bytes);
    for receiver in &mut config.receivers {
        for email in &mut receiver.email_configs {
            email.html.get_or_insert_with(|| HTML.to_owned());
        }
    }
}

/// As Alertmanager computes it: of the text's MD5 the first 48 bits, which a
/// floating-point number holds exactly.
fn hash(text: &str) -> u64 {
    let digest = Md5::digest(text.as_bytes());
    let first = digest.iter().take(6).rev();
    first.fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
