//! A runbook as text of 80 columns. Prose is wrapped; commands stand on lines
//! of their own, whole, so that they can be copied.

/// So wide is a line of prose at most.
const WIDTH: usize = 80;

/// Renders the Markdown that runbooks are written in.
pub(super) fn render(markdown: &str) -> String {
    let mut out = String::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            fenced(kind, &mut lines, &mut out);
        } else if let Some(title) = line.strip_prefix("# ") {
            heading(title, '=', &mut out);
        } else if let Some(title) = line.strip_prefix("## ") {
            heading(title, '-', &mut out);
        } else if let Some(title) = line.strip_prefix("### ") {
            wrap(title, "* ", "  ", &mut out);
        } else if let Some((number, step)) = numbered(line) {
            numbered_step(number, step, &mut out);
        } else if line.is_empty() {
            out.push('\n');
        } else {
            wrap(line, "", "", &mut out);
        }
    }
    out
}

fn heading(title: &str, mark: char, out: &mut String) {
    wrap(title, "", "", out);
    let width = title.chars().count().min(WIDTH);
    out.extend(std::iter::repeat_n(mark, width));
    out.push('\n');
}

fn fenced<'a>(kind: &str, lines: &mut impl Iterator<Item = &'a str>, out: &mut String) {
    let told = match kind {
        "sh read-only" => "looks only:",
        "sh changing" => "changes something:",
        _ => "",
    };
    if !told.is_empty() {
        out.push_str(told);
        out.push('\n');
    }
    for line in lines.take_while(|line| *line != "```") {
        out.push_str("    ");
        out.push_str(line);
        out.push('\n');
    }
}

fn numbered(line: &str) -> Option<(&str, &str)> {
    let (number, step) = line.split_once(". ")?;
    number.parse::<u8>().ok().map(|_| (number, step))
}

/// What to see, and below it the command that shows it.
fn numbered_step(number: &str, step: &str, out: &mut String) {
    let lead = format!("{number}. ");
    let hang = " ".repeat(lead.len());
    let command = step
        .strip_suffix('`')
        .and_then(|step| step.split_once(": `"))
        .filter(|(_, command)| !command.contains('`'));
    match command {
        Some((what, command)) => {
            wrap(&format!("{what}:"), &lead, &hang, out);
            out.push_str(&hang);
            out.push_str("   ");
            out.push_str(command);
            out.push('\n');
        }
        None => wrap(step, &lead, &hang, out),
    }
}

/// Words in lines; the first begins with `lead`, the others with `hang`. What
/// stands between backticks is not parted.
fn wrap(text: &str, lead: &str, hang: &str, out: &mut String) {
    let mut line = lead.to_owned();
    let mut empty = true;
    for word in words(text) {
        let width = line.chars().count() + usize::from(!empty) + word.chars().count();
        if !empty && width > WIDTH {
            out.push_str(&line);
            out.push('\n');
            hang.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}

/// Words, of which one may be a whole command between backticks if it is short.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '`' => quoted = !quoted,
            ' ' if !quoted => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out.retain(|word| !word.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_and_commands_are_whole() {
        let long = "word ".repeat(30);
        let text = format!(
            "# A title\n\nAlerts: A, B\n\n## First look\n\n1. See it: `df -h; df -i`\n2. {long}\n\n### A cause\n\n{long}\n\n```sh changing\ndocker compose up -d {}\n```\n",
            "x".repeat(90)
        );
        let out = render(&text);
        for part in [
            "A title\n=======\n\nAlerts: A, B\n\nFirst look\n----------\n\n",
            "1. See it:\n      df -h; df -i\n2. word word",
            "\n   word word",
            "* A cause\n",
            "changes something:\n    docker compose up -d xxx",
        ] {
            assert!(out.contains(part), "{part:?} in\n{out}");
        }
        for line in out.lines().filter(|line| !line.starts_with("    docker")) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn every_shipped_runbook_fits_but_for_commands() {
        for (name, text) in rules::RUNBOOKS {
            let out = render(text);
            for line in out.lines() {
                let command = line.starts_with("    ") || line.contains('`');
                assert!(command || line.chars().count() <= WIDTH, "{name}: {line}");
            }
            assert!(!out.contains("```") && !out.contains("\n#"), "{name}");
        }
    }
}
