//! The prober `dns`: a question to a DNS server, and what its answer must be.

use tokio::time::Instant;

use super::message::{self, Message, Record};
use super::module::{Dns, Records};
use super::reason::{Failure, Reason, Step};
use super::resolve::{exchange_stream, exchange_udp};
use super::samples::Samples;
use super::stream::{Stream, Wanted, addresses, connect, host_and_port};
use super::tls;

const PHASES: &str = "probe_dns_duration_seconds";

/// Asks the server `target` and looks at the answer.
pub(super) async fn probe(
    target: &str,
    dns: &Dns,
    deadline: Instant,
    samples: &mut Samples,
) -> Step<()> {
    for name in [
        "probe_dns_query_succeeded",
        "probe_dns_answer_rrs",
        "probe_dns_authority_rrs",
        "probe_dns_additional_rrs",
    ] {
        samples.set(name, 0.0);
    }
    for phase in ["resolve", "connect", "request"] {
        samples.phase(PHASES, phase, 0.0);
    }
    let kind = message::kind(&dns.query_type)
        .ok_or_else(|| Failure::new(Reason::Internal, "query_type is none"))?;
    let class = message::class(&dns.query_class)
        .ok_or_else(|| Failure::new(Reason::Internal, "query_class is none"))?;
    let (host, port) = host_and_port(target, Some(if dns.dns_over_tls { 853 } else { 53 }))?;
    let began = Instant::now();
    let wanted = Wanted {
        first: dns.preferred_ip_protocol,
        fallback: dns.ip_protocol_fallback,
    };
    let addresses = addresses(&host, wanted, deadline, samples).await?;
    samples.phase(PHASES, "resolve", began.elapsed().as_secs_f64());

    let began = Instant::now();
    let name = &*dns.query_name;
    let answer = if dns.dns_over_tls || dns.transport_protocol == "tcp" {
        let mut stream: Stream =
            connect(&addresses, port, dns.source_ip_address.0, deadline, samples).await?;
        if dns.dns_over_tls {
            (stream, _) =
                tls::secure(stream, &host, &dns.tls_config, &[], deadline, samples).await?;
        }
        samples.phase(PHASES, "connect", began.elapsed().as_secs_f64());
        exchange_stream(stream, name, kind, class, dns.recursion_desired, deadline).await?
    } else {
        let mut answer = Err(Failure::new(Reason::NoReply, "no address"));
        for (at, address) in addresses.iter().enumerate() {
            super::stream::used(*address, samples);
            let parts = u32::try_from(addresses.len() - at).unwrap_or(1);
            let now = Instant::now();
            let until = if parts > 1 {
                now + deadline.saturating_duration_since(now) / (parts + 1)
            } else {
                deadline
            };
            answer = exchange_udp(
                (*address, port).into(),
                dns.source_ip_address.0,
                name,
                kind,
                class,
                dns.recursion_desired,
                until,
            )
            .await;
            if answer.is_ok() {
                break;
            }
        }
        answer?
    };
    samples.phase(PHASES, "request", began.elapsed().as_secs_f64());
    judge(dns, &answer, samples)
}

/// Whether an answer is as wanted.
fn judge(dns: &Dns, answer: &Message, samples: &mut Samples) -> Step<()> {
    samples.set("probe_dns_query_succeeded", 1.0);
    for (name, records) in [
        ("probe_dns_answer_rrs", &answer.answer),
        ("probe_dns_authority_rrs", &answer.authority),
        ("probe_dns_additional_rrs", &answer.additional),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "at most 65535")]
        samples.set(name, records.len() as f64);
    }
    if dns.query_type.eq_ignore_ascii_case("SOA") {
        let serial = answer.answer.iter().find_map(|record| record.serial);
        samples.set("probe_dns_serial", serial.map_or(0.0, f64::from));
    }
    let rcode = message::rcode_name(answer.rcode);
    let good = if dns.valid_rcodes.is_empty() {
        answer.rcode == 0
    } else {
        dns.valid_rcodes.contains(&rcode)
    };
    if !good {
        return Err(Failure::new(
            Reason::Rcode,
            format!("the answer is {rcode}"),
        ));
    }
    for (what, rules, records) in [
        ("answer", &dns.validate_answer_rrs, &answer.answer),
        ("authority", &dns.validate_authority_rrs, &answer.authority),
        (
            "additional",
            &dns.validate_additional_rrs,
            &answer.additional,
        ),
    ] {
        if let Some(why) = violated(rules, records) {
            return Err(Failure::new(Reason::Answer, format!("{what}: {why}")));
        }
    }
    expected(&dns.expect, dns, answer)
}

/// Which rule the records of a section break.
fn violated(rules: &Records, records: &[Record]) -> Option<String> {
    let lines: Vec<_> = records.iter().map(Record::line).collect();
    let matches = |pattern: &super::pattern::Pattern, line: &String| {
        pattern.regex().is_match(line.as_bytes())
    };
    for line in &lines {
        if rules
            .fail_if_matches_regexp
            .iter()
            .any(|pattern| matches(pattern, line))
        {
            return Some(format!("{line:?} matches"));
        }
        if rules
            .fail_if_not_matches_regexp
            .iter()
            .any(|pattern| !matches(pattern, line))
        {
            return Some(format!("{line:?} does not match"));
        }
    }
    let all = |pattern: &super::pattern::Pattern| lines.iter().all(|line| matches(pattern, line));
    if !lines.is_empty() && rules.fail_if_all_match_regexp.iter().any(all) {
        return Some("all records match".to_owned());
    }
    let none = |pattern: &super::pattern::Pattern| !lines.iter().any(|line| matches(pattern, line));
    rules
        .fail_if_none_matches_regexp
        .iter()
        .any(none)
        .then(|| "no record matches".to_owned())
}

/// Whether the records of the type that was asked for are just those.
fn expected(wanted: &[String], dns: &Dns, answer: &Message) -> Step<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let kind = message::kind(&dns.query_type);
    let bare = |text: &str| {
        text.trim_matches('"')
            .trim_end_matches('.')
            .to_ascii_lowercase()
    };
    let records = answer
        .answer
        .iter()
        .filter(|record| Some(record.kind) == kind);
    let mut found: Vec<_> = records.map(|record| bare(&record.data)).collect();
    let mut wanted: Vec<_> = wanted.iter().map(|text| bare(text)).collect();
    found.sort();
    wanted.sort();
    if found == wanted {
        return Ok(());
    }
    let found = if found.is_empty() {
        "nothing".to_owned()
    } else {
        found.join(", ")
    };
    Err(Failure::new(
        Reason::Answer,
        format!("the answer is {found}"),
    ))
}
