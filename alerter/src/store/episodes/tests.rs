//! Episodes on a real database.

use std::sync::Arc;

use super::*;
use crate::episode::{Ack, Step, StepKind};
use crate::state::Changes;
use crate::store::tests::database;

fn episode(id: u64, name: &str, started_ms: i64, ended_ms: Option<i64>) -> Episode {
    Episode {
        id,
        fingerprint: u64::MAX - id,
        labels: [("alertname".to_owned(), name.to_owned())].into(),
        summary: "ä \"is\" down".into(),
        started_ms,
        ended_ms,
        pages: 3,
        told_ms: Some(started_ms + 1),
        ack: ended_ms.map(|at_ms| Ack {
            by: "kim".into(),
            note: "on it".into(),
            at_ms,
        }),
        steps: vec![Step {
            at_ms: 7,
            kind: StepKind::Told,
            detail: Arc::from("mail: first"),
        }],
        ends: vec![started_ms, started_ms + 3],
    }
}

async fn write_all(pool: &SqlitePool, episodes: Vec<Episode>, trim: Option<(i64, usize)>) {
    let changes = Changes {
        episodes,
        most_episodes: trim.map_or(0, |(_, most)| most),
        trim_before_ms: trim.map(|(before_ms, _)| before_ms),
        ..Changes::default()
    };
    crate::store::write(pool, &changes).await.unwrap();
}

fn ids(episodes: &[Episode]) -> Vec<u64> {
    episodes.iter().map(|it| it.id).collect()
}

#[tokio::test]
async fn episodes_are_read_back_as_they_were_written_the_newest_first() {
    let pool = database().await;
    assert_eq!(load(&pool).await.unwrap(), (Vec::new(), 1));
    let all = [
        episode(1, "a", 10, Some(20)),
        episode(2, "b", 15, None),
        episode(3, "a", 30, Some(40)),
    ];
    write_all(&pool, all.to_vec(), None).await;
    write_all(&pool, all[1..].to_vec(), None).await;
    let wanted = HistoryFilter {
        fingerprint: None,
        name: None,
        since_ms: 0,
        limit: 10,
    };
    let found = list(&pool, &wanted).await.unwrap();
    assert_eq!(found, [all[2].clone(), all[1].clone(), all[0].clone()]);
    for (fingerprint, name, since_ms, limit, ids_wanted) in [
        (Some(u64::MAX - 2), None, 0, 10, vec![2]),
        (None, Some("a"), 0, 10, vec![3, 1]),
        (None, Some("a' OR 1 --"), 0, 10, vec![]),
        (None, None, 21, 10, vec![3, 2]),
        (None, None, 0, 1, vec![3]),
    ] {
        let wanted = HistoryFilter {
            fingerprint,
            name: name.map(str::to_owned),
            since_ms,
            limit,
        };
        let found = list(&pool, &wanted).await.unwrap();
        assert_eq!(ids(&found), ids_wanted, "{wanted:?}");
    }
    let (loaded, next) = load(&pool).await.unwrap();
    assert_eq!((ids(&loaded), next), (vec![2], 4));
}

#[tokio::test]
async fn the_history_is_bounded_by_age_and_by_number_but_keeps_what_goes_on() {
    let pool = database().await;
    let all = (1..=6).map(|id| {
        let ended_ms = (id != 2).then_some(id as i64 * 10);
        episode(id, "a", id as i64, ended_ms)
    });
    write_all(&pool, all.collect(), None).await;
    let wanted = HistoryFilter {
        fingerprint: None,
        name: None,
        since_ms: 0,
        limit: 10,
    };
    for (trim, left) in [((15, 10), vec![6, 5, 4, 3, 2]), ((0, 2), vec![6, 5, 2])] {
        write_all(&pool, Vec::new(), Some(trim)).await;
        assert_eq!(ids(&list(&pool, &wanted).await.unwrap()), left, "{trim:?}");
    }
}
