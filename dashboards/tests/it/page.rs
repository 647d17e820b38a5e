//! The page as a whole: its size, its parts, its headings.

use dashboards::{assets, page};

use crate::{states, trouble};

/// The style and the script that a page asks for.
fn linked(html: &str) -> Vec<assets::Asset> {
    let paths = html.split('"').filter(|part| part.starts_with("/assets/"));
    paths
        .map(|path| assets::get(path).expect("a linked file exists"))
        .collect()
}

#[test]
fn the_first_load_is_below_60_kb_without_compression() {
    let html = page::render(&trouble::typical()).unwrap();
    let assets: usize = linked(&html).iter().map(|asset| asset.bytes.len()).sum();
    assert!(html.len() + assets < 60_000, "{} + {assets}", html.len());
}

#[test]
fn too_much_of_everything_is_still_a_page() {
    let html = page::render(&trouble::many()).unwrap();
    assert!(html.len() < 80_000, "{}", html.len());
    for words in [
        "and 489 more",
        "more, all fine",
        "more that are up",
        "and 194 more",
        "more that are not fine",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn linked_files_may_be_kept_for_ever() {
    let linked = linked(&page::render(&states::well()).unwrap());
    assert!(linked.len() >= 3);
    assert!(linked.iter().all(|asset| asset.immutable));
}

#[test]
fn every_page_has_one_first_heading_and_says_host_clock_and_age() {
    for (name, now) in states::all() {
        let html = page::render(&now).unwrap();
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(html.contains("Sun 23 Aug, 03:06:14 CEST"), "{name}");
        assert!(html.contains("vps1"), "{name}");
        assert!(
            html.contains("old</span>") || html.contains("no data yet"),
            "{name}"
        );
    }
}

#[test]
fn empty_parts_say_why() {
    let html = page::render(&trouble::first_minute()).unwrap();
    for words in [
        "the first readings are on their way",
        "the engine has not been read",
        "the first reading of the host comes",
        "No mail server is configured",
        "The first checks are still running",
        "Nothing is scraped",
        "The first look around",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let mut now = states::well();
    now.services.clear();
    now.services_note = "No engine answers at /var/run/docker.sock.".into();
    assert!(page::render(&now).unwrap().contains("No engine answers at"));
}

#[test]
fn faults_of_belfry_itself_stand_above_everything() {
    let html = page::render(&trouble::many()).unwrap();
    let at = |words: &str| html.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(at("Mail cannot be sent since") < at("<article"));
    assert!(at("The new configuration was refused") < at("<article"));
    let html = page::render(&trouble::stale()).unwrap();
    assert!(html.contains("<body class=\"unknown stale\""));
    assert!(html.contains("Nothing below is newer than"));
}

#[test]
fn every_id_is_there_once() {
    for (name, now) in states::all() {
        let html = page::render(&now).unwrap();
        let mut ids: Vec<&str> = html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}");
        for part in [
            "top", "verdict", "notices", "firing", "pending", "services", "host", "changes",
            "watch", "news", "say",
        ] {
            assert!(ids.contains(&part), "{name}: the script asks for {part}");
        }
    }
}

#[test]
fn the_policy_allows_nothing_inline() {
    let headers = page::headers();
    let (_, policy) = headers
        .iter()
        .find(|(name, _)| *name == "content-security-policy")
        .unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(
        !policy.contains("unsafe") && !policy.contains("  "),
        "{policy}"
    );
}
