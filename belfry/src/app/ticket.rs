//! Tickets: what a link in a mail carries, so that whoever has the mail, and
//! nobody else, can take its incident on without a login.
//!
//! A ticket names one incident and is good for nothing else. It is good as long
//! as something of the incident fires; the alerter knows that.

use std::sync::Arc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::hmac;

use crate::state::Key;

/// What is signed besides the incident, so that no other signature will do.
const PURPOSE: &[u8] = b"belfry acknowledge 1:";

/// The same of a mail's name.
const MAIL: &[u8] = b"belfry mail 1:";

/// Bytes of a mail's mark; a guess is right once in 2^64.
const MARK: usize = 8;

/// Bytes of an incident's name.
const NAME: usize = 8;

/// Bytes of the signature that are kept; a guess is right once in 2^128.
const SIGNATURE: usize = 16;

/// Makes tickets, and knows its own.
pub(crate) struct Tickets(hmac::Key);

impl Tickets {
    /// Below which tickets are shown.
    const PATH: &str = "/ack/mail/";

    pub(crate) fn new(key: &Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The ticket of an incident; none if that is no incident's name.
    fn issue(&self, incident: &str) -> Option<String> {
        let name = u64::from_str_radix(incident, 16).ok()?.to_be_bytes();
        let signature = self.sign(&name);
        let mut ticket = name.to_vec();
        ticket.extend_from_slice(&signature.as_ref()[..SIGNATURE]);
        Some(BASE64URL_NOPAD.encode(&ticket))
    }

    /// The links of messages, below the address where people reach this program: for
    /// mails of ours and for templates alike.
    pub(crate) fn links(self: &Arc<Self>) -> alerter::AckLink {
        let tickets = Arc::clone(self);
        Arc::new(move |incident| Some(format!("{}{}", Self::PATH, tickets.issue(incident)?)))
    }

    /// The incident of a ticket of ours.
    pub(crate) fn incident(&self, ticket: &str) -> Option<String> {
        let bytes = BASE64URL_NOPAD.decode(ticket.as_bytes()).ok()?;
        let name: [u8; NAME] = bytes.get(..NAME)?.try_into().ok()?;
        let given = &bytes[NAME..];
        let signature = self.sign(&name);
        let right = &signature.as_ref()[..SIGNATURE];
        // Every byte is looked at, so that the time taken tells nothing.
        let differs = right.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
        let ours = given.len() == SIGNATURE && std::hint::black_box(differs) == 0;
        ours.then(|| format!("{:016x}", u64::from_be_bytes(name)))
    }

    /// What makes a mail's name one that only we can know; the same for the same name.
    pub(crate) fn mark(&self, name: &str) -> String {
        let signature = hmac::sign(&self.0, &[MAIL, name.as_bytes()].concat());
        HEXLOWER.encode(&signature.as_ref()[..MARK])
    }

    fn sign(&self, name: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, &[PURPOSE, name].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_for_the_same_mail_and_from_us_alone() {
        let tickets = Tickets::new(&[7; 32]);
        let mark = tickets.mark("digest.1");
        assert_eq!((mark.len(), &mark), (16, &tickets.mark("digest.1")));
        assert_ne!(mark, tickets.mark("digest.2"));
        assert_ne!(mark, Tickets::new(&[8; 32]).mark("digest.1"));
    }

    #[test]
    fn a_ticket_is_good_for_its_incident_and_only_from_us() {
        let tickets = Tickets::new(&[7; 32]);
        let ticket = tickets.issue("00f3c0ffee123456").unwrap();
        assert_eq!(ticket.len(), 32);
        assert_eq!(
            tickets.incident(&ticket).as_deref(),
            Some("00f3c0ffee123456")
        );
        assert_eq!(Tickets::new(&[8; 32]).incident(&ticket), None);
        let other = tickets.issue("00f3c0ffee123457").unwrap();
        let mixed = format!("{}{}", &other[..11], &ticket[11..]);
        let forged = [
            &*mixed,
            &ticket[..31],
            &ticket[..11],
            "",
            "ä",
            "../..",
            &format!("{ticket}AAAA"),
        ];
        for forged in forged {
            assert_eq!(tickets.incident(forged), None, "{forged}");
        }
        for at in 0..ticket.len() - 1 {
            let mut changed = ticket.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(tickets.incident(&changed), None, "{at}");
        }
        assert_eq!(tickets.issue("no incident"), None);
    }
}
