//! The page as HTML, with its colours, and without a script.

use std::fmt::Write as _;

use exposition::format_value;
use jiff::Timestamp;

use super::chart::{self, COLOURS, Scale};
use super::{Question, ROWS, Row, Shown, escape};

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f4ef;--sheet:#fff;--ink:#1d1b18;--soft:#5c574f;--line:#d9d4c9;--link:#1f4fa3;--bad:#a8141b;\
--l0:#1f5fb4;--l1:#b3541e;--l2:#2c7a43;--l3:#8a3ea0;--l4:#0b7a86;--l5:#a3324f;--l6:#6b6512;--l7:#55606e}\
@media(prefers-color-scheme:dark){:root{--ground:#12151a;--sheet:#1a1f26;--ink:#ece8e1;--soft:#aaa498;--line:#313843;--link:#9cc2ff;--bad:#ff8f85;\
--l0:#7db3ff;--l1:#f2a26b;--l2:#7fd39a;--l3:#d49be6;--l4:#6fd0db;--l5:#f591ab;--l6:#d6cd5c;--l7:#aeb9c7}}\
*{box-sizing:border-box;margin:0}\
body{background:var(--ground);color:var(--ink);font:1rem/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-variant-numeric:tabular-nums;padding:1rem;overflow-wrap:anywhere}\
main{max-width:64rem;margin:auto;display:grid;gap:1rem}\
h1{font-size:1.25rem}a{color:var(--link)}small,figcaption{font-size:.875rem;color:var(--soft)}\
form{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:end}\
label{display:grid;gap:.25rem;font-size:.875rem;color:var(--soft)}\
.expr{flex:1 0 100%}\
textarea,input,select,button{font:inherit;color:var(--ink);background:var(--sheet);border:1px solid var(--soft);border-radius:.375rem;padding:.5rem .625rem;min-height:2.75rem}\
textarea{font-family:ui-monospace,monospace;width:100%;resize:vertical}input{width:13rem;max-width:100%}button{min-width:6rem}\
.fault{color:var(--bad);white-space:pre-wrap;font-family:ui-monospace,monospace}\
figure{background:var(--sheet);border:1px solid var(--line);border-radius:.5rem;padding:1rem .75rem .75rem}\
.plot{display:grid;grid-template-columns:auto 1fr;gap:.25rem .5rem}\
.y{position:relative;font-size:.8125rem;color:var(--soft)}\
.y span{display:block;text-align:right}.y i{position:absolute;right:0;font-style:normal;transform:translateY(50%)}.y span{visibility:hidden;height:0}\
svg{display:block;width:100%;height:clamp(11rem,40vh,20rem)}\
path{fill:none;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}\
.grid{stroke:var(--line);stroke-width:1}\
.x{grid-column:2;display:flex;justify-content:space-between;font-size:.8125rem;color:var(--soft);white-space:nowrap}\
@media(max-width:34rem){.x span:nth-child(even){display:none}}\
table{border-collapse:collapse;width:100%;background:var(--sheet);border:1px solid var(--line)}\
th,td{padding:.375rem .625rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}\
th{font-weight:600}td:last-child,th:last-child{text-align:right;white-space:nowrap}\
td{font-family:ui-monospace,monospace;font-size:.875rem}\
b{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.5em;background:currentColor}\
ul{padding-left:1.25rem}";

/// Ranges to choose from, as Prometheus spells durations.
const RANGES: [&str; 9] = ["5m", "15m", "1h", "3h", "6h", "12h", "1d", "7d", "30d"];

/// The head of the page and the form.
pub(super) fn open(question: &Question<'_>) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    escape(&mut out, question.expr);
    out.push_str(if question.expr.is_empty() {
        "Graph"
    } else {
        " · graph"
    });
    let _ = write!(out, "</title>\n<style>{STYLE}");
    for colour in 0..COLOURS {
        let _ = write!(
            out,
            ".l{colour}{{stroke:var(--l{colour});color:var(--l{colour})}}"
        );
    }
    out.push_str(
        "</style>\n<main>\n<h1>Graph</h1>\n<form action=\"graph\" method=\"get\">\n\
         <label class=\"expr\">Expression in PromQL\n\
         <textarea name=\"g0.expr\" rows=\"3\" spellcheck=\"false\">\n",
    );
    escape(&mut out, question.expr);
    out.push_str("</textarea></label>\n<label>Range\n<select name=\"g0.range_input\">");
    // One that came with the address stays what it is.
    let other = (!RANGES.contains(&question.range)).then_some(question.range);
    for range in other.into_iter().chain(RANGES) {
        let chosen = if range == question.range {
            " selected"
        } else {
            ""
        };
        let _ = write!(out, "<option{chosen}>");
        escape(&mut out, range);
        out.push_str("</option>");
    }
    out.push_str(
        "</select></label>\n<label>Until, in UTC\n\
         <input name=\"g0.end_input\" placeholder=\"now\" value=\"",
    );
    escape(&mut out, question.end);
    out.push_str("\"></label>\n<button>Show</button>\n</form>\n");
    out
}

/// What is wrong.
pub(super) fn fault(out: &mut String, what: &str) {
    out.push_str("<p class=\"fault\" role=\"alert\">");
    escape(out, what);
    out.push_str("</p>\n");
}

/// Picture, notes and table.
pub(super) fn body(out: &mut String, shown: &Shown, span: (i64, i64)) {
    picture(out, shown, span);
    if !shown.notes.is_empty() {
        out.push_str("<ul>");
        for note in &shown.notes {
            out.push_str("<li>");
            escape(out, note);
            out.push_str("</li>");
        }
        out.push_str("</ul>\n");
    }
    let end = Timestamp::from_millisecond(span.1 / 1000 * 1000);
    let end = end.map(|time| time.to_string()).unwrap_or_default();
    if let Some(word) = &shown.word {
        let _ = write!(out, "<p>At {end}: <strong>");
        escape(out, word);
        out.push_str("</strong></p>\n");
    } else if shown.rows.iter().all(|row| row.value.is_none()) {
        let _ = writeln!(out, "<p>No series fits at {end}.</p>");
    }
    if !shown.rows.is_empty() {
        table(out, &shown.rows, &end);
    }
}

fn picture(out: &mut String, shown: &Shown, span: (i64, i64)) {
    let Some(scale) = Scale::of(&shown.lines) else {
        return;
    };
    out.push_str("<figure>\n<div class=\"plot\"><div class=\"y\">");
    for tick in scale.ticks() {
        let (word, up) = (scale.word(tick), scale.share(tick) * 100.0);
        // The first keeps the place, the other stands beside its line.
        let _ = write!(
            out,
            "<span>{word}</span><i style=\"bottom:{up:.2}%\">{word}</i>"
        );
    }
    let _ = write!(
        out,
        "</div>\n{}\n<div class=\"x\">",
        chart::svg(&shown.lines, &scale, span)
    );
    for time in chart::times(span) {
        let _ = write!(out, "<span>{time}</span>");
    }
    out.push_str("</div></div>\n<figcaption>Times are in UTC.</figcaption>\n</figure>\n");
}

fn table(out: &mut String, rows: &[Row], end: &str) {
    let _ = writeln!(
        out,
        "<table>\n<tr><th>Series</th><th>At {}</th></tr>",
        clock(end)
    );
    for row in rows.iter().take(ROWS) {
        out.push_str("<tr><td>");
        if let Some(line) = row.line {
            let _ = write!(out, "<b class=\"l{}\"></b>", line % COLOURS);
        }
        escape(out, &row.labels.to_string());
        out.push_str("</td><td>");
        match row.value {
            Some(value) => escape(out, &format_value(value)),
            None => out.push_str("gone"),
        }
        out.push_str("</td></tr>\n");
    }
    out.push_str("</table>\n");
    if rows.len() > ROWS {
        let _ = writeln!(out, "<p>And {} more.</p>", rows.len() - ROWS);
    }
}

/// The time of day alone.
fn clock(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}

/// The end of the page.
pub(super) fn close(out: &mut String) {
    out.push_str("</main>\n</html>\n");
}
