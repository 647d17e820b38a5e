use super::*;

/// The number of lines of each entry, and whether it is a traceback.
fn shape(text: &str) -> Vec<(usize, bool)> {
    let mut entries = Entries::new(1000);
    let mut told = 0;
    for line in text.lines() {
        told += usize::from(entries.add(line, 0));
    }
    let (all, _) = entries.all();
    let shape: Vec<_> = all
        .iter()
        .map(|entry| (entry.lines.len(), entry.traceback))
        .collect();
    assert_eq!(
        told,
        shape.iter().filter(|(_, traceback)| *traceback).count()
    );
    shape
}

#[test]
fn a_traceback_of_python_is_one_entry_with_its_causes() {
    let text = "\
starting
2024-01-01 ERROR Traceback (most recent call last):
  File \"/app/a.py\", line 1, in f
    x()
    ^^^
ValueError: bad

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/a.py\", line 3, in g
KeyError: 'a'
next line
another";
    assert_eq!(
        shape(text),
        [(1, false), (11, true), (1, false), (1, false)]
    );
}

#[test]
fn a_stack_of_java_is_one_entry_with_its_causes() {
    let text = "\
INFO a
Exception in thread \"main\" java.lang.RuntimeException: x
\tat com.example.A.b(A.java:5)
\tat com.example.A.main(A.java:9)
Caused by: java.io.IOException: y
\tat com.example.C.d(C.java:1)
\t... 12 more
INFO b
java.lang.IllegalStateException: without the thread
\tat com.example.A.b(A.java:5)
INFO c";
    assert_eq!(
        shape(text),
        [(1, false), (6, true), (1, false), (2, true), (1, false)]
    );
}

#[test]
fn a_panic_of_go_and_an_error_of_node_are_one_entry_each() {
    let go = "\
listening
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.f(0x1, 0x2)
\t/src/a.go:7 +0x1d
created by main.main
\t/src/a.go:3 +0x1a
exit status 2
started again";
    assert_eq!(shape(go), [(1, false), (8, true), (1, false)]);
    let node = "\
listening
TypeError: Cannot read properties of undefined (reading 'a')
    at f (/app/a.js:3:5)
    at node:internal/main:1:1 {
  code: 'X'
}
next";
    let shape = shape(node);
    assert_eq!(shape[..2], [(1, false), (4, true)]);
}

#[test]
fn lines_are_bounded_in_number_width_and_height_and_have_no_colours() {
    let mut entries = Entries::new(10);
    entries.add("Traceback (most recent call last):", 1);
    for number in 0..500 {
        entries.add(&format!("  File \"a.py\", line {number}"), 1);
    }
    entries.add("ValueError: the last line stays", 1);
    let (all, _) = entries.all();
    let (first, last) = (&all[0].lines[1], all[0].lines.last().unwrap());
    assert_eq!(
        (first.as_str(), last.as_str()),
        ("  File \"a.py\", line 0", "ValueError: the last line stays")
    );
    assert_eq!((all[0].lines.len(), all[0].left_out), (TALLEST, 402));
    for number in 0..50 {
        let line = format!("\u{1b}[31mline\u{1b}[0m {number}\u{7}");
        entries.add(&readable(line.as_bytes()), 2);
    }
    entries.add(&"ü".repeat(5000), 2);
    let (all, tracebacks) = entries.all();
    assert_eq!(all.len(), 10);
    assert_eq!(all[8].lines, ["line 49"]);
    assert!(all[9].lines[0].len() <= WIDEST + 4);
    assert_eq!((tracebacks.len(), tracebacks[0].left_out), (1, 402));
}
