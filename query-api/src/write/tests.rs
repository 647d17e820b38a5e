//! Bodies built by hand, good and hostile.

use exposition::{STALE_BITS, stale};

use super::*;

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    [
        &varint(number << 3 | 2),
        &varint(content.len() as u64),
        content,
    ]
    .concat()
}

fn sample(time_ms: i64, value: f64) -> Vec<u8> {
    let value = [&[1 << 3 | 1][..], &value.to_bits().to_le_bytes()].concat();
    let time = [&[2 << 3][..], &varint(time_ms.cast_unsigned())].concat();
    bytes(2, &[value, time].concat())
}

fn label(name: &[u8], value: &[u8]) -> Vec<u8> {
    bytes(1, &[bytes(1, name), bytes(2, value)].concat())
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let labels = labels
        .iter()
        .flat_map(|(name, value)| label(name.as_bytes(), value.as_bytes()));
    let samples = samples
        .iter()
        .flat_map(|(time, value)| sample(*time, *value));
    bytes(1, &labels.chain(samples).collect::<Vec<_>>())
}

fn stored(store: &Store) -> Vec<(String, Vec<(i64, u64)>)> {
    let all = store.select(&[], i64::MIN, i64::MAX).into_iter();
    all.map(|one| {
        let samples = one
            .samples
            .iter()
            .map(|(time, value)| (*time, value.to_bits()));
        (one.labels.to_string(), samples.collect())
    })
    .collect()
}

#[test]
fn samples_are_stored_with_their_times_and_bits() {
    let store = Store::new();
    let body = [
        series(
            &[("__name__", "up"), ("job", "a")],
            &[(1000, 1.5), (2000, f64::NAN), (2500, stale()), (-0, 0.0)],
        ),
        // Unsorted, with an empty value, and a field nobody knows.
        series(
            &[("z", "1"), ("empty", ""), ("__name__", "b")],
            &[(-5000, -0.0)],
        ),
        bytes(3, b"metadata"),
        bytes(99, b"later"),
    ]
    .concat();
    let left_out = append(&store, &body, 10_000).unwrap();
    assert_eq!((left_out.samples, left_out.series), (1, 0));
    assert_eq!(
        stored(&store),
        [
            ("b{z=\"1\"}".to_owned(), vec![(-5000, (-0.0f64).to_bits())]),
            (
                "up{job=\"a\"}".to_owned(),
                vec![
                    (1000, 1.5f64.to_bits()),
                    (2000, f64::NAN.to_bits()),
                    (2500, STALE_BITS)
                ]
            ),
        ]
    );
}

