//! `/proc/meminfo` and `/proc/vmstat`.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

pub(super) fn meminfo(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    if encode_meminfo(&files.proc("meminfo")?, page) == 0 {
        return Err(Failure::Malformed("/proc/meminfo"));
    }
    Ok(())
}

/// Writes a family for each line and returns how many there were.
fn encode_meminfo(text: &str, page: &mut Writer) -> usize {
    let mut families = 0;
    for line in text.lines() {
        let Some((field, rest)) = line.split_once(':') else {
            continue;
        };
        let mut words = rest.split_ascii_whitespace();
        let Some(value) = words.next().and_then(|word| word.parse::<f64>().ok()) else {
            continue;
        };
        let mut name = String::with_capacity(48);
        name.push_str("node_memory_");
        // Active(anon) is Active_anon.
        for letter in field.trim_end_matches(')').chars() {
            name.push(if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            });
        }
        let scale = match words.next() {
            Some("kB") => 1024.0,
            Some(_) => continue,
            None => 1.0,
        };
        if scale > 1.0 {
            name.push_str("_bytes");
        }
        page.single(
            &name,
            "A field of /proc/meminfo.",
            Kind::Gauge,
            value * scale,
        );
        families += 1;
    }
    families
}

pub(super) fn vmstat(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    encode_vmstat(&files.proc("vmstat")?, page);
    Ok(())
}

fn encode_vmstat(text: &str, page: &mut Writer) {
    for line in text.lines() {
        let Some((field, value)) = line.split_once(' ') else {
            continue;
        };
        let wanted = ["oom_kill", "pgpg", "pswp"]
            .iter()
            .any(|start| field.starts_with(start))
            || field.starts_with("pg") && field.contains("fault");
        if let (true, Ok(value)) = (wanted, value.trim().parse()) {
            let name = format!("node_vmstat_{field}");
            page.single(&name, "A field of /proc/vmstat.", Kind::Untyped, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_become_bytes_and_counts_stay() {
        let mut page = Writer::new();
        let text = "MemTotal:       100 kB\nActive(anon):     2 kB\nHugePages_Total:       7\n\
                    Bad: x kB\nOdd: 1 MB\nno colon\n";
        assert_eq!(encode_meminfo(text, &mut page), 3);
        let page = page.finish();
        assert!(page.contains("\nnode_memory_MemTotal_bytes 102400\n"));
        assert!(page.contains("\nnode_memory_Active_anon_bytes 2048\n"));
        assert!(page.contains("\nnode_memory_HugePages_Total 7\n"));
    }

    #[test]
    fn vmstat_keeps_the_fields_that_the_peer_keeps() {
        let mut page = Writer::new();
        encode_vmstat(
            "nr_free_pages 1\npgfault 2\npgmajfault 3\noom_kill 4\npswpin 5\npgfree 6\n",
            &mut page,
        );
        let page = page.finish();
        let kept = page.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(kept, 4);
        assert!(page.contains("\nnode_vmstat_oom_kill 4\n"));
    }
}
