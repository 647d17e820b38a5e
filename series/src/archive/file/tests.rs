//! Files written and read back, whole and not.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Series with ids that are far apart, each with some chunks of a byte or more.
fn content() -> impl Strategy<Value = Vec<(u64, Vec<Vec<u8>>)>> {
    let chunk = prop::collection::vec(any::<u8>(), 1..400);
    let series = (1..1_u64 << 40, prop::collection::vec(chunk, 1..6));
    prop::collection::vec(series, 1..60).prop_map(|series| {
        let mut id = 0;
        let ascending = series.into_iter().map(|(step, chunks)| {
            id += step;
            (id, chunks)
        });
        ascending.collect()
    })
}

/// The bytes of the chunk at a place, by a file's own form.
fn push(out: &mut Vec<u8>, first: i64, chunk: &[u8], span: Option<u64>) {
    push_signed(out, first);
    span.into_iter().for_each(|span| push_varint(out, span));
    push_varint(out, chunk.len() as u64);
    out.extend(chunk);
}

fn write(path: &Path, content: &[(u64, Vec<Vec<u8>>)]) {
    let mut file = Unfinished::begin(path).unwrap();
    for (id, chunks) in content {
        let mut bytes = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            push(&mut bytes, at as i64 * 100, chunk, Some(50));
        }
        let last = (chunks.len() as i64 - 1) * 100 + 50;
        file.add((*id, *id as u32), &bytes, (0, last)).unwrap();
    }
    file.finish(-7, u64::MAX).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_found_and_nothing_else(
        content in content(),
        some in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("00000001");
        write(&path, &content);
        let file = File::open(&path, 1).unwrap();
        prop_assert_eq!((file.from, file.clock, file.next_id), (0, -7, u64::MAX));
        let mut wanted: Vec<(u64, u32)> = some
            .iter()
            .map(|at| at.get(&content).0)
            .flat_map(|id| [(id, id as u32), (id + 1, id as u32 + 1)])
            .collect();
        // Its labels are others than those that were written.
        wanted.push((content[0].0, content[0].0 as u32 ^ 1));
        wanted.sort_unstable();
        wanted.dedup_by_key(|one| one.0);
        let places = wanted.iter().enumerate();
        let asked: Vec<Wanted> = places
            .map(|(place, (id, check))| Wanted { id: *id, check: *check, place })
            .collect();
        let mut found = vec![Vec::new(); wanted.len()];
        let late = |_, last| last >= 100;
        prop_assert_eq!(file.find(&asked, late, &mut found), 0);
        for ((id, check), found) in wanted.iter().zip(found) {
            let mut expected = Vec::new();
            let have = content.iter().find(|one| one.0 == *id && *check == *id as u32);
            let chunks = have.into_iter().flat_map(|(_, chunks)| chunks.iter().enumerate());
            for (at, chunk) in chunks.skip(1) {
                push(&mut expected, at as i64 * 100, chunk, None);
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn arbitrary_bytes_are_opened_without_harm(
        content in content(),
        bent in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("00000001");
        write(&path, &content);
        let mut bytes = fs::read(&path).unwrap();
        for (at, byte) in bent {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fs::write(&path, &bytes[..cut.index(bytes.len()) + 1]).unwrap();
        if let Ok(file) = File::open(&path, 1) {
            let wanted = content.iter().enumerate().map(|(place, (id, _))| Wanted {
                id: *id,
                check: *id as u32,
                place,
            });
            let wanted: Vec<Wanted> = wanted.collect();
            let mut found = vec![Vec::new(); wanted.len()];
            let _ = file.find(&wanted, |_, _| true, &mut found);
        }
    }
}
