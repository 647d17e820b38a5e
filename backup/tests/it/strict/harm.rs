//! What can happen to a request, and to what is answered.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, stream};

/// Which requests something happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Create,
    Part,
    Complete,
    Abort,
    Put,
    Get,
    Head,
    List,
    Uploads,
    Delete,
}

/// What happens to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Harm {
    /// This status, and the code; the server hears nothing of it.
    Answer(u16, &'static str),
    /// The connection ends; the server hears nothing of it.
    Reset,
    /// The server does it, and its answer is lost.
    LoseAnswer,
    /// The server does it, and this status is told.
    Lie(u16, &'static str),
    /// 200, with an error inside.
    ErrorInside,
    /// A bit of what is sent is changed on the way.
    CorruptUp,
    /// A bit of what is fetched is changed on the way.
    CorruptDown,
    /// What is fetched ends early, as if it were no longer.
    CutDown,
    /// What is fetched has a byte more at its end.
    LongDown,
    /// A listing is told to go on and on.
    Endless,
    /// Half of what a listing should tell is missing: its end, or else its beginning.
    LosePage(bool),
    /// Half of what a listing tells is told twice.
    TwicePage,
    /// What is fetched comes in so many pieces, half a second apart.
    Slow(usize),
    /// The first half of what is fetched comes, and then nothing more.
    Stall,
    /// There is never an answer; the server hears nothing of it.
    Hang,
    /// The server does it, and the connection ends within its answer.
    Torn,
    /// The server does it, and another ETag is told.
    WrongEtag,
}

/// What a listing ends with that has no more.
const WHOLE: &str = "<IsTruncated>false</IsTruncated>";

impl Harm {
    /// Strikes before the server hears of the request.
    pub(super) fn is_early(self) -> bool {
        matches!(
            self,
            Self::Answer(..) | Self::Reset | Self::Hang | Self::ErrorInside | Self::CorruptUp
        )
    }

    /// Whether there is anything in the server's answer that it strikes.
    pub(super) fn finds(self, answer: &[u8]) -> bool {
        match self {
            Self::CorruptDown | Self::CutDown | Self::LongDown | Self::Slow(_) | Self::Stall => {
                !answer.is_empty()
            }
            Self::LosePage(_) | Self::TwicePage => pages(answer, None).is_some(),
            Self::Endless => String::from_utf8_lossy(answer).contains(WHOLE),
            _ => true,
        }
    }
}

/// A listing of which half is missing, or half is told twice; nothing where it has no
/// two halves.
pub(super) fn pages(answer: &[u8], harm: Option<Harm>) -> Option<Bytes> {
    let text = String::from_utf8_lossy(answer);
    let (from, to) = (text.find("<Contents>")?, text.rfind("</Contents>")?);
    let (head, rest) = text.split_at(from);
    let (entries, tail) = rest.split_at(to - from + "</Contents>".len());
    let entries: Vec<_> = entries.split_inclusive("</Contents>").collect();
    let (first, second) = entries.split_at(entries.len() / 2);
    let (first, second) = (first.concat(), second.concat());
    let told = match harm {
        Some(Harm::LosePage(true)) => [head, &first, tail].concat(),
        Some(Harm::LosePage(false)) => [head, &second, tail].concat(),
        _ => [head, &first, &first, &second, tail].concat(),
    };
    (!first.is_empty()).then(|| told.into())
}

/// A listing that says that there is more, whatever comes.
pub(super) fn endless(answer: &[u8]) -> Bytes {
    let more =
        "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>";
    String::from_utf8_lossy(answer).replace(WHOLE, more).into()
}

/// A body in so many pieces, half a second apart.
pub(super) fn slow(bytes: &[u8], pieces: usize) -> Body {
    let size = bytes.len().div_ceil(pieces).max(1);
    let pieces: Vec<_> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    let slowly = stream::unfold(pieces.into_iter(), |mut left| async {
        let next = left.next()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Some((Ok::<_, io::Error>(next), left))
    });
    Body::from_stream(slowly)
}

/// The first half of a body, and no end.
pub(super) fn stalled(bytes: &Bytes) -> Body {
    let half = bytes.slice(..bytes.len().div_ceil(2));
    let stalls = stream::once(async { Ok::<_, io::Error>(half) });
    Body::from_stream(stalls.chain(stream::pending()))
}

/// An answer whose body comes as it does; its length stays.
pub(super) fn streamed(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response {
    headers.remove("transfer-encoding");
    let mut answer = Response::new(body);
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    answer
}
