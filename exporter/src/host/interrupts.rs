//! `/proc/interrupts`: how often each interrupt came, by processor.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

/// The most series: with many processors, what never came is left out, and then
/// whatever is too much.
const MOST: usize = 4000;

struct Line<'a> {
    name: &'a str,
    counts: Vec<f64>,
    info: String,
    devices: String,
}

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    encode(&files.proc("interrupts")?, page)
}

fn encode(text: &str, page: &mut Writer) -> Result<(), Failure> {
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default().split_ascii_whitespace();
    let cpus: Vec<&str> = head.filter_map(|word| word.strip_prefix("CPU")).collect();
    if cpus.is_empty() {
        return Err(Failure::Malformed("/proc/interrupts"));
    }
    let line = |text| line(text, cpus.len());
    let mut found: Vec<Line<'_>> = lines.filter_map(line).collect();
    if found.len() * cpus.len() > MOST {
        found.retain(|line| line.counts.iter().any(|count| *count > 0.0));
    }
    page.family(
        "node_interrupts_total",
        "Times that an interrupt came to a processor.",
        Kind::Counter,
    );
    for line in found.iter().take(MOST / cpus.len()) {
        for (cpu, count) in cpus.iter().zip(&line.counts) {
            let labels = [
                ("cpu", *cpu),
                ("devices", &line.devices),
                ("info", &line.info),
                ("type", line.name),
            ];
            page.sample(&labels, *count);
        }
    }
    Ok(())
}

/// Lines such as ` 16:  1  2  IO-APIC  16-fasteoi  ehci_hcd`; those that have no
/// count for each processor, or nothing behind them, are sums.
fn line(text: &str, cpus: usize) -> Option<Line<'_>> {
    let mut words = text.split_ascii_whitespace();
    let name = words.next()?.strip_suffix(':')?;
    let mut counts = Vec::with_capacity(cpus);
    for _ in 0..cpus {
        counts.push(words.next()?.parse().ok()?);
    }
    let mut rest: Vec<&str> = words.collect();
    if rest.is_empty() {
        return None;
    }
    let (info, devices) = if name.parse::<u32>().is_ok() {
        let devices = rest.split_off(1);
        (rest.concat(), devices.join(" "))
    } else {
        (rest.join(" "), String::new())
    };
    Some(Line {
        name,
        counts,
        info,
        devices,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_ones_have_devices_and_named_ones_a_text() {
        let text = "      CPU0   CPU2\n  0:  46  1  IO-APIC  2-edge  timer\nNMI:  0  3  Non-maskable interrupts\n\
                    ERR:  5\n 9: x 1 IO-APIC\nodd\n";
        let mut page = Writer::new();
        encode(text, &mut page).unwrap();
        let page = page.finish();
        for line in [
            "node_interrupts_total{cpu=\"2\",devices=\"2-edge timer\",info=\"IO-APIC\",type=\"0\"} 1\n",
            "node_interrupts_total{cpu=\"2\",info=\"Non-maskable interrupts\",type=\"NMI\"} 3\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
        assert_eq!(page.matches("\nnode_interrupts_total{").count(), 4);
        assert!(encode("", &mut Writer::new()).is_err());
    }

    #[test]
    fn many_processors_do_not_make_pages_without_end() {
        let cpus: String = (0..512).map(|at| format!(" CPU{at}")).collect();
        let zeros = " 0".repeat(512);
        let ones = " 1".repeat(512);
        let mut text = cpus + "\n";
        for at in 0..500 {
            let counts = if at % 50 == 0 { &ones } else { &zeros };
            text.push_str(&format!("{at}:{counts} chip dev\n"));
        }
        let mut page = Writer::new();
        encode(&text, &mut page).unwrap();
        let series = page.finish().matches("\nnode_interrupts_total{").count();
        assert_eq!(series, 512 * 7);
    }
}
