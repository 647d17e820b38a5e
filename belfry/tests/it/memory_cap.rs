//! Memory for samples has a cap: what is too wide goes, loudly, and the watch goes on.

use std::fmt::Write as _;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::poll;

/// A page with so many series of one family.
fn flood(series: usize) -> String {
    let mut page = String::new();
    for at in 0..series {
        let _ = writeln!(page, "flood{{path=\"/a/page/with/a/long/name/{at}\"}} 1");
    }
    page
}

/// The value that a query has now.
fn value(belfry: &Belfry, query: &str) -> Option<f64> {
    // As much of it as these queries need.
    let query = [
        ("{", "%7B"),
        ("}", "%7D"),
        ("\"", "%22"),
        ("[", "%5B"),
        ("]", "%5D"),
    ]
    .iter()
    .fold(query.to_owned(), |query, (from, to)| {
        query.replace(from, to)
    });
    let answer = belfry.get(&format!("/api/v1/query?query={query}")).json();
    answer["data"]["result"][0]["value"][1]
        .as_str()?
        .parse()
        .ok()
}

#[test]
fn a_flood_of_series_costs_its_family_with_an_alert_and_nothing_else() {
    let setup = Setup::new().part("series: {memory: 4MiB}");
    let belfry = Launch::with(&setup.config()).start();
    let shed = || belfry.metric("belfry_series_shed_total");
    poll::holds("rules should see that nothing is shed", || {
        value(&belfry, "belfry_series_shed_total") == Some(0.0)
    });
    let before = belfry.metric("belfry_series").expect("a number of series");
    setup.file("textfiles/flood.prom", &flood(20_000));
    poll::holds("the family should be shed", || shed() > Some(0.0));
    poll::holds("an alert should say so", || {
        value(
            &belfry,
            "ALERTS{alertname=\"BelfrySeriesShed\",alertstate=\"firing\"}",
        )
        .is_some()
    });
    assert!(belfry.log().contains("name=\"flood\""), "{}", belfry.log());
    // The others are there as before, and take samples.
    assert_eq!(value(&belfry, "count(flood)"), None);
    let now = belfry.metric("belfry_series").expect("a number of series");
    assert!(now > before * 0.9, "{now} of {before}");
    poll::holds("the others should take samples", || {
        value(&belfry, "count_over_time(node_load1[10s])") > Some(3.0)
    });
    let memory = ["belfry_series_chunk_bytes", "belfry_series_index_bytes"]
        .map(|name| belfry.metric(name).expect("a figure"));
    assert!(memory[0] + memory[1] <= 4.2 * 1024.0 * 1024.0, "{memory:?}");
}
