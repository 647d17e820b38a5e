//! The prober `domain`: what a name leads to, by the word of several name
//! servers, against what is expected and against this host's own addresses.

mod own;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::module::Domain;
use super::reason::{Failure, Reason, Step};
use super::resolve;
use super::samples::Samples;

/// More name servers are not asked.
const MOST: usize = 8;

/// What one name server says.
type Said = (String, Step<BTreeSet<IpAddr>>);

/// Asks all name servers for the addresses of `target`.
pub(super) async fn probe(
    target: &str,
    domain: &Domain,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    let servers = if domain.resolvers.is_empty() {
        resolve::system()
    } else {
        let servers = domain.resolvers.iter().map(|text| server(text));
        servers.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Failure::new(Reason::Internal, "resolvers are addresses of name servers")
        })?
    };
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for server in servers.into_iter().take(MOST) {
        let name = target.trim_end_matches('.').to_ascii_lowercase();
        asking.spawn(async move {
            let found = resolve::ask_one(server, &name, deadline).await;
            (server.to_string(), found.map(BTreeSet::from_iter))
        });
    }
    let mut said: Vec<Said> = asking.join_all().await;
    said.sort_by(|one, other| one.0.cmp(&other.0));
    samples.phase(
        "belfry_probe_steps_seconds",
        "ask",
        began.elapsed().as_secs_f64(),
    );
    for (server, found) in &said {
        let labels = [("resolver", server.as_str())];
        let up = found.as_ref().err().is_none_or(says_no);
        samples.label(
            "belfry_probe_domain_resolver_up",
            &labels,
            f64::from(u8::from(up)),
        );
        let count = found.as_ref().map_or(0, BTreeSet::len);
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        samples.label("belfry_probe_domain_addresses", &labels, count as f64);
    }
    let here = match (domain.here, domain.addresses.is_empty()) {
        (false, _) => None,
        (true, false) => Some(parsed(&domain.addresses)?),
        (true, true) => Some(own::addresses()),
    };
    judge(
        &said,
        &parsed(&domain.expect)?,
        here.as_ref(),
        domain.agree,
        samples,
    )
}

/// Whether a failure is an answer: there is no such thing.
fn says_no(failure: &Failure) -> bool {
    matches!(failure.reason, Reason::DnsNxdomain | Reason::DnsNoAddress)
}

fn parsed(texts: &[String]) -> Step<BTreeSet<IpAddr>> {
    let parsed: Result<_, _> = texts.iter().map(|text| text.trim().parse()).collect();
    parsed.map_err(|_| Failure::new(Reason::Internal, "expect and addresses are addresses of IP"))
}

/// A name server with its port.
pub(super) fn server(text: &str) -> Option<SocketAddr> {
    let bare = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    bare.map(|address| SocketAddr::new(address, 53))
        .or_else(|| text.parse().ok())
}

fn judge(
    said: &[Said],
    expect: &BTreeSet<IpAddr>,
    here: Option<&BTreeSet<IpAddr>>,
    agree: bool,
    samples: &mut Samples,
) -> Step<()> {
    // One that cannot answer says nothing of the name; that all say so does.
    let answers: Vec<_> = said
        .iter()
        .filter(|(_, found)| found.as_ref().err().is_none_or(says_no))
        .collect();
    let Some((first, others)) = answers.split_first() else {
        let failure = said.iter().find_map(|(_, found)| found.as_ref().err());
        return Err(failure
            .cloned()
            .unwrap_or_else(|| Failure::new(Reason::DnsError, "no name server is configured")));
    };
    let addresses = |said: &Said| said.1.clone().unwrap_or_default();
    let other = others.iter().find(|one| addresses(one) != addresses(first));
    samples.flag("belfry_probe_domain_agree", other.is_none());
    if let Some(other) = other.filter(|_| agree) {
        return Err(Failure::new(
            Reason::DnsDisagree,
            format!(
                "{} says {}, and {} says {}",
                first.0,
                words(&first.1),
                other.0,
                words(&other.1)
            ),
        ));
    }
    for one in &answers {
        let found = one.1.as_ref().map_err(Clone::clone)?;
        if !expect.is_empty() && found != expect {
            return Err(Failure::new(
                Reason::DnsWrong,
                format!("{} says {}", one.0, words(&one.1)),
            ));
        }
        if let Some(here) = here {
            let away = found.iter().find(|address| !here.contains(address));
            samples.flag("belfry_probe_domain_here", away.is_none());
            if let Some(away) = away {
                return Err(Failure::new(
                    Reason::DnsElsewhere,
                    format!("{} says {away}, which is not this host", one.0),
                ));
            }
        }
    }
    Ok(())
}

fn words(found: &Step<BTreeSet<IpAddr>>) -> String {
    match found {
        Ok(found) => {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            found.join(", ")
        }
        Err(failure) => failure.reason.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> Step<BTreeSet<IpAddr>> {
        let no = |reason| Err(Failure::new(reason, ""));
        match text {
            "nxdomain" => no(Reason::DnsNxdomain),
            "none" => no(Reason::DnsNoAddress),
            "silent" => no(Reason::DnsTimeout),
            "broken" => no(Reason::DnsServfail),
            text => parsed(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()),
        }
    }

    #[test]
    fn what_two_name_servers_say_has_one_reason() {
        let one = "192.0.2.1";
        for (first, second, expect, here, agree, expected) in [
            (one, one, "", "", true, None),
            (one, one, one, one, true, None),
            (one, "192.0.2.2", "", "", true, Some(Reason::DnsDisagree)),
            (one, "192.0.2.2", "", "", false, None),
            (one, "192.0.2.2", one, "", false, Some(Reason::DnsWrong)),
            (one, "nxdomain", "", "", true, Some(Reason::DnsDisagree)),
            (one, "nxdomain", "", "", false, Some(Reason::DnsNxdomain)),
            (
                "nxdomain",
                "nxdomain",
                "",
                "",
                true,
                Some(Reason::DnsNxdomain),
            ),
            ("none", "none", "", "", true, Some(Reason::DnsNoAddress)),
            (one, "silent", one, "", true, None),
            ("broken", one, one, "", true, None),
            ("broken", "silent", "", "", true, Some(Reason::DnsServfail)),
            (
                one,
                one,
                "192.0.2.1 192.0.2.2",
                "",
                true,
                Some(Reason::DnsWrong),
            ),
            (one, one, "", "192.0.2.9", true, Some(Reason::DnsElsewhere)),
            (
                "192.0.2.1 2001:db8::1",
                "2001:db8::1 192.0.2.1",
                "",
                "192.0.2.1 2001:db8::1",
                true,
                None,
            ),
        ] {
            let said = [
                ("a".to_owned(), says(first)),
                ("b".to_owned(), says(second)),
            ];
            let set = |text: &str| (!text.is_empty()).then(|| says(text).unwrap());
            let told = judge(
                &said,
                &set(expect).unwrap_or_default(),
                set(here).as_ref(),
                agree,
                &mut Samples::default(),
            );
            let told = told.err().map(|failure| failure.reason);
            assert_eq!(told, expected, "{first} {second} {expect} {here} {agree}");
        }
    }

    #[test]
    fn name_servers_are_addresses_with_or_without_a_port() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1:53")),
            ("192.0.2.1:5353", Some("192.0.2.1:5353")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
            ("dns.example", None),
            ("", None),
        ] {
            let told = server(text).map(|server| server.to_string());
            assert_eq!(told.as_deref(), expected, "{text}");
        }
    }
}
