use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::*;

const CHUNK: usize = 64 << 10;

fn seal(plain: &[u8], recipients: &[Recipient]) -> Vec<u8> {
    let mut sealing = Encrypting::new(Vec::new(), recipients).unwrap();
    sealing.write_all(plain).unwrap();
    sealing.finish().unwrap()
}

fn open(sealed: &[u8], identities: &[Identity]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    Decrypting::new(sealed, identities)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn why(sealed: &[u8], identities: &[Identity]) -> OpenError {
    let err = open(sealed, identities).unwrap_err();
    *err.into_inner().unwrap().downcast::<OpenError>().unwrap()
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) >> 3) as u8).collect()
}

/// Debian's `age`, the program whose format this is.
fn age(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let child = Command::new("age")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child =
        child.expect("age is not installed: run `make setup`, or `apt-get install age`");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    writing.join().unwrap().unwrap();
    output.stdout
}

#[test]
fn what_we_seal_the_age_program_opens_and_the_other_way_round() {
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("# a key\n{}\n", two.expose())).unwrap();
    let file = file.to_str().unwrap();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001] {
        let plain = plain(length);
        let ours = seal(&plain, &[one.recipient(), two.recipient()]);
        assert_eq!(age(&["-d", "-i", file], &ours), plain, "{length}");
        let recipients = [one.recipient().to_string(), two.recipient().to_string()];
        let theirs = age(&["-r", &recipients[0], "-r", &recipients[1]], &plain);
        for identity in [&one, &two] {
            assert_eq!(
                open(&theirs, std::slice::from_ref(identity)).unwrap(),
                plain
            );
        }
    }
}

#[test]
fn any_change_and_any_cut_is_noticed() {
    let key = [Identity::generate().unwrap()];
    let plain = plain(2 * CHUNK);
    let sealed = seal(&plain, &[key[0].recipient()]);
    let header = sealed.len() - 2 * (CHUNK + 16) - 16;
    for at in [
        0,
        25,
        40,
        90,
        header - 5,
        header,
        header + 20,
        CHUNK,
        sealed.len() - 1,
    ] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&changed, &key).is_err(), "byte {at}");
    }
    // At the border of a chunk and within one, and with something behind it.
    for cut in [
        sealed.len() - 1,
        sealed.len() - CHUNK - 16,
        header + 16,
        header + 3,
        30,
        0,
    ] {
        assert!(open(&sealed[..cut], &key).is_err(), "cut to {cut}");
    }
    let mut longer = sealed;
    longer.push(0);
    assert_eq!(why(&longer, &key), OpenError::Damaged);
}

#[test]
fn the_wrong_key_is_named_as_such() {
    let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let sealed = seal(b"x", &[one.recipient()]);
    assert_eq!(why(&sealed, &[two]), OpenError::WrongKey);
    assert_eq!(why(b"PGDMP and more", &[one]), OpenError::NotAge);
}

#[test]
fn keys_are_read_as_they_are_written_and_never_printed() {
    let key = Identity::generate().unwrap();
    let again: Identity = key.expose().parse().unwrap();
    assert_eq!(again.recipient(), key.recipient());
    let text = key.recipient().to_string();
    assert_eq!(text.parse::<Recipient>().unwrap(), key.recipient());
    assert_eq!(format!("{key:?}"), "<secret>");
    assert_eq!(
        key.expose().parse::<Recipient>(),
        Err(KeyError::SecretAsRecipient)
    );
    let mut wrong = text;
    wrong.pop();
    for text in ["", "age1", &wrong, "ssh-ed25519 AAAA"] {
        assert_eq!(text.parse::<Recipient>(), Err(KeyError::Recipient));
    }
    assert_eq!(Identity::file("# none\n").unwrap_err(), KeyError::Identity);
    assert_eq!(
        Identity::file(&format!("# one\n\n{}\n", key.expose()))
            .unwrap()
            .len(),
        1
    );
}
