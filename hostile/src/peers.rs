//! What a peer answers: whom it sees, its sites, and how ours look from there.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use exposition::Writer;
use healthchecks::peer::{Config, Peers, Sight};
use healthchecks::probe::{Board, Loaded, shipped};

use crate::NOW;

/// Takes what two peers answer: a line is an answer of the one or the other.
///
/// # Panics
/// If more is looked at for them than may be, or the page about them cannot be read or
/// has a series twice.
pub fn peers(bytes: &[u8]) {
    let config: Config = match settings::read(
        "belfry.yml".as_ref(),
        "{name: me, peers: [{name: a, url: 'http://a'}, {name: b, url: 'http://b'}]}",
        &|_| None,
    ) {
        Ok(config) => config,
        Err(faults) => panic!("{faults:?}"),
    };
    let mut peers = Peers::default();
    for (name, answer) in ["a", "b"]
        .iter()
        .cycle()
        .zip(bytes.split(|byte| *byte == b'\n').take(20))
    {
        match Sight::read(answer) {
            Ok(sight) => peers.answered(name, sight, NOW),
            Err(err) => peers.silent(name, &err.to_string()),
        }
        peers.ask("me", &config, NOW);
    }
    peers.asked();
    let targets = peers.targets();
    assert!(targets.len() <= 100, "{} targets", targets.len());
    let board = Board::default();
    // The same each time, and slow to read.
    static SHIPPED: OnceLock<Loaded> = OnceLock::new();
    let loaded = SHIPPED.get_or_init(|| Loaded {
        modules: shipped(),
        ..Loaded::default()
    });
    board.configure(loaded.clone(), Duration::from_secs(15), NOW);
    board.found(targets, NOW);
    let looks = board.views(NOW);
    for now_ms in [NOW, NOW + 20_000, NOW + 600_000] {
        let mut page = Writer::new();
        peers.write("me", &config, now_ms, &mut page);
        peers.write_sites("me", &config, &looks, now_ms, &mut page);
        let page = page.finish();
        for entry in exposition::Format::Text.parse(&page) {
            assert!(entry.is_ok(), "{entry:?}\n{page}");
        }
        let series = page.lines().filter(|line| !line.starts_with('#'));
        let mut all = BTreeSet::new();
        for line in series.filter_map(|line| line.rsplit_once(' ')) {
            assert!(all.insert(line.0), "twice: {}\n{page}", line.0);
            assert!(line.0.len() < 4096, "{page}");
        }
        drop(peers.sight("me", &config, now_ms));
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        "{\"name\": \"a\", \"sees\": [\"b\", \"me\"], \"misses\": [], \"sites\": [{\"name\": \"shop\", \"target\": \"https://shop.example/\", \"module\": \"http_2xx\"}], \
         \"seen\": [{\"name\": \"mine\", \"up\": false, \"reason\": \"refused\"}, {\"name\": \"other\", \"up\": true}], \"standing\": {\"ready\": true, \"firing\": [\"DiskSpace\"]}}\n\
         {\"name\": \"b\", \"sees\": [], \"misses\": [\"a\"], \"awaits\": [\"c\"], \"pages\": [\"a\"], \"seen\": [{\"name\": \"mine\", \"up\": true}, {\"name\": \"mine\", \"up\": true}]}",
        "{\"name\": \"a\", \"sees\": [\"b\"], \"misses\": []}\nnothing",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_answers() {
        for sample in samples() {
            let first = sample
                .split(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            assert!(
                Sight::read(first).is_ok(),
                "{}",
                String::from_utf8_lossy(first)
            );
        }
    }
}
