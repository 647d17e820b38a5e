//! Tables in files: `<` lines are a template, `>` lines what it makes, `!` an error.

use tmpl::{Env, Error, Functions, Mode, Template, Value};

/// One case of a file.
pub(crate) struct Case {
    template: String,
    expected: Result<String, String>,
}

pub(crate) fn read(file: &str) -> Vec<Case> {
    let one = |block: &str| {
        let lines = |mark: &str| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(mark));
            lines
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect::<Vec<_>>()
        };
        let error = lines("!").join("\n");
        Case {
            template: lines("<").join("\n"),
            expected: if error.is_empty() {
                Ok(lines(">").join("\n"))
            } else {
                Err(error)
            },
        }
    };
    file.split("\n\n")
        .filter(|block| block.starts_with('<'))
        .map(one)
        .collect()
}

/// Compares all cases and reports every one that differs.
pub(crate) fn check(file: &str, least: usize, render: impl Fn(&str) -> Result<String, Error>) {
    let cases = read(file);
    assert!(cases.len() >= least, "only {} cases were read", cases.len());
    let mut wrong = String::new();
    for Case { template, expected } in &cases {
        let got = render(template).map_err(|err| err.to_string());
        if got != *expected {
            wrong += &format!("{template}\n  wanted {expected:?}\n  got    {got:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What the templates of the language's own tables see.
pub(crate) fn data() -> Value {
    let words = ["b", "a", "c"];
    let time = |ms| Value::time_ms(ms);
    Value::map([
        ("Name", "Ann".into()),
        ("N", 7.into()),
        ("F", 1.5.into()),
        ("T", true.into()),
        ("Empty", "".into()),
        ("Zero", 0.into()),
        ("Nil", Value::Nil),
        ("Ints", Value::list([1, 2, 3].map(Value::Int))),
        ("Words", Value::strings(words)),
        ("None", Value::strings([""; 0])),
        ("Map", Value::texts([("b", "2"), ("a", "1")])),
        (
            "Any",
            Value::map([
                ("k", 1.into()),
                ("s", "x".into()),
                ("deep", Value::map([("x", "y".into())])),
            ]),
        ),
        ("Html", "<a href=\"x\">O'Neil & co</a>".into()),
        ("NaN", f64::NAN.into()),
        ("Inf", f64::INFINITY.into()),
        ("NInf", f64::NEG_INFINITY.into()),
        ("T0", time(1_700_000_000_123)),
        ("T1", time(-62_135_596_800_000)),
        ("D", Value::Duration(5_401_500_000_000)),
        ("Url", "https://a.b/c d?x=1&y=<2>".into()),
        ("Bad", "javascript:alert(1)".into()),
        (
            "Safe",
            Value::Trusted(tmpl::Trust::Html, "<b>x</b>&amp;".into()),
        ),
        ("Color", "#ff0000".into()),
        ("Evil", "red;background:url(x)".into()),
        ("Q", "a b&c".into()),
    ])
}

pub(crate) fn render(template: &str, functions: Functions, mode: Mode) -> Result<String, Error> {
    let env = Env::at(1_700_000_000_123, "https://belfry.example/alerts");
    Template::parse(template, functions)?.execute(&data(), &env, mode)
}

#[test]
fn the_language_and_its_functions_are_gos() {
    check(include_str!("../cases/language.txt"), 170, |template| {
        render(template, Functions::builtin(), Mode::Text)
    });
}

#[test]
fn values_in_a_page_are_escaped_by_their_place_as_go_does() {
    check(include_str!("../cases/html.txt"), 35, |template| {
        render(template, Functions::alertmanager(), Mode::Html)
    });
}
