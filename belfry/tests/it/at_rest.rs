//! What a program that has started keeps of its file, and what it gives back.

use std::fs;

use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::poll;

/// KiB of its own code that are mapped.
fn mapped(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("a process that runs");
    let code = |line: &str| line.contains(" r-xp ") && line.ends_with("/belfry");
    let rest = maps.lines().skip_while(|line| !code(line));
    let size = rest.skip(1).find_map(|line| line.strip_prefix("Rss:"));
    let size = size.expect("the program's code");
    size.trim_end_matches("kB")
        .trim()
        .parse()
        .expect("a number")
}

#[test]
fn code_of_the_start_is_given_back_and_the_watch_goes_on() {
    let belfry = Launch::with(&Setup::new().config()).start();
    let begun = poll::until("a first collection", || {
        (belfry.metric("belfry_collections_total")? >= 1.0).then(|| mapped(belfry.pid()))
    });
    poll::holds("less of the code is mapped", || {
        mapped(belfry.pid()) < begun / 10 * 9
    });
    let seen = belfry.metric("belfry_collections_total");
    poll::holds("another collection", || {
        belfry.metric("belfry_collections_total") > seen
    });
}
