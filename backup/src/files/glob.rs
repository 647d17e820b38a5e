//! Patterns for paths: `*` and `?` stand for anything within a name, `**` for any
//! number of folders. One without a slash is matched with the last name alone.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    parts: Vec<Vec<u8>>,
    anywhere: bool,
}

impl Glob {
    /// Reads one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let trimmed = text.trim_matches('/');
        let anywhere = !trimmed.contains('/') && !text.starts_with('/');
        let parts = trimmed
            .split('/')
            .map(|part| part.as_bytes().to_vec())
            .collect();
        Self { parts, anywhere }
    }

    /// Whether it means this path, or a folder that it is in.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        if self.anywhere {
            return names.iter().any(|name| name_matches(&self.parts[0], name));
        }
        (1..=names.len()).any(|end| path_matches(&self.parts, &names[..end]))
    }
}

fn path_matches(parts: &[Vec<u8>], names: &[&[u8]]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((part, rest)), _) if part == b"**" => {
            path_matches(rest, names) || (!names.is_empty() && path_matches(parts, &names[1..]))
        }
        (Some((part, parts)), Some((name, names))) => {
            name_matches(part, name) && path_matches(parts, names)
        }
        _ => false,
    }
}

/// One star can be given back at a time: the last one decides.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut on) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while on < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, on));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[on] => {
                at += 1;
                on += 1;
            }
            _ => match star {
                Some((back, taken)) => {
                    star = Some((back, taken + 1));
                    at = back + 1;
                    on = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        for (pattern, path, meant) in [
            ("*.log", "a/b.log", true),
            ("*.log", "a/b.log/c", true),
            ("*.log", "a/b.logs", false),
            ("cache", "x/cache/y", true),
            ("cache", "x/caches", false),
            ("/cache", "cache/y", true),
            ("/cache", "x/cache", false),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("a/**/c", "a/b/b/c/d", true),
            ("a/**/c", "a/c", true),
            ("**/tmp/*", "a/tmp/x", true),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("a*b*c", "aXbXbXc", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(path.as_bytes()),
                meant,
                "{pattern} {path}"
            );
        }
    }
}
