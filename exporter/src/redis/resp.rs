//! The wire format of Redis: questions as bytes, answers out of bytes.
//!
//! An answer comes from outside and may be anything. What is read here is
//! bounded in size, count and depth, and nothing is set aside for what an
//! answer only claims to bring.

/// The largest answer that is read.
pub(crate) const MOST_BYTES: usize = 1 << 20;
const MOST_ITEMS: usize = 1 << 14;
const MOST_DEPTH: usize = 4;
/// A line that is not content: a status, a number, a length.
const LONGEST_LINE: usize = 1 << 10;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Text(Vec<u8>),
    Number(i64),
    List(Vec<Answer>),
    Nothing,
    /// The server's refusal: only the word that it begins with, since the rest
    /// may repeat what it was sent.
    Refusal(String),
}

/// The bytes are no answer, or one that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Answer {
    pub(crate) fn text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(bytes) => Some(String::from_utf8_lossy(bytes)),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

/// Adds a question to what is sent.
pub(crate) fn ask(out: &mut Vec<u8>, words: &[&str]) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend(word.bytes());
        out.extend(b"\r\n");
    }
}

/// The first answer in `bytes` and its length; `None` while it is not all there.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Malformed> {
    let mut reader = Reader {
        bytes,
        at: 0,
        items: 0,
    };
    match reader.answer(0) {
        Ok(answer) => Ok(Some((answer, reader.at))),
        // More will not help.
        Err(Short::Incomplete) if bytes.len() >= MOST_BYTES => Err(Malformed),
        Err(Short::Incomplete) => Ok(None),
        Err(Short::Malformed) => Err(Malformed),
    }
}

enum Short {
    Incomplete,
    Malformed,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl<'a> Reader<'a> {
    fn answer(&mut self, depth: usize) -> Result<Answer, Short> {
        self.items += 1;
        if depth > MOST_DEPTH || self.items > MOST_ITEMS {
            return Err(Short::Malformed);
        }
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or(Short::Malformed)?;
        match kind {
            b'+' => Ok(Answer::Text(rest.to_vec())),
            b'-' => Ok(Answer::Refusal(code(rest))),
            b':' => number(rest).map(Answer::Number),
            b'$' => match number(rest)? {
                -1 => Ok(Answer::Nothing),
                length => self.content(length).map(Answer::Text),
            },
            b'*' => match number(rest)? {
                -1 => Ok(Answer::Nothing),
                length => {
                    let length = usize::try_from(length).map_err(|_| Short::Malformed)?;
                    if length > MOST_ITEMS {
                        return Err(Short::Malformed);
                    }
                    let mut items = Vec::new();
                    for _ in 0..length {
                        items.push(self.answer(depth + 1)?);
                    }
                    Ok(Answer::List(items))
                }
            },
            _ => Err(Short::Malformed),
        }
    }

    fn line(&mut self) -> Result<&'a [u8], Short> {
        let rest = &self.bytes[self.at..];
        let window = &rest[..rest.len().min(LONGEST_LINE)];
        match window.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                self.at += end + 2;
                Ok(&rest[..end])
            }
            None if rest.len() < LONGEST_LINE => Err(Short::Incomplete),
            None => Err(Short::Malformed),
        }
    }

    fn content(&mut self, length: i64) -> Result<Vec<u8>, Short> {
        let length = usize::try_from(length).map_err(|_| Short::Malformed)?;
        if length > MOST_BYTES {
            return Err(Short::Malformed);
        }
        let rest = &self.bytes[self.at..];
        if rest.len() < length + 2 {
            return Err(Short::Incomplete);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(Short::Malformed);
        }
        self.at += length + 2;
        Ok(rest[..length].to_vec())
    }
}

fn number(digits: &[u8]) -> Result<i64, Short> {
    let text = std::str::from_utf8(digits).map_err(|_| Short::Malformed)?;
    text.parse().map_err(|_| Short::Malformed)
}

/// The word in capitals that a refusal begins with.
fn code(refusal: &[u8]) -> String {
    let word = refusal.split(|byte| *byte == b' ').next();
    let word = word.unwrap_or_default();
    if word.is_empty() || word.len() > 24 || !word.iter().all(u8::is_ascii_uppercase) {
        return "an error".to_owned();
    }
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Answer {
        let (answer, length) = parse(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        answer
    }

    #[test]
    fn every_kind_of_answer_is_read() {
        let text = |text: &str| Answer::Text(text.into());
        for (bytes, answer) in [
            ("+OK\r\n", text("OK")),
            (":-7\r\n", Answer::Number(-7)),
            ("$5\r\na\r\nbc\r\n", text("a\r\nbc")),
            ("$-1\r\n", Answer::Nothing),
            ("*-1\r\n", Answer::Nothing),
            ("*0\r\n", Answer::List(vec![])),
            (
                "*2\r\n$1\r\na\r\n*1\r\n:3\r\n",
                Answer::List(vec![text("a"), Answer::List(vec![Answer::Number(3)])]),
            ),
            (
                "-NOAUTH Authentication\r\n",
                Answer::Refusal("NOAUTH".into()),
            ),
        ] {
            assert_eq!(whole(bytes.as_bytes()), answer, "{bytes:?}");
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes.as_bytes()[..cut]), Ok(None), "{bytes:?} {cut}");
            }
        }
    }

    #[test]
    fn lies_about_size_are_refused_before_anything_is_set_aside() {
        let deep = "*1\r\n".repeat(9);
        let many = format!("*16000\r\n{}", "*1000\r\n".repeat(16000));
        let long = "+".repeat(5000);
        for bytes in [
            "$99999999999\r\n",
            "$-2\r\n",
            "*99999999\r\n",
            "*-5\r\n",
            "$1\r\nabc",
            ":many\r\n",
            "hello\r\n",
            "\r\n",
            &deep,
            &many,
            &long,
        ] {
            let start = &bytes[..bytes.len().min(20)];
            assert_eq!(parse(bytes.as_bytes()), Err(Malformed), "{start:?}");
        }
        // One that never ends: it is given up at the limit.
        let mut endless = format!("${MOST_BYTES}\r\n").into_bytes();
        endless.resize(MOST_BYTES, b'x');
        assert_eq!(parse(&endless), Err(Malformed));
    }

    #[test]
    fn a_refusal_says_no_more_than_its_code() {
        let said = b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2'\r\n";
        assert_eq!(whole(said), Answer::Refusal("ERR".into()));
        assert_eq!(
            whole(b"-hunter2 is wrong\r\n"),
            Answer::Refusal("an error".into())
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_refused_and_never_more_than_there_are(
            bytes in "[-+:$*0-9\\r\\n a-z]{0,200}",
            noise in proptest::collection::vec(proptest::num::u8::ANY, 0..100),
        ) {
            for bytes in [bytes.as_bytes(), &noise] {
                if let Ok(Some((_, length))) = parse(bytes) {
                    assert!(length <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn questions_carry_their_lengths() {
        let mut out = Vec::new();
        ask(&mut out, &["AUTH", "a b\r\n"]);
        assert_eq!(out, b"*2\r\n$4\r\nAUTH\r\n$5\r\na b\r\n\r\n");
    }
}
