//! Hosts that die, links that are cut: who thinks what, and who pages.

mod restarts;

use super::*;

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// What each of three hosts thinks at the end, and whom it pages for, after rounds
/// in which only these links worked: `ab` stands for a asking b and getting an answer.
fn after(rounds: &[&[&str]]) -> BTreeMap<&'static str, Vec<(String, Verdict, bool)>> {
    let config = Config::default();
    let mut peers: BTreeMap<&str, Peers> =
        HOSTS.iter().map(|host| (*host, Peers::default())).collect();
    let mut now_ms = 0;
    for links in rounds {
        now_ms += 10_000;
        let sights: BTreeMap<_, _> = HOSTS
            .iter()
            .map(|host| (*host, peers[host].sight(host, &config, now_ms)))
            .collect();
        for asker in HOSTS {
            let mine = peers.get_mut(asker).unwrap();
            mine.ask(asker, &config, now_ms);
            for asked in HOSTS.iter().filter(|asked| **asked != asker) {
                match links.contains(&&*format!("{asker}{asked}")) {
                    true => mine.answered(asked, sights[asked].clone(), now_ms),
                    false => mine.silent(asked, "refused"),
                }
            }
        }
    }
    let think = |host: &'static str| {
        let views = peers[host].views(host, &config, now_ms);
        (
            host,
            views
                .into_iter()
                .map(|view| (view.name, view.verdict, view.ours))
                .collect(),
        )
    };
    HOSTS.into_iter().map(think).collect()
}

const ALL: &[&str] = &["ab", "ba", "ac", "ca", "bc", "cb"];

/// Some good rounds, then so many with these links.
fn then(
    links: &'static [&'static str],
    rounds: usize,
) -> BTreeMap<&'static str, Vec<(String, Verdict, bool)>> {
    let mut all = vec![ALL; 3];
    all.extend(vec![links; rounds]);
    after(&all)
}

/// How many of the living page for somebody.
fn pages(thoughts: &BTreeMap<&str, Vec<(String, Verdict, bool)>>, living: &[&str]) -> Vec<String> {
    let pagers = living.iter().flat_map(|host| {
        thoughts[host]
            .iter()
            .filter(|one| one.2)
            .map(move |one| format!("{host} for {}", one.0))
    });
    pagers.collect()
}

#[test]
fn a_dead_host_is_paged_by_one_survivor() {
    let thoughts = then(&["ab", "ba"], 6);
    assert_eq!(pages(&thoughts, &["a", "b"]), ["a for c"]);
    assert_eq!(thoughts["b"][1].1, Verdict::Dead, "{thoughts:?}");
    let thoughts = then(&["bc", "cb"], 6);
    assert_eq!(pages(&thoughts, &["b", "c"]), ["b for a"]);
}

#[test]
fn nobody_is_paged_while_a_witness_still_sees_both_sides_of_a_cut() {
    for links in [
        // Between a and b nothing goes.
        &["ac", "ca", "bc", "cb"][..],
        // Only one way is cut.
        &["ba", "ac", "ca", "bc", "cb"],
        &["ab", "ac", "ca", "bc", "cb"],
    ] {
        let links: &'static [&'static str] = links.to_vec().leak();
        let thoughts = then(links, 6);
        assert_eq!(pages(&thoughts, &HOSTS), [""; 0], "{thoughts:?}");
    }
    assert_eq!(then(&["ac", "ca", "bc", "cb"], 6)["a"][0].1, Verdict::Cut);
}

#[test]
fn one_that_is_cut_off_itself_pages_for_nobody() {
    let thoughts = then(&["bc", "cb"], 6);
    assert!(
        thoughts["a"]
            .iter()
            .all(|one| one.1 == Verdict::Isolated && !one.2),
        "{thoughts:?}"
    );
}

#[test]
fn a_flapping_link_pages_nobody_and_a_host_that_was_never_seen_is_new() {
    let cut: &[&str] = &["ac", "ca", "bc", "cb"];
    let rounds: Vec<&[&str]> = (0..30)
        .map(|at| if at % 4 < 2 { ALL } else { cut })
        .collect();
    assert_eq!(pages(&after(&rounds), &HOSTS), [""; 0]);
    let thoughts = after(&[&["ab", "ba"][..]; 10]);
    assert_eq!(thoughts["a"][1].1, Verdict::New);
    assert_eq!(pages(&thoughts, &HOSTS), [""; 0]);
}

#[test]
fn of_two_that_have_no_witness_each_pages_for_the_other() {
    let config = Config::default();
    let mut peers = Peers::default();
    peers.answered("b", Sight::default(), 0);
    assert_eq!(peers.views("a", &config, 29_999)[0].verdict, Verdict::Up);
    let view = &peers.views("a", &config, 30_000)[0];
    assert_eq!((view.verdict, view.ours), (Verdict::Dead, true));
}

