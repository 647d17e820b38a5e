use super::*;

fn reading(config: &str) -> Reading {
    let config: Config = settings::read("x.yml".as_ref(), config, &|_| None).unwrap();
    Reading::new(&Log::default(), &config)
}

fn batch(lines: &[String]) -> Batch {
    Batch {
        text: lines
            .iter()
            .flat_map(|line| format!("{line}\n").into_bytes())
            .collect(),
        ..Batch::default()
    }
}

fn line(host: &str, method: &str, path: &str, status: u16, seconds: f64) -> String {
    format!(
        r#"{{"host":"{host}","method":"{method}","uri":"{path}","status":{status},"request_time":{seconds},"size":10}}"#
    )
}

#[test]
fn requests_are_counted_by_host_method_and_status_with_their_times() {
    let mut tally = Tally::default();
    let how = reading("{}");
    let lines = [
        line("a", "GET", "/x", 200, 0.02),
        line("a", "GET", "/y", 200, 0.03),
        line("a", "BREW", "/", 418, 3.0),
        line("a", "GET", "/ws", 101, 9000.0),
        line("b", "POST", "/", 502, 100.0),
        "nonsense".to_owned(),
        String::new(),
    ];
    tally.take(&batch(&lines), &how, 7);
    assert_eq!(
        (tally.lines, tally.unreadable, tally.last_ms),
        (7, 1, Some(7))
    );
    let place = &tally.places["a"][""];
    assert_eq!(place.counts, [(0, 200, 2), (9, 418, 1), (0, 101, 1)]);
    assert_eq!((place.timed, place.bytes), (3, 40));
    assert_eq!(place.times[2..4], [1, 1]);
    assert!((place.seconds - 3.05).abs() < 1e-9);
    // Never answered well, so not known yet.
    assert_eq!(tally.places[OTHER][""].timed, 1);
}

#[test]
fn paths_are_told_apart_only_by_the_patterns_that_are_named() {
    let how = reading("paths: ['/api/*/items', '/api/*', '/', '*.css']");
    for (text, expected) in [
        ("/api/1/items?x=/api/", "/api/*/items"),
        ("/api/1/items/2", "/api/*"),
        ("/api", "other"),
        ("/", "/"),
        ("/a/b.css", "*.css"),
        ("", "other"),
    ] {
        assert_eq!(path(text, &how.paths), expected, "{text}");
    }
    assert_eq!(path("/x", &[]), "");
    assert!(fits("*", "") && fits("a*b*c", "a__b_c") && !fits("a*b", "a") && !fits("a", "ab"));
}

#[test]
fn whatever_clients_send_the_counts_stay_bounded() {
    let mut tally = Tally::default();
    let paths: Vec<String> = (0..50).map(|at| format!("'/{at}'")).collect();
    let how = reading(&format!("most_hosts: 200\npaths: [{}]", paths.join(", ")));
    let mut sent = 0;
    for host in 0..300 {
        let lines: Vec<String> = (0..50)
            .map(|at| {
                let method = ["GET", "PUT", "POST", "X", "HEAD"][at % 5];
                line(
                    &format!("h{host}"),
                    method,
                    &format!("/{at}"),
                    200 + at as u16,
                    0.1,
                )
            })
            .collect();
        sent += lines.len() as u64;
        tally.take(&batch(&lines), &how, 0);
    }
    let lines: Vec<String> = (100..600)
        .map(|code| line("h1", "GET", "/1", code, 0.1))
        .collect();
    tally.take(&batch(&lines), &how, 0);
    sent += 500;
    let places: Vec<&Place> = tally.places.values().flat_map(BTreeMap::values).collect();
    assert!(places.len() <= MOST_PLACES + 2, "{}", places.len());
    let counts = places.iter().flat_map(|place| &place.counts);
    assert_eq!(counts.map(|(_, _, count)| count).sum::<u64>(), sent);
    assert!(
        places
            .iter()
            .all(|place| place.counts.len() <= MOST_COUNTS + 5)
    );
}

#[test]
fn counts_and_place_come_back_from_what_is_kept() {
    let mut tally = Tally::default();
    let mut one = batch(&[line("a", "GET", "/", 200, 0.5)]);
    one.position.time_ns = Some(5);
    tally.take(&one, &reading("{}"), 7);
    let kept = serde_json::to_string(&tally).unwrap();
    let back: Tally = serde_json::from_str(&kept).unwrap();
    assert_eq!(format!("{back:?}"), format!("{tally:?}"));
    assert_eq!(back.position.time_ns, Some(5));
}
