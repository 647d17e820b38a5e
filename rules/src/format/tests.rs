use super::*;
use crate::pack;

fn formatted(text: &str) -> Formatted {
    let source = Source {
        name: "r.yml".into(),
        text: text.into(),
    };
    format(&source).unwrap()
}

#[test]
fn only_expressions_change() {
    let text = r#"# A remark.
groups:
- name:   odd
  rules:   # another
    - {alert: A, expr: up==0, labels: {severity:  info}}   # and one more
    - {alert: A2, expr: 'up{job="a"}==0'}
    - alert:    B
      expr: |   # in the head
            sum( rate(x{a='b'}[90m]) )by(job)
              >1e3   

      # behind
      for: 5m
    - record: c
      expr: "a{b='c\\d'}  *  2"
    - record: d
      expr: >-
        a
          + b

    - record: e
      expr: a+
        b
    - record: f
      expr: a{b="c",}   # why
"#;
    let wanted = r#"# A remark.
groups:
- name:   odd
  rules:   # another
    - {alert: A, expr: up == 0, labels: {severity:  info}}   # and one more
    - {alert: A2, expr: 'up{job="a"} == 0'}
    - alert:    B
      expr: |   # in the head
            sum by (job) (rate(x{a="b"}[1h30m])) > 1000   

      # behind
      for: 5m
    - record: c
      expr: "a{b=\"c\\\\d\"} * 2"
    - record: d
      expr: >-
        a
          + b

    - record: e
      expr: a +
        b
    - record: f
      expr: a{b="c"}   # why
"#;
    // `'c\\d'` in double quotes of YAML is `'c\d'`, which PromQL refuses.
    let (text, wanted) = (
        text.replace("c\\\\d", "c"),
        wanted.replace("c\\\\\\\\d", "c"),
    );
    let done = formatted(&text);
    assert_eq!(done.text, wanted);
    assert_eq!(done.left, []);
    assert_eq!(done.changed.len(), 6, "{:?}", done.changed);
    // Once is enough.
    let again = formatted(&done.text);
    assert_eq!((again.text, again.changed), (done.text, vec![]));
}

#[test]
fn what_would_lose_something_is_left_alone() {
    let text = r#"groups:
- name: g
  rules:
  - record: a
    expr: |
      a+b  # why
  - {record: b, expr: 'sum(x)by(y)'}
  - record: c
    expr: "a\x20+b"
  - record: d
    expr: &x a+b
  - record: e
    expr: *x
  - {record: f, expr: -up}
"#;
    let done = formatted(text);
    let left: Vec<String> = done.left.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "r.yml:6:7: it holds a remark, which would be lost",
            "r.yml:9:11: it is spelled with escapes of YAML",
        ]
    );
    let changed: Vec<String> = done.changed.iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["r.yml:7:23", "r.yml:11:14"]);
    assert!(done.text.contains("expr: &x a + b\n"));
    assert!(done.text.contains("expr: 'sum by (y) (x)'}"));
}

#[test]
fn a_flow_mapping_gets_quotes_where_yaml_would_see_a_comma() {
    let text = "groups: [{name: g, rules: [{record: a, expr: round(a)+b}]}]";
    assert_eq!(formatted(text).changed.len(), 1);
    let text = "groups: [{name: g, rules: [{record: a, expr: sum(a)by(b)}]}]";
    assert!(formatted(text).text.contains("expr: sum by (b) (a)}"));
}

#[test]
fn the_shipped_rules_are_in_canonical_form() {
    for source in pack::sources() {
        let done = format(&source).unwrap();
        assert_eq!(done.text, source.text, "belfry rules fmt rules/pack/*.yml");
        assert_eq!(done.left, []);
    }
}

/// The pack with its expressions mangled, as far as that changes no meaning.
#[test]
fn mangled_spaces_are_put_right_and_nothing_else_is_touched() {
    let mut mangled_files = 0;
    for source in pack::sources() {
        let mut text = String::new();
        for line in source.text.lines() {
            let (head, expr) = line.split_once("expr: ").unwrap_or((line, ""));
            let mangled = expr
                .replace(" > ", ">")
                .replace(" / ", "  /")
                .replace(" == ", " ==  ");
            text += head;
            if line.len() > head.len() {
                text += "expr: ";
            }
            text += &mangled;
            text += "\n";
        }
        // Where all is written over several lines, there is nothing to mangle.
        mangled_files += usize::from(text != source.text);
        assert_eq!(formatted(&text).text, source.text);
    }
    assert!(mangled_files >= 8, "{mangled_files}");
}

#[test]
fn a_file_with_faults_is_not_formatted() {
    let source = Source {
        name: "r.yml".into(),
        text: "groups: [{name: g, rules: [{record: a, expr: a+}]}]".into(),
    };
    assert_eq!(format(&source).unwrap_err().len(), 1);
}
