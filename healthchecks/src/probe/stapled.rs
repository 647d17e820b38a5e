//! What a server staples to its certificate: the word of its authority (OCSP) whether
//! it was revoked.
//!
//! Only a revocation counts. Whether the authority signed it is not looked at: a server
//! that showed a false one would harm none but itself.

use super::certificate::{Certificate, Der, digits};

/// The kind of answer that everybody gives.
const BASIC: [u8; 9] = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

/// Whether an answer says that a certificate was revoked.
pub(super) fn revokes(answer: &[u8], certificate: &[u8]) -> bool {
    !answer.is_empty()
        && Certificate::read(certificate)
            .is_some_and(|certificate| says_revoked(answer, &certificate.serial) == Some(true))
}

/// Whether the bytes are an answer about the certificate 5, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) -> bool {
    says_revoked(bytes, "5").is_some()
}

fn says_revoked(answer: &[u8], serial: &str) -> Option<bool> {
    let mut answer = Der(answer).sequence()?;
    // Anything else says that there is no answer.
    answer.next().filter(|status| *status == (0x0a, &[0][..]))?;
    let mut typed = Der(tagged(0xa0, &mut answer)?).sequence()?;
    if tagged(6, &mut typed)? != BASIC {
        return None;
    }
    let mut data = Der(tagged(4, &mut typed)?).sequence()?.sequence()?;
    // Its version, who answers, and when come first.
    let mut all = loop {
        if let (0x30, all) = data.next()? {
            break Der(all);
        }
    };
    while let Some(mut one) = all.sequence() {
        // How and of whom it is told: an algorithm, and the authority by two hashes.
        let mut whose = one.sequence()?;
        for tag in [0x30, 4, 4] {
            tagged(tag, &mut whose)?;
        }
        let number = tagged(2, &mut whose)?;
        let (status, _) = one.next()?;
        if digits(number) == serial {
            return Some(status == 0xa1);
        }
    }
    None
}

/// What comes next, if it has this tag.
fn tagged<'a>(wanted: u8, of: &mut Der<'a>) -> Option<&'a [u8]> {
    of.next()
        .filter(|(tag, _)| *tag == wanted)
        .map(|(_, content)| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length], content.as_slice()].concat()
    }

    /// An answer about the certificate 5, with one status or another.
    fn answer(outcome: u8, status: &[u8]) -> Vec<u8> {
        let hash = der(4, &[b"h"]);
        let whose = der(0x30, &[&der(0x30, &[]), &hash, &hash, &der(2, &[&[5]])]);
        let one = der(0x30, &[&whose, status]);
        let said = der(
            0x30,
            &[&der(0xa2, &[]), &der(0x18, &[b"x"]), &der(0x30, &[&one])],
        );
        let basic = der(0x30, &[&said]);
        let typed = der(0x30, &[&der(6, &[&BASIC]), &der(4, &[&basic])]);
        der(0x30, &[&der(0x0a, &[&[outcome]]), &der(0xa0, &[&typed])])
    }

    #[test]
    fn only_an_answer_about_the_certificate_revokes_it() {
        let (good, revoked, unknown) = ([0x80, 0], der(0xa1, &[]), [0x82, 0]);
        for (answer, serial, expected) in [
            (answer(0, &revoked), "5", Some(true)),
            (answer(0, &good), "5", Some(false)),
            (answer(0, &unknown), "5", Some(false)),
            (answer(0, &revoked), "6", None),
            (answer(3, &revoked), "5", None),
            (Vec::new(), "5", None),
            (b"no DER".to_vec(), "5", None),
        ] {
            assert_eq!(says_revoked(&answer, serial), expected, "{answer:x?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..60_usize, byte in proptest::prelude::any::<u8>()) {
            let mut answer = answer(0, &[0xa1, 0]);
            let at = at % answer.len();
            answer[at] = byte;
            let _ = says_revoked(&answer, "5");
            let _ = says_revoked(&answer[..at], "5");
        }
    }
}
