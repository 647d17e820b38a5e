//! `match[]`: selectors of series.

use series::Matcher;

use crate::ask::Ask;
use crate::failure::Failure;

/// The most bytes of all selectors of a question.
const MOST_BYTES: usize = 64 << 10;

/// The most selectors of a question.
const MOST: usize = 1000;

/// Reads one selector: a name, conditions, and nothing else.
pub(crate) fn selector(text: &str) -> Result<Vec<Matcher>, String> {
    let expr = promql::parse(text).map_err(|err| err.to_string())?;
    if let [selector] = expr.selectors()[..] {
        let span = selector.span();
        let around = [&text[..span.start], &text[span.end..]];
        if around.iter().all(|text| text.trim().is_empty()) {
            return Ok(selector.matchers().to_vec());
        }
    }
    Err("1:1: parse error: expected a metric selector".into())
}

/// Checks all selectors, then shows them one after the other, so that only one
/// set of compiled patterns is held at a time. Says how many there are.
pub(crate) fn each(
    ask: &Ask,
    refused: impl Fn(String) -> Failure,
    mut show: impl FnMut(&[Matcher]),
) -> Result<usize, Failure> {
    let texts: Vec<&str> = ask.form.all("match[]").collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    if texts.len() > MOST || bytes > MOST_BYTES {
        return Err(refused(format!(
            "more than {MOST} selectors or {MOST_BYTES} bytes of them"
        )));
    }
    if texts.len() > 1 {
        for text in &texts {
            ask.go_on()?;
            selector(text).map_err(&refused)?;
        }
    }
    for text in &texts {
        ask.go_on()?;
        show(&selector(text).map_err(&refused)?);
    }
    Ok(texts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_name_and_conditions_and_nothing_else() {
        for text in [
            "up",
            " up ",
            r#"{job="x"}"#,
            r#"up{a=~"b.*",c!="d"}"#,
            r#"{"a.b"}"#,
        ] {
            assert!(selector(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "1",
            "up[5m]",
            "up offset 1m",
            "up @ 1",
            "(up)",
            "up + up",
            "-up",
            "{}",
            "up{",
        ] {
            assert!(selector(text).is_err(), "{text}");
        }
    }
}
