//! What a store's failure is called: its status and its code, never its words,
//! which may repeat what it was sent.

use super::super::Error;

pub(super) fn why(key: &str, err: &object_store::Error) -> Error {
    use object_store::Error as Store;
    match err {
        Store::NotFound { source, .. } => {
            let said = short(&source.to_string());
            if said.contains("NoSuchBucket") {
                return Error::Refused(format!("there is no such bucket ({said})"));
            }
            Error::Missing(key.to_owned())
        }
        Store::AlreadyExists { .. } | Store::Precondition { .. } => Error::Exists(key.to_owned()),
        Store::PermissionDenied { source, .. } | Store::Unauthenticated { source, .. } => {
            Error::Refused(short(&source.to_string()))
        }
        err => {
            let said = short(&err.to_string());
            let refused = said.contains(" 403 ") || said.contains(" 401 ");
            if refused {
                Error::Refused(said)
            } else {
                Error::Failed(said)
            }
        }
    }
}

pub(super) fn late(what: &str) -> Error {
    Error::Failed(format!("{what}: no answer in time"))
}

/// The status and the code of an answer, or what kept it from coming.
pub(super) fn short(text: &str) -> String {
    let between = |from: &str, to: &[char]| {
        let (_, rest) = text.split_once(from)?;
        Some(rest.split(to).next().unwrap_or(rest).trim())
    };
    let status = between("status code: ", &[':', '\n']);
    let code = between("<Code>", &['<']);
    let request = between("Error performing ", &[' ']);
    let told: Vec<_> = [request, status, code].into_iter().flatten().collect();
    if status.is_some() || code.is_some() {
        return clip(&told.join(" "));
    }
    // No answer at all: the last cause says why.
    let cause = text.rsplit(" - ").next().unwrap_or(text);
    clip(&format!("{} {cause}", request.unwrap_or_default()))
}

fn clip(text: &str) -> String {
    let line: String = text.trim().chars().take(200).collect();
    line.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_and_the_code_of_an_answer_are_told() {
        let text = "Error performing PUT http://127.0.0.1:1/b/k in 3ms - Server returned non-2xx \
            status code: 403 Forbidden: <?xml?><Error><Code>SignatureDoesNotMatch</Code>\
            <StringToSign>secret</StringToSign></Error>";
        assert_eq!(short(text), "PUT 403 Forbidden SignatureDoesNotMatch");
        let text = "Generic S3 error: Error performing GET http://h/x in 9ms, after 2 retries - \
            HTTP error: error sending request";
        assert_eq!(short(text), "GET HTTP error: error sending request");
    }
}
