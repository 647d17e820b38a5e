//! Hosts that die, links that are cut: who thinks what, and who pages.

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
            for asked in HOSTS.iter().filter(|asked| **asked != asker) {
                let mine = peers.get_mut(asker).unwrap();
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
