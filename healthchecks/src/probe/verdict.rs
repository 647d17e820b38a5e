//! Looks at a site from inside and from outside, and what they come to: who is to blame.

use serde::Serialize;

use super::Reason;

/// The verdict on a site that is looked at from inside and from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Visitors see it.
    Ok,
    /// The application itself does not answer well.
    Application,
    /// The application does, and what is before it does not.
    Proxy,
    /// The name does not lead there.
    Dns,
    /// The certificate is not trusted.
    Certificate,
    /// Nothing of the host answers.
    Host,
    /// Not enough is known.
    Unknown,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Application,
        Self::Proxy,
        Self::Dns,
        Self::Certificate,
        Self::Host,
        Self::Unknown,
    ];

    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Application => "application",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Certificate => "certificate",
            Self::Host => "host",
            Self::Unknown => "unknown",
        }
    }
}

/// What the looks come to: from inside, from outside, and at the name. Each is nothing while unknown, else the reason of its failure, if any.
pub(super) fn verdict(inside: Look, outside: Look, dns: Look) -> Verdict {
    // Who could not look for a fault of our own has seen nothing.
    let [inside, outside, dns] =
        [inside, outside, dns].map(|look| look.filter(|reason| *reason != Some(Reason::Internal)));
    let Some(outside) = outside else {
        return Verdict::Unknown;
    };
    let Some(reason) = outside else {
        return Verdict::Ok;
    };
    let word = reason.as_str();
    let inside_fails = matches!(inside, Some(Some(_)));
    // A name that leads elsewhere shows whatever stands there.
    if word.starts_with("dns_") || matches!(dns, Some(Some(_))) {
        return Verdict::Dns;
    }
    if matches!(
        reason,
        Reason::TlsExpired
            | Reason::TlsNotYetValid
            | Reason::TlsSelfSigned
            | Reason::TlsUnknownAuthority
            | Reason::TlsWrongName
            | Reason::TlsRevoked
            | Reason::TlsNotReloaded
    ) {
        return Verdict::Certificate;
    }
    match inside {
        None => Verdict::Unknown,
        // Nobody there takes a connection at all, neither here nor there.
        Some(Some(Reason::Unreachable | Reason::ConnectTimeout))
            if matches!(reason, Reason::Unreachable | Reason::ConnectTimeout) =>
        {
            Verdict::Host
        }
        _ if inside_fails => Verdict::Application,
        Some(_) if matches!(reason, Reason::Unreachable | Reason::ConnectTimeout) => Verdict::Host,
        Some(_) => Verdict::Proxy,
    }
}

/// Nothing while it is unknown, else why it failed, if it did.
pub(super) type Look = Option<Option<Reason>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_looks_make_one_verdict() {
        let (good, unknown) = (Some(None), None);
        let bad = |reason| Some(Some(reason));
        for (inside, outside, expected) in [
            (good, good, Verdict::Ok),
            (bad(Reason::Refused), good, Verdict::Ok),
            (unknown, good, Verdict::Ok),
            (good, unknown, Verdict::Unknown),
            (unknown, bad(Reason::Status), Verdict::Unknown),
            (
                bad(Reason::Refused),
                bad(Reason::Status),
                Verdict::Application,
            ),
            (bad(Reason::Json), bad(Reason::Json), Verdict::Application),
            (good, bad(Reason::Status), Verdict::Proxy),
            (good, bad(Reason::Refused), Verdict::Proxy),
            (good, bad(Reason::ConnectTimeout), Verdict::Host),
            (
                bad(Reason::ConnectTimeout),
                bad(Reason::Unreachable),
                Verdict::Host,
            ),
            (good, bad(Reason::DnsNxdomain), Verdict::Dns),
            (bad(Reason::Refused), bad(Reason::DnsTimeout), Verdict::Dns),
            (good, bad(Reason::TlsExpired), Verdict::Certificate),
            (good, bad(Reason::TlsTimeout), Verdict::Proxy),
        ] {
            let told = verdict(inside, outside, None);
            assert_eq!(told, expected, "{inside:?} {outside:?}");
        }
        for (outside, dns, expected) in [
            (good, bad(Reason::DnsDisagree), Verdict::Ok),
            (bad(Reason::Status), bad(Reason::DnsWrong), Verdict::Dns),
            (
                bad(Reason::TlsWrongName),
                bad(Reason::DnsElsewhere),
                Verdict::Dns,
            ),
            (bad(Reason::Status), good, Verdict::Proxy),
            (bad(Reason::TlsNotReloaded), good, Verdict::Certificate),
        ] {
            let told = verdict(good, outside, dns);
            assert_eq!(told, expected, "{outside:?} {dns:?}");
        }
    }

    #[test]
    fn of_every_reason_the_verdict_is_stated() {
        use Reason as Is;
        let stated: [(&[Reason], Verdict, Verdict); 4] = [
            (
                &[
                    Is::DnsNxdomain,
                    Is::DnsNoAddress,
                    Is::DnsServfail,
                    Is::DnsRefused,
                    Is::DnsTimeout,
                    Is::DnsError,
                    Is::DnsWrong,
                    Is::DnsDisagree,
                    Is::DnsElsewhere,
                ],
                Verdict::Dns,
                Verdict::Dns,
            ),
            (
                &[
                    Is::TlsExpired,
                    Is::TlsNotYetValid,
                    Is::TlsSelfSigned,
                    Is::TlsUnknownAuthority,
                    Is::TlsWrongName,
                    Is::TlsRevoked,
                    Is::TlsNotReloaded,
                ],
                Verdict::Certificate,
                Verdict::Certificate,
            ),
            (
                &[Is::Unreachable, Is::ConnectTimeout],
                Verdict::Host,
                Verdict::Application,
            ),
            (&[Is::Internal], Verdict::Unknown, Verdict::Unknown),
        ];
        for reason in Reason::ALL {
            let of = stated.iter().find(|(reasons, ..)| reasons.contains(reason));
            let (well, ill) = of.map_or((Verdict::Proxy, Verdict::Application), |of| (of.1, of.2));
            let outside = Some(Some(*reason));
            assert_eq!(verdict(Some(None), outside, None), well, "{reason}");
            let inside = Some(Some(Is::Status));
            assert_eq!(verdict(inside, outside, None), ill, "{reason}");
        }
        let own = Some(Some(Is::Internal));
        let outside = Some(Some(Is::Status));
        assert_eq!(verdict(own, outside, None), Verdict::Unknown);
        assert_eq!(verdict(Some(None), outside, own), Verdict::Proxy);
    }
}
