//! Upper case, lower case and title case.

pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

pub(super) fn lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

/// Each word begins with a capital; the rest stays. Go's strings.Title.
pub(super) fn words(text: &str) -> String {
    let mut before = ' ';
    text.chars()
        .map(|c| {
            let begins = separates(before);
            before = c;
            if begins { upper_char(c) } else { c }
        })
        .collect()
}

/// Each word begins with a capital and the rest is lowered, as English wants it.
pub(super) fn english(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let word = c.is_alphanumeric() || c == '_';
        // An apostrophe or a point between two letters does not end a word.
        let joins = matches!(c, '\'' | '\u{2019}' | '.' | ':' | '\u{b7}')
            && inside
            && chars.peek().is_some_and(|next| next.is_alphabetic());
        if word && !inside && c.is_alphabetic() {
            out.push(upper_char(c));
        } else {
            out.push(lower_char(c));
        }
        inside = match word {
            // Digits and underscores belong to the word, but its capital may
            // still be to come.
            true => inside || c.is_alphabetic(),
            false => joins,
        };
    }
    out
}

fn separates(c: char) -> bool {
    match c {
        '_' => false,
        c if c.is_ascii() => !c.is_ascii_alphanumeric(),
        c => !c.is_alphanumeric() && c.is_whitespace(),
    }
}

/// Go maps one character to one, so those that would become two stay.
fn upper_char(c: char) -> char {
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
}

fn lower_char(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}
