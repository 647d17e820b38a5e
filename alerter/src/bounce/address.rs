//! Addresses as reports and people write them.

use super::TEXT;

/// Addresses of a text at most.
const MOST: usize = 20;

/// The address in `rfc822; <kim@example.org> (Kim)`; nothing if there is none.
pub(super) fn of_field(value: &str) -> Option<String> {
    let value = match value.split_once(';') {
        Some((kind, rest)) if !kind.contains('@') => rest,
        _ => value,
    };
    in_text(value).into_iter().next()
}

/// All that looks like an address, in the order of the text, each once.
pub(super) fn in_text(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let apart = |letter: char| letter.is_whitespace() || "<>()[]{},;:\"'|".contains(letter);
    for word in text.split(apart) {
        let word = word.trim_matches(['.', '`', '*']);
        if is_one(word) && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// Whether two are the same for the servers that we know: none parts by case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn is_one(word: &str) -> bool {
    let Some((local, domain)) = word.rsplit_once('@') else {
        return false;
    };
    let domain_letter = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '.';
    !local.is_empty()
        && !domain.is_empty()
        && word.len() <= TEXT
        && domain.chars().all(domain_letter)
        && !word.chars().any(char::is_control)
}
