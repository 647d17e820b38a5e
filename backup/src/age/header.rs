//! The header: the file key, wrapped for each recipient, and a seal over all of it.

use std::io::{self, BufRead};

use data_encoding::BASE64_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{FILE_KEY, Identity, OpenError, Recipient, derive};

const VERSION: &str = "age-encryption.org/v1";
const STANZA: &str = "X25519";
const WRAP: &[u8] = b"age-encryption.org/v1/X25519";
/// A header that is longer belongs to no file of ours.
const LONGEST: usize = 64 << 10;
/// The wrapped file key: itself and its seal.
const WRAPPED: usize = FILE_KEY + 16;

/// Writes the header for these recipients.
pub(super) fn write(
    file_key: &[u8; FILE_KEY],
    recipients: &[Recipient],
) -> Result<Vec<u8>, getrandom::Error> {
    let mut text = format!("{VERSION}\n");
    for recipient in recipients {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let secret = StaticSecret::from(secret);
        let share = PublicKey::from(&secret);
        let shared = secret.diffie_hellman(&recipient.0);
        let key = wrap_key(shared.as_bytes(), &share, &recipient.0);
        let mut body = file_key.to_vec();
        // It refuses only what is longer than memory.
        let _ = key.seal_in_place_append_tag(zero(), Aad::empty(), &mut body);
        text.push_str(&format!(
            "-> {STANZA} {}\n{}\n",
            BASE64_NOPAD.encode(share.as_bytes()),
            BASE64_NOPAD.encode(&body)
        ));
    }
    text.push_str("---");
    let seal = hmac::sign(&mac_key(file_key), text.as_bytes());
    text.push_str(&format!(" {}\n", BASE64_NOPAD.encode(seal.as_ref())));
    Ok(text.into_bytes())
}

/// Reads the header and finds the file key with one of these identities.
pub(super) fn read(
    input: &mut impl BufRead,
    identities: &[Identity],
) -> io::Result<Result<[u8; FILE_KEY], OpenError>> {
    let mut text = String::new();
    let mut found = None;
    let mut first = true;
    loop {
        let Some(line) = line(input, LONGEST - text.len().min(LONGEST))? else {
            return Ok(Err(OpenError::NotAge));
        };
        if std::mem::take(&mut first) {
            if line != VERSION {
                return Ok(Err(OpenError::NotAge));
            }
        } else if let Some(seal) = line.strip_prefix("--- ") {
            text.push_str("---");
            let Some(file_key) = found else {
                return Ok(Err(OpenError::WrongKey));
            };
            let seal = BASE64_NOPAD.decode(seal.as_bytes()).unwrap_or_default();
            let sound = hmac::verify(&mac_key(&file_key), text.as_bytes(), &seal);
            return Ok(sound.map(|()| file_key).map_err(|_| OpenError::Damaged));
        } else if let Some(share) = line.strip_prefix("-> X25519 ") {
            let share = decode::<32>(share);
            text.push_str(&line);
            text.push('\n');
            let Some(body) = self::line(input, WRAPPED * 2)? else {
                return Ok(Err(OpenError::NotAge));
            };
            if found.is_none()
                && let (Some(share), Some(wrapped)) = (share, decode::<WRAPPED>(&body))
            {
                found = identities
                    .iter()
                    .find_map(|identity| unwrap(&wrapped, share, identity));
            }
            text.push_str(&body);
            text.push('\n');
            continue;
        }
        // Of other kinds of recipients, and the bodies of their stanzas.
        text.push_str(&line);
        text.push('\n');
    }
}

fn unwrap(wrapped: &[u8; WRAPPED], share: [u8; 32], identity: &Identity) -> Option<[u8; FILE_KEY]> {
    let share = PublicKey::from(share);
    let shared = identity.0.diffie_hellman(&share);
    // A share of low order would give everybody the same key.
    if !shared.was_contributory() {
        return None;
    }
    let key = wrap_key(shared.as_bytes(), &share, &identity.recipient().0);
    let mut body = *wrapped;
    let opened = key.open_in_place(zero(), Aad::empty(), &mut body).ok()?;
    (&*opened).try_into().ok()
}

fn wrap_key(shared: &[u8; 32], share: &PublicKey, recipient: &PublicKey) -> LessSafeKey {
    let salt = [*share.as_bytes(), *recipient.as_bytes()].concat();
    cipher(&derive(shared, &salt, WRAP))
}

fn mac_key(file_key: &[u8; FILE_KEY]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(file_key, &[], b"header"))
}

/// ChaCha20-Poly1305 with this key.
#[expect(
    clippy::expect_used,
    reason = "32 bytes are what the cipher takes; nothing else makes it refuse"
)]
pub(super) fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("32 bytes are a key"))
}

fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// A line without its end; nothing when it is longer than this, or none.
fn line(input: &mut impl BufRead, longest: usize) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    io::Read::take(&mut *input, longest as u64 + 1).read_until(b'\n', &mut line)?;
    Ok(match line.pop() {
        Some(b'\n') => String::from_utf8(line).ok(),
        _ => None,
    })
}
