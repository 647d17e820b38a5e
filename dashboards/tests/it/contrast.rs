//! The contrast of every pair of colours that the style uses, in both themes,
//! computed as WCAG 2 asks: 4.5 for text, 3 for shapes and lines that matter.

use std::collections::BTreeMap;

type Theme = BTreeMap<String, [f64; 3]>;

fn themes() -> [Theme; 2] {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/belfry.css");
    let css = std::fs::read_to_string(path).expect("the style");
    let (light, rest) = css
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("a dark theme");
    let dark = rest.split_once("* {").expect("an end").0;
    [light, dark].map(colours)
}

fn colours(css: &str) -> Theme {
    let lines = css
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--"));
    let colour = |line: &str| {
        let (name, value) = line.split_once(": #").expect("a colour");
        let number = u32::from_str_radix(value.trim_end_matches(';'), 16).expect("six digits");
        let channel = |shift: u32| f64::from((number >> shift) & 0xff) / 255.0;
        (name.to_owned(), [channel(16), channel(8), channel(0)])
    };
    lines.map(colour).collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|c| {
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn both_themes_name_the_same_colours() {
    let [light, dark] = themes();
    assert_eq!(
        light.keys().collect::<Vec<_>>(),
        dark.keys().collect::<Vec<_>>()
    );
    assert_eq!(light.len(), 15);
}

#[test]
fn text_can_be_read_in_both_themes() {
    let tones = ["critical", "warning", "info", "fine"];
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut pair = |text: &str, ground: &str| pairs.push((text.into(), ground.into()));
    for ground in ["ground", "sheet", "critical-tint"] {
        for text in ["ink", "soft", "link"] {
            pair(text, ground);
        }
    }
    for tone in tones {
        pair(tone, "ground");
        pair(tone, "sheet");
        pair(tone, &format!("{tone}-tint"));
        pair("ink", &format!("{tone}-tint"));
    }
    // The bar at the bottom, and the same when it announces something critical.
    pair("ground", "ink");
    pair("ground", "critical");
    for theme in themes() {
        for (text, ground) in &pairs {
            let contrast = contrast(theme[text], theme[ground]);
            assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
        }
    }
}

#[test]
fn lines_that_matter_can_be_seen_in_both_themes() {
    for theme in themes() {
        for ground in ["ground", "sheet", "critical-tint"] {
            let contrast = contrast(theme["edge"], theme[ground]);
            assert!(contrast >= 3.0, "edge on {ground}: {contrast:.2}");
        }
    }
}

#[test]
fn white_can_be_read_on_the_colours_of_the_mail() {
    let html = dashboards::mail::render(&crate::mails::first())
        .unwrap()
        .html;
    let colours = html.split("background-color:#").skip(1);
    for hex in colours.map(|rest| &rest[..6]) {
        let ground = colours_of(hex);
        assert!(contrast([1.0; 3], ground) >= 4.5, "{hex}");
    }
    assert!(html.contains("background-color:#b3161d"));
}

fn colours_of(hex: &str) -> [f64; 3] {
    colours(&format!("--x: #{hex};"))["x"]
}
