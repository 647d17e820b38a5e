use proptest::prelude::*;

use super::*;

const STALE: u64 = 0x7ff0_0000_0000_0002;

fn exact(points: &[Point]) -> Vec<(i64, u64)> {
    points
        .iter()
        .map(|(time, value)| (*time, value.to_bits()))
        .collect()
}

fn both_ways(points: &[Point]) {
    let mut open = Open::default();
    points.iter().for_each(|point| open.push(*point));
    let mut decoded = Vec::new();
    open.decode(i64::MIN, &mut decoded);
    assert_eq!(exact(&decoded), exact(points), "open");
    let last = points.len().saturating_sub(20);
    for from in [0, last, 30, 31, 32, 33, 63, 64, 65, 200, 239] {
        let Some((time, _)) = points.get(from) else {
            continue;
        };
        decoded.clear();
        open.decode(*time, &mut decoded);
        assert_eq!(exact(&decoded), exact(&points[from..]), "from {from}");
        // The last minutes never cost the hour, unless that hour is of weeks.
        let span = points[points.len() - 1].0.checked_sub(points[0].0);
        let ordinary = span.is_some_and(|span| span < i64::from(u32::MAX));
        let behind = points.len() - from;
        let looked_at = points.len() - open.skipped(*time);
        assert!(!ordinary || behind > 64 || looked_at <= behind.div_ceil(32) * 32 + 32);
    }
    let newest = open.newest();
    let chunk = open.seal().unwrap();
    assert_eq!(exact(&[open.newest()]), exact(&[newest]));
    assert_eq!(open.count(), 0);
    decoded.clear();
    chunk.decode(&mut decoded);
    assert_eq!(exact(&decoded), exact(points), "sealed");
    assert_eq!(chunk.count(), points.len());
    assert_eq!((chunk.first, chunk.last), (points[0].0, newest.0));
    let (loaded, _) = Chunk::from_file(chunk.first, chunk.data()).unwrap();
    assert_eq!(loaded, chunk);
}

fn every_15_s(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
    (0..).step_by(15_000).zip(values).collect()
}

fn sealed_bytes(values: impl IntoIterator<Item = f64>) -> usize {
    let points = every_15_s(values);
    both_ways(&points);
    Chunk::seal(&points).unwrap().data().len()
}

/// Values of every kind that a page, a rule or a broken sensor can produce.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        Just(f64::from_bits(STALE)),
        Just(f64::from_bits(0x7ff8_0000_0000_0001)),
        Just(-0.0),
        Just(0.0),
        Just(f64::INFINITY),
        Just(f64::MIN_POSITIVE),
        Just(9_007_199_254_740_993.0),
        (-1000_i32..1000).prop_map(f64::from),
        any::<i64>().prop_map(|number| number as f64),
        (-1_000_000_i32..1_000_000).prop_map(|number| f64::from(number) / 100.0),
        (0_i32..2_000_000_000).prop_map(|number| f64::from(number) / 1e9),
    ]
}

fn space() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => Just(15_000_i64),
        2 => 14_990_i64..15_010,
        1 => 1_i64..100_000,
        1 => 1_i64..=i64::MAX,
    ]
}

fn points() -> impl Strategy<Value = Vec<Point>> {
    let one_kind = prop::collection::vec((space(), value()), 1..=usize::from(FULL));
    (any::<i64>(), one_kind).prop_map(|(first, rest)| {
        let mut time = Some(first);
        rest.into_iter()
            .map_while(|(space, value)| {
                let now = time?;
                time = now.checked_add(space);
                Some((now, value))
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 150 } else { 1500 }))]

    #[test]
    fn every_bit_of_every_sample_comes_back(points in points()) {
        both_ways(&points);
    }

    #[test]
    fn walks_of_decimal_numbers_come_back(
        first in any::<i32>(),
        places in 0_u32..10,
        steps in prop::collection::vec(-5000_i64..5000, 1..239),
    ) {
        let ten = 10_f64.powi(places as i32);
        let mut number = i64::from(first);
        both_ways(&every_15_s(steps.into_iter().map(|step| {
            number += step;
            number as f64 / ten
        })));
    }

    #[test]
    fn arbitrary_bytes_decode_to_something_or_nothing(
        first in any::<i64>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Some((chunk, points)) = Chunk::from_file(first, &bytes) {
            prop_assert_eq!(chunk.count(), points.len());
            prop_assert!(points.windows(2).all(|two| two[0].0 < two[1].0));
        }
    }

    #[test]
    fn a_cut_or_bent_chunk_never_panics(points in points(), cut in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let chunk = Chunk::seal(&points).unwrap();
        let mut bytes = chunk.data().to_vec();
        let at = cut.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let _ = Chunk::from_file(chunk.first, &bytes);
        bytes.truncate(at);
        let _ = Chunk::from_file(chunk.first, &bytes);
    }

    #[test]
    fn numbers_come_back(numbers in prop::collection::vec(any::<(u64, i64)>(), 0..50)) {
        let mut bytes = Vec::new();
        for (plain, signed) in &numbers {
            push_varint(&mut bytes, *plain);
            push_signed(&mut bytes, *signed);
        }
        let mut reader = Reader::new(&bytes);
        for (plain, signed) in &numbers {
            prop_assert_eq!(reader.varint(), Some(*plain));
            prop_assert_eq!(reader.signed(), Some(*signed));
        }
        prop_assert!(reader.is_empty());
    }
}

#[test]
fn the_ends_of_time_come_back() {
    both_ways(&[(i64::MIN, 1.0), (0, 2.0), (i64::MAX, f64::NAN)]);
    both_ways(&[(i64::MIN, -0.0), (i64::MAX, 0.0)]);
    both_ways(&[(i64::MAX, f64::from_bits(STALE))]);
}

#[test]
fn a_constant_takes_no_room_and_a_steady_counter_little() {
    assert!(sealed_bytes((0..240).map(|_| 4_294_967_296.0)) <= 16);
    assert!(sealed_bytes((0..240).map(|at| f64::from(at) * 15.0 + 1e9)) <= 64);
    // Seconds of CPU time with two decimals.
    let cpu = (0..240).map(|at| (f64::from(at * 1437 + at * at % 13) + 123_456.0) / 100.0);
    assert!(sealed_bytes(cpu) <= 240);
    // Memory in pages.
    let memory = (0..240).map(|at| f64::from((at * 7919) % 64) * 4096.0 + 1e8);
    assert!(sealed_bytes(memory) <= 240);
}

#[test]
fn one_marker_among_numbers_keeps_its_bits() {
    let values = (0..100).map(|at| match at {
        57 => f64::from_bits(STALE),
        _ => f64::from(at),
    });
    both_ways(&every_15_s(values));
}
