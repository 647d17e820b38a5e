//! Attesting a key: that what is kept elsewhere opens what would be made here. The
//! key on this host is lost with it; without another no copy can be opened.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use crate::age::{Decrypting, Encrypting, Identity, Recipient};
use crate::{Setup, note};

/// When which recipient was attested, in milliseconds since 1970.
type Attested = BTreeMap<String, i64>;

fn file(setup: &Setup) -> PathBuf {
    setup.work.join("attested.json")
}

fn read(setup: &Setup) -> Attested {
    let text = std::fs::read(file(setup)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// When a key of today's recipients was last attested, in milliseconds since 1970:
/// nothing where nothing is encrypted, 0 where none was. Where jobs have recipients of
/// their own, that of the key that was attested longest ago.
#[must_use]
pub fn last(setup: &Setup) -> Option<i64> {
    let attested = read(setup);
    let sets = setup.config.recipient_sets().into_iter();
    let newest = sets.map(|set| {
        let known = set.iter().filter_map(|one| attested.get(one).copied());
        known.max().unwrap_or(0)
    });
    newest.min()
}

/// Seals a sample as backups are, opens it with each of these keys, and notes which
/// recipients they are of.
///
/// # Errors
/// When none of the keys opens what is made here.
pub fn attest(setup: &Setup, keys: &[Identity], now_ms: i64) -> Result<Vec<String>, String> {
    let sets = setup.config.recipient_sets();
    if sets.is_empty() {
        return Err("backup.recipients is empty: backups are not encrypted".to_owned());
    }
    let mut opened = Vec::new();
    for set in sets {
        for recipient in opens(set, keys)? {
            if !opened.contains(&recipient) {
                opened.push(recipient);
            }
        }
    }
    if opened.is_empty() {
        return Err("none of these keys opens what is encrypted here".to_owned());
    }
    let mut attested = read(setup);
    attested.extend(opened.iter().map(|recipient| (recipient.clone(), now_ms)));
    note::write(&setup.work, &file(setup), &attested)?;
    Ok(opened)
}

/// Which of these keys open what is encrypted to all of these recipients.
fn opens(recipients: &[String], keys: &[Identity]) -> Result<Vec<String>, String> {
    let recipients = recipients.iter().map(|one| one.parse::<Recipient>());
    let recipients: Vec<_> = recipients.filter_map(Result::ok).collect();
    let mut sample = [0; 64];
    getrandom::fill(&mut sample).map_err(|err| err.to_string())?;
    let mut sealed = Vec::new();
    let mut seal = || -> std::io::Result<()> {
        let mut out = Encrypting::new(&mut sealed, &recipients)?;
        out.write_all(&sample)?;
        out.finish().map(|_| ())
    };
    seal().map_err(|err| err.to_string())?;
    let mut opened = Vec::new();
    for key in keys {
        let mut found = Vec::new();
        let open = Decrypting::new(&*sealed, std::slice::from_ref(key));
        let read = open.and_then(|mut open| open.read_to_end(&mut found));
        if read.is_ok() && found == sample {
            opened.push(key.recipient().to_string());
        }
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn a_key_is_attested_by_opening_what_is_encrypted_here_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let setup = |recipients: &[&Identity]| {
            let recipients = recipients.iter().map(|key| key.recipient().to_string());
            Setup {
                config: std::sync::Arc::new(Config {
                    recipients: recipients.collect(),
                    ..Config::default()
                }),
                host: String::new(),
                version: String::new(),
                engine: None,
                work: folder.path().join("work"),
            }
        };
        let none = setup(&[]);
        assert_eq!(last(&none), None);
        assert!(attest(&none, std::slice::from_ref(&mine), 5).is_err());
        let one = setup(&[&mine]);
        assert_eq!(last(&one), Some(0));
        let err = attest(&one, std::slice::from_ref(&other), 5).unwrap_err();
        assert!(err.contains("none of these keys opens"), "{err}");
        assert_eq!(last(&one), Some(0));
        let opened = attest(&one, &[other, mine], 7).unwrap();
        assert_eq!((opened.len(), last(&one)), (1, Some(7)));
        // Another key than the one that was attested.
        assert_eq!(last(&setup(&[&Identity::generate().unwrap()])), Some(0));
        // A job whose backups another key opens needs that one attested too.
        let (third, fourth) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut two = setup(&[&third]);
        let job = |recipients: &[&Identity]| crate::Job {
            recipients: recipients
                .iter()
                .map(|key| key.recipient().to_string())
                .collect(),
            ..crate::Job::default()
        };
        std::sync::Arc::make_mut(&mut two.config).jobs = vec![job(&[]), job(&[&fourth])];
        attest(&two, &[third], 8).unwrap();
        assert_eq!(last(&two), Some(0));
        attest(&two, &[fourth], 9).unwrap();
        assert_eq!(last(&two), Some(8));
    }
}