#[test]
fn what_cannot_be_stored_is_counted_and_the_rest_kept() {
    let store = Store::new();
    let name = ("__name__", "m");
    append(&store, &series(&[name], &[(5000, 1.0)]), 10_000).unwrap();
    let many: Vec<_> = (0..200).map(|at| format!("l{at}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|name| (name.as_str(), "x"))
        .chain([name])
        .collect();
    let long = "x".repeat(MOST_VALUE + 1);
    let no_text = bytes(
        1,
        &[label(b"__name__", b"m"), label(b"a", b"\xff")].concat(),
    );
    for (body, samples, series) in [
        (series(&[name], &[(5000, 1.0)]), 0, 0),
        (
            series(&[name], &[(5000, 2.0), (4000, 1.0), (6000, 1.0)]),
            2,
            0,
        ),
        (series(&[name], &[(10_001, 1.0), (7000, 1.0)]), 1, 0),
        (
            series(&[name], &[(i64::MIN, 1.0), (i64::MAX, 1.0), (8000, 1.0)]),
            2,
            0,
        ),
        (series(&[("job", "a")], &[(9000, 1.0)]), 0, 1),
        (
            series(&[name, ("a", "1"), ("a", "2")], &[(9000, 1.0)]),
            0,
            1,
        ),
        (series(&[name, ("", "1")], &[(9000, 1.0)]), 0, 1),
        (series(&[name, ("a", &long)], &[(9000, 1.0)]), 0, 1),
        (series(&many, &[(9000, 1.0)]), 0, 1),
        (no_text, 0, 1),
    ] {
        let left_out = append(&store, &body, 10_000).unwrap();
        assert_eq!((left_out.samples, left_out.series), (samples, series));
        assert_eq!(left_out.told().is_some(), samples + series > 0);
    }
    let times = [5000, 6000, 7000, 8000].map(|time| (time, 1.0f64.to_bits()));
    assert_eq!(stored(&store), [("m".to_owned(), times.to_vec())]);
}

#[test]
fn native_histograms_are_left_out_in_words_and_samples_beside_them_kept() {
    let store = Store::new();
    let labels = [label(b"__name__", b"h"), sample(1000, 2.0)].concat();
    let histograms = [bytes(4, &[8, 1]), bytes(4, &[8, 2])].concat();
    let body = bytes(1, &[labels, histograms].concat());
    let told = append(&store, &body, 2000).unwrap().told().unwrap();
    assert_eq!(
        told,
        "2 samples left out; the first: native histograms are not supported for series h"
    );
    assert_eq!(stored(&store).len(), 1);
    // What is no message stores nothing, as elsewhere.
    let cut = bytes(1, &[label(b"__name__", b"g"), vec![4 << 3 | 2, 9]].concat());
    assert!(append(&store, &cut, 2000).is_err());
    assert_eq!(stored(&store).len(), 1);
}

#[test]
fn a_broken_message_stores_nothing() {
    let store = Store::new();
    let good = series(&[("__name__", "m"), ("a", "b")], &[(1000, 1.0)]);
    // Cut anywhere but between its fields it is broken; nothing panics.
    for end in 1..good.len() {
        assert!(append(&store, &good[..end], 10_000).is_err(), "{end}");
    }
    let inside = |content: &[u8]| [good.clone(), bytes(1, content)].concat();
    for body in [
        inside(&[
            1 << 3 | 2,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            1,
        ]),
        inside(&[1 << 3, 1]),
        inside(&bytes(2, &[1 << 3 | 2, 0])),
        inside(&bytes(2, &[2 << 3 | 5, 0, 0, 0, 0])),
        inside(&[0, 0]),
        inside(&[1 << 3 | 3]),
        [good.clone(), vec![0xff; 11]].concat(),
        [good.clone(), vec![1 << 3, 1]].concat(),
    ] {
        assert!(append(&store, &body, 10_000).is_err(), "{body:?}");
    }
    assert_eq!(stored(&store), []);
}

#[test]
fn a_packed_body_may_not_grow_beyond_the_limit() {
    let pack = |body: &[u8]| snap::raw::Encoder::new().compress_vec(body).unwrap();
    let packed = pack(&vec![0; 1 << 20]);
    assert!(packed.len() < 1 << 16);
    assert_eq!(unpack(&packed, 1 << 20).map(|body| body.len()), Ok(1 << 20));
    assert!(unpack(&packed, (1 << 20) - 1).is_err());
    // Says four gibibytes, has nothing.
    assert!(unpack(&[0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX >> 1).is_err());
    assert!(unpack(&[], 100).is_err());
    assert!(unpack(b"not snappy at all", 100).is_err());
    assert!(unpack(&packed[..packed.len() / 2], 1 << 20).is_err());
}

#[test]
fn headers_name_the_format() {
    let headers = |pairs: &[(&'static str, &str)]| {
        let pairs = pairs.iter();
        let pairs =
            pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect::<HeaderMap>()
    };
    let ok = [
        &[][..],
        &[
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
        ],
        &[(
            "content-type",
            "application/x-protobuf;proto=prometheus.WriteRequest",
        )],
    ];
    for pairs in ok {
        assert_eq!(check(&headers(pairs), 10), Ok(10), "{pairs:?}");
    }
    assert_eq!(check(&headers(&[("content-length", "7")]), 10), Ok(7));
    for (pair, status) in [
        (("content-type", "application/json"), 415),
        (
            (
                "content-type",
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            ),
            415,
        ),
        (("content-encoding", "gzip"), 415),
        (("content-length", "11"), 413),
    ] {
        let refused = check(&headers(&[pair]), 10).unwrap_err();
        assert_eq!(refused.0.as_u16(), status, "{pair:?}");
    }
}
