//! Lists of silences: that long ones come in pieces, and say what each silence says
//! by itself, in the order of lists.

use std::collections::BTreeMap;

use alerter::{Silence, SilenceDraft, SilenceMatcher, SilenceState};
use futures_util::future::join_all;

use super::{CONFIG, World};
use crate::support::web::client;

/// Silences of each state.
const EACH: i64 = 1_000;

/// Years that are far from any test: 2096 and 2100.
const PENDING_FROM_MS: i64 = 3_976_214_400_000;
const ENDS_MS: i64 = 4_102_444_800_000;

/// A piece is sent when it has come to 32 KiB, and so has at most one silence more; the
/// last goes with the one before.
const PIECE: usize = 2 * ((32 << 10) + 1_024);

fn draft(number: i64, starts_ms: i64) -> SilenceDraft {
    let matcher = |name: &str, value: String, is_regex| SilenceMatcher {
        name: name.to_owned(),
        value,
        is_regex,
        is_equal: true,
    };
    SilenceDraft {
        matchers: vec![
            matcher("host", format!("h{number}"), false),
            matcher("zone", format!("z{}|<b>", number % 7), true),
        ],
        starts_ms,
        // Some end at the same time, and none in the order in which they were made.
        ends_ms: ENDS_MS + number * 37 % 500,
        created_by: "kim@example.org".to_owned(),
        comment: format!("\"rebuilt\" & {number}\n"),
        annotations: [("ticket".to_owned(), number.to_string())].into(),
        ..SilenceDraft::default()
    }
}

/// Makes silences, no more at once than even a slow disk takes in time; their ids.
async fn make(world: &World, drafts: Vec<SilenceDraft>, at_once: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for part in drafts.chunks(at_once) {
        let made = part.iter().map(|it| world.handle.silence(it.clone()));
        ids.extend(join_all(made).await.into_iter().map(Result::unwrap));
    }
    ids
}

/// Makes silences of all three states.
async fn fill(world: &World) {
    let drafts = (0..3 * EACH).map(|number| match number % 3 {
        0 => draft(number, PENDING_FROM_MS + number * 41 % 300),
        _ => draft(number, 0),
    });
    let ids = make(world, drafts.collect(), 500).await;
    let ended: Vec<&String> = ids.iter().skip(1).step_by(3).collect();
    for part in ended.chunks(500) {
        for result in join_all(part.iter().map(|id| world.handle.unsilence(id))).await {
            result.unwrap();
        }
    }
}

/// Where a silence stands in a list, as Alertmanager's page and tools expect it.
fn place(silence: &Silence) -> (u8, i64, &str) {
    match silence.state {
        SilenceState::Active => (0, silence.ends_ms, &silence.id),
        SilenceState::Pending => (1, silence.starts_ms, &silence.id),
        SilenceState::Expired => (2, -silence.ends_ms, &silence.id),
    }
}

/// Whether a silence is to be in a list.
type OfSilence<'a> = &'a dyn Fn(&Silence) -> bool;

/// The pieces of an answer that does not say its length, as they come.
async fn pieces(world: &World, path: &str) -> Vec<Vec<u8>> {
    let url = format!("{}/api/v2{path}", world.url());
    let mut answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers().get("content-length"), None, "{path}");
    let mut pieces = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        pieces.push(piece.to_vec());
    }
    pieces
}

#[tokio::test]
async fn a_long_list_of_silences_comes_in_pieces_and_says_what_each_says_by_itself() {
    let world = World::start(CONFIG).await;
    fill(&world).await;
    let mut all = world.handle.silences().await.unwrap();
    assert_eq!(all.len(), 3_000);
    all.sort_by(|a, b| place(a).cmp(&place(b)));
    let mut texts = BTreeMap::new();
    let client = client();
    for silence in &all {
        let url = format!("{}/api/v2/silence/{}", world.url(), silence.id);
        let answer = client.get(url).send().await.unwrap();
        let text = answer.text().await.unwrap();
        texts.insert(&*silence.id, text.trim_end().to_owned());
    }
    let zone = |zone: &'static str| move |it: &Silence| it.matchers[1].value == zone;
    let state = |state| move |it: &Silence| it.state == state;
    let cases: [(&str, OfSilence<'_>, usize); 7] = [
        ("", &|_| true, 3_000),
        (
            "?expired=false",
            &|it| it.state != SilenceState::Expired,
            2_000,
        ),
        (
            "?active=false&expired=false",
            &state(SilenceState::Pending),
            1_000,
        ),
        (
            "?active=false&pending=false",
            &state(SilenceState::Expired),
            1_000,
        ),
        ("?filter=zone%3D~%22z3%7C%3Cb%3E%22", &zone("z3|<b>"), 429),
        (
            "?filter=zone%3D~%22z0%7C%3Cb%3E%22&pending=false",
            &|it| zone("z0|<b>")(it) && it.state != SilenceState::Pending,
            286,
        ),
        (
            "?filter=zone%3D~%22z6%7C%3Cb%3E%22&active=false",
            &|it| zone("z6|<b>")(it) && it.state != SilenceState::Active,
            286,
        ),
    ];
    for (query, wanted, count) in cases {
        let found = all.iter().filter(|it| wanted(it));
        let found: Vec<&str> = found.map(|it| &*texts[&*it.id]).collect();
        assert_eq!(found.len(), count, "{query}");
        let whole = format!("[{}]\n", found.join(","));
        let pieces = pieces(&world, &format!("/silences{query}")).await;
        let longest = pieces.iter().map(Vec::len).max();
        assert!(longest <= Some(PIECE), "{query}: {longest:?}");
        let least = whole.len().div_ceil(PIECE);
        assert!(least > 1 && pieces.len() >= least, "{query}");
        assert!(pieces.concat() == whole.as_bytes(), "{query}: not the same");
    }
    // It keeps to the document, and a short one says its length.
    world.get("/silences").await;
    for (query, wanted) in [
        ("filter=host%3Dh5", 1),
        ("filter=host%3Dh5&filter=zone%3D~%22z5%7C%3Cb%3E%22", 1),
        ("filter=host%3D~%22h5%22", 0),
        ("active=false&pending=false&expired=false", 0),
    ] {
        let answer = world.get(&format!("/silences?{query}")).await;
        assert_eq!(answer.json().as_array().unwrap().len(), wanted, "{query}");
        assert_eq!(
            answer.header("content-length"),
            answer.text.len().to_string()
        );
    }
}

#[tokio::test]
async fn a_list_of_silences_that_nobody_reads_on_keeps_nothing_else_waiting() {
    let world = World::start(CONFIG).await;
    // Far more than what stays in a connection's buffers.
    let drafts = (0..300).map(|number| SilenceDraft {
        comment: "x".repeat(60_000),
        ..draft(number, 0)
    });
    make(&world, drafts.collect(), 20).await;
    let url = format!("{}/api/v2/silences", world.url());
    let client = client();
    let mut answer = client.get(url).send().await.unwrap();
    let mut text = answer.chunk().await.unwrap().unwrap().to_vec();
    // The last one of the list ends before its turn, and says so.
    let all = world.handle.silences().await.unwrap();
    let last = &all[299].id;
    world.handle.unsilence(last).await.unwrap();
    let shown = world.get(&format!("/silence/{last}")).await.json();
    assert_eq!(shown["status"]["state"], "expired");
    while let Some(piece) = answer.chunk().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    let list: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(list.len(), 300);
    assert_eq!(list[299]["id"], *last);
    assert_eq!(list[299]["endsAt"], shown["endsAt"]);
    drop(client);
}
