//! Checks of containers that do nothing but ask us how their own service is. What such
//! a check says is our own word: taken for the container's, a service that was not
//! ready once would stay so for ever.

use exporter::container::Container;

/// Options of `belfry health` and of all commands that take a word.
const WITH_WORD: [&str; 7] = ["--url", "--config", "-c", "--data", "-d", "--listen", "-l"];

/// Whether the check of a container asks for the service that it belongs to.
pub(super) fn echoes(of: &Container) -> bool {
    let full = format!("{}.{}", of.project, of.service);
    let own = [&of.name, &of.service, &full];
    asked(&of.health_command).is_some_and(|name| own.contains(&&name))
}

/// What stands between the words of a shell.
const BETWEEN: [char; 13] = [
    ' ', '\t', '\n', '\'', '"', '`', ';', '&', '|', '(', ')', '<', '>',
];

/// The service that a check asks us for, by `belfry health` or by its address, at
/// whatever host: between us and the check there may be a proxy.
fn asked(test: &[String]) -> Option<String> {
    let (kind, lines) = test.split_first()?;
    if kind != "CMD" && kind != "CMD-SHELL" {
        return None;
    }
    // A word of a command may be a line for a shell: `sh -c LINE`.
    let words: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.split(BETWEEN))
        .filter(|word| !word.is_empty())
        .collect();
    let name = by_command(&words).or_else(|| words.iter().find_map(|word| by_address(word)))?;
    Some(name.to_owned())
}

fn by_command<'a>(words: &[&'a str]) -> Option<&'a str> {
    // The first that is called so may be a folder, or a file that is looked for.
    let mut places = words.iter().enumerate().filter_map(|(at, word)| {
        let is_ours = word.rsplit('/').next() == Some("belfry");
        is_ours.then_some(at)
    });
    places.find_map(|at| asked_after(&words[at + 1..]))
}

/// The service that the words behind our own name ask for.
fn asked_after<'a>(words: &[&'a str]) -> Option<&'a str> {
    let mut rest = words.iter();
    let mut plain = std::iter::from_fn(|| {
        loop {
            let word = rest.next()?;
            if WITH_WORD.contains(word) {
                rest.next();
            } else if !word.starts_with('-') {
                return Some(*word);
            }
        }
    });
    if plain.next()? != "health" {
        return None;
    }
    plain.next()
}

fn by_address(word: &str) -> Option<&str> {
    let paths = ["/health/ready/", "/health/live/"];
    let (_, rest) = paths.iter().find_map(|path| word.split_once(path))?;
    rest.split(['?', '#', '/']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_asks_us_is_known_by_its_command_or_the_address() {
        let command = |words: &str| -> Vec<String> {
            let words = words.split(' ').map(str::to_owned);
            std::iter::once("CMD".to_owned()).chain(words).collect()
        };
        let shell = |line: &str| vec!["CMD-SHELL".to_owned(), line.to_owned()];
        let of_shell = |line: &str| ["CMD", "sh", "-c", line].map(str::to_owned).to_vec();
        for (test, expected) in [
            (command("belfry health worker"), Some("worker")),
            (
                command(
                    "/bin/belfry --data /d health --url http://10.0.0.1:9911 --live shop.worker",
                ),
                Some("shop.worker"),
            ),
            (
                command("belfry health --url=http://10.0.0.1:9911 worker"),
                Some("worker"),
            ),
            (
                shell("cd /srv && belfry health 'worker' || exit 1"),
                Some("worker"),
            ),
            (
                shell("cd /opt/belfry && belfry health worker"),
                Some("worker"),
            ),
            (
                shell("test -x /bin/belfry && belfry health worker"),
                Some("worker"),
            ),
            (shell("cd /opt/belfry && belfry ping worker"), None),
            (
                shell(
                    "wget -qO- \"http://10.0.0.1:9911/health/ready/worker?format=text\" || exit 1",
                ),
                Some("worker"),
            ),
            (
                command("curl -f http://belfry:9911/health/live/worker"),
                Some("worker"),
            ),
            // A shell that a command starts, and a proxy between.
            (
                of_shell("belfry health worker>/dev/null || exit 1"),
                Some("worker"),
            ),
            (
                of_shell("curl -fs \"https://watch.example.org/belfry/health/ready/worker\""),
                Some("worker"),
            ),
            (of_shell("test -e /ok || exit 1"), None),
            // Of Belfry itself, and of others.
            (command("belfry health"), None),
            (command("belfry ping worker"), None),
            (command("curl -f http://web:8000/health/ready"), None),
            (command("test -e /ok"), None),
            (vec!["NONE".to_owned()], None),
            (vec![], None),
        ] {
            assert_eq!(asked(&test).as_deref(), expected, "{test:?}");
        }
    }
}