#[test]
fn a_restart_forgets_no_dead_peer_and_takes_no_living_one_for_dead() {
    let config: Config = settings::read(
        "belfry.yml".as_ref(),
        "peers: [{name: b, url: 'http://b'}, {name: c, url: 'http://c'}]",
        &|_| None,
    )
    .unwrap();
    let ready = Sight {
        standing: Standing {
            ready: true,
            firing: vec!["DiskSpace".to_owned()],
        },
        ..Sight::default()
    };
    let mut before = Peers::default();
    before.answered("c", ready, 0);
    before.answered("b", Sight::default(), 60_000);
    before.silent("d", "never seen");
    let kept = before.kept("a", &config, 60_000);
    let text = serde_json::to_string(&kept).unwrap();
    let kept: BTreeMap<String, Kept> = serde_json::from_str(&text).unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["b", "c"]);

    // An hour later it is there again.
    let now_ms = 3_600_000;
    let mut after = Peers::default();
    after.restore(kept, &config, now_ms);
    let told = |peers: &Peers, now_ms| {
        let mut page = exposition::Writer::new();
        peers.write("a", &config, now_ms, &mut page);
        page.finish()
    };
    assert!(!after.were_asked(&config) && told(&after, now_ms).is_empty());
    let sight = after.sight("a", &config, now_ms);
    assert!(sight.sees.is_empty(), "it has heard of nobody yet");
    assert!(sight.misses.contains("c"));

    after.silent("c", "refused");
    after.asked();
    let page = told(&after, now_ms);
    for line in [
        "belfry_peer_dead{peer=\"c\"} 1",
        "belfry_peer_up{peer=\"b\"} 1",
        "belfry_peer_last_answer_timestamp_seconds{peer=\"c\"} 0",
        "belfry_peer_last_state_info{firing=\"DiskSpace\",peer=\"c\",ready=\"ready\"} 1",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    // Another pages for it already.
    let sight = Sight {
        misses: BTreeSet::from(["c".to_owned()]),
        pages: BTreeSet::from(["c".to_owned()]),
        ..Sight::default()
    };
    let ours = |peers: &Peers, me: &str| {
        let views = peers.views(me, &config, now_ms + 1000);
        views.iter().any(|view| view.name == "c" && view.ours)
    };
    after.answered("b", sight, now_ms + 1000);
    assert!(ours(&after, "a") && !ours(&after, "x"));
    // Who was seen before is missed only when it was silent as long as ever.
    let mut alone = Peers::default();
    alone.restore(before.kept("a", &config, 60_000), &config, now_ms);
    alone.asked();
    for (after_ms, verdict) in [(29_999, Verdict::Up), (30_000, Verdict::Isolated)] {
        let views = alone.views("a", &config, now_ms + after_ms);
        assert_eq!(views[0].verdict, verdict, "{after_ms}");
    }
}

#[test]
fn after_a_restart_a_witness_is_heard_before_a_page_that_was_not_ours() {
    let config = Config::default();
    let missing = |names: &[&str]| Sight {
        misses: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Sight::default()
    };
    let mut before = Peers::default();
    before.answered("c", Sight::default(), 0);
    // That one pages.
    before.answered("b", missing(&["c"]), 60_000);
    let c = |peers: &Peers, me: &str, now_ms| {
        let views = peers.views(me, &config, now_ms);
        let view = views.into_iter().find(|view| view.name == "c").unwrap();
        (view.verdict, view.ours)
    };
    let kept = before.kept("x", &config, 60_000);
    let mut after = Peers::default();
    after.restore(kept, &config, 70_000);
    assert_eq!(c(&after, "x", 70_000), (Verdict::Dead, false));
    let mut heard = after.clone();
    heard.answered("b", missing(&[]), 71_000);
    assert_eq!(c(&heard, "x", 71_000), (Verdict::Dead, true));
    heard.answered("b", missing(&["c"]), 72_000);
    assert_eq!(c(&heard, "x", 72_000), (Verdict::Dead, false));
    // Whose page it was goes on with it, over a second restart too.
    let mut ours = Peers::default();
    ours.restore(before.kept("a", &config, 60_000), &config, 70_000);
    assert_eq!(c(&ours, "a", 70_000), (Verdict::Dead, true));
    let mut again = Peers::default();
    again.restore(ours.kept("a", &config, 70_000), &config, 80_000);
    assert_eq!(c(&again, "a", 80_000), (Verdict::Dead, true));
}

#[test]
fn a_clock_that_was_put_back_brings_no_dead_peer_to_life() {
    let config = Config::default();
    let mut before = Peers::default();
    before.answered("c", Sight::default(), 1_000_000);
    let kept = before.kept("a", &config, 1_060_000);
    for now_ms in [500_000, 1_000_010, 1_060_000] {
        let mut after = Peers::default();
        after.restore(kept.clone(), &config, now_ms);
        let view = &after.views("a", &config, now_ms)[0];
        assert_eq!((view.verdict, view.ours), (Verdict::Dead, true), "{now_ms}");
    }
}
