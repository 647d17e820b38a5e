//! Places of connections. Who comes to a full house is not kept waiting by those
//! who sit there and ask for nothing: the one that has done so for the longest
//! leaves, so that a question about our health is answered in any crowd.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time;

/// Nobody is asked to leave who has just come.
const LEAST: Duration = Duration::from_millis(300);

/// Nor who was just answered: the answer may be on its way still.
const TAKE: Duration = Duration::from_secs(2);

/// The places of a listener.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Arc<Seat>>>,
}

/// The place of one connection. Requests carry it with them.
#[derive(Debug)]
pub(super) struct Seat {
    state: Mutex<State>,
    leave: Notify,
    hurry: Notify,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was taken, and nobody has looked yet whether its question is in.
    New,
    /// Its next question is not in yet.
    Waiting(Instant),
    /// The rest of a question is read, and it can be answered without it.
    Reading(Instant),
    /// It is served.
    Served,
    /// It was told to make room.
    Leaving,
}

/// A taken place; dropping it frees it.
pub(super) struct Taken {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
    _place: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            taken: Mutex::default(),
        })
    }

    /// Takes a place, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Taken {
        let place = loop {
            if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
                break place;
            }
            let wait = self.make_room(Instant::now());
            tokio::select! {
                Ok(place) = Arc::clone(&self.free).acquire_owned() => break place,
                () = time::sleep(wait) => {}
            }
        };
        let seat = Arc::new(Seat {
            state: Mutex::new(State::New),
            leave: Notify::new(),
            hurry: Notify::new(),
        });
        self.lock().push(Arc::clone(&seat));
        Taken {
            seats: Arc::clone(self),
            seat,
            _place: place,
        }
    }

    /// Asks the one who has sat there for the longest to leave; says when to ask again.
    fn make_room(&self, now: Instant) -> Duration {
        let taken = self.lock();
        let sitting = taken.iter().filter_map(|seat| Some((seat.since()?, seat)));
        let Some((since, seat)) = sitting.min_by_key(|(since, _)| *since) else {
            return LEAST;
        };
        let sat = now.saturating_duration_since(since);
        if sat < LEAST {
            return LEAST - sat;
        }
        match seat.set(State::Leaving) {
            State::Reading(_) => seat.hurry.notify_one(),
            _ => seat.leave.notify_one(),
        }
        LEAST
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The place itself.
    pub(super) fn seat(&self) -> Arc<Seat> {
        Arc::clone(&self.seat)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(at) = taken.iter().position(|seat| Arc::ptr_eq(seat, &self.seat)) {
            taken.swap_remove(at);
        }
    }
}

impl Seat {
    /// Waits until the connection is to end.
    pub(super) async fn leave(&self) {
        self.leave.notified().await;
    }

    /// Reads what a question can be answered without, until somebody needs the place.
    pub(super) async fn reading(&self, read: impl Future<Output = ()>) {
        self.set(State::Reading(Instant::now()));
        tokio::select! {
            () = self.hurry.notified() => {}
            () = read => {}
        }
        self.set(State::Served);
    }

    /// Since when it does nothing for which it would need its place.
    fn since(&self) -> Option<Instant> {
        match *self.state() {
            State::Waiting(since) | State::Reading(since) => Some(since),
            State::New | State::Served | State::Leaving => None,
        }
    }

    /// What was sent is read, and no whole question was in it.
    fn found_nothing(&self) {
        let mut state = self.state();
        if *state == State::New {
            *state = State::Waiting(Instant::now());
        }
    }

    fn set(&self, state: State) -> State {
        std::mem::replace(&mut self.state(), state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its seat when nothing more is in: on a busy machine a
/// question may have come long before anybody is free to read it.
pub(super) struct Heard {
    pub(super) stream: TcpStream,
    pub(super) seat: Arc<Seat>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            self.seat.found_nothing();
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A service that keeps account of what its connection does.
pub(super) struct Seated<S> {
    pub(super) inner: S,
    pub(super) seat: Arc<Seat>,
}

impl<S> Service<Request<Incoming>> for Seated<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.seat.set(State::Served);
        request.extensions_mut().insert(Arc::clone(&self.seat));
        let (seat, answer) = (Arc::clone(&self.seat), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            seat.set(State::Waiting(Instant::now() + TAKE));
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_who_has_sat_there_for_the_longest_makes_room() {
        let seats = Seats::new(3);
        let (first, second, third) = (seats.take().await, seats.take().await, seats.take().await);
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(seats.make_room(at(50)), LEAST, "all are new");
        first.seat.found_nothing();
        assert!(first.seat.since().is_some());
        first.seat.set(State::Served);
        first.seat.found_nothing();
        assert!(first.seat.since().is_none());
        second.seat.set(State::Waiting(at(5)));
        third.seat.set(State::Reading(at(3)));
        let wait = seats.make_room(at(3) + LEAST / 2);
        assert_eq!(wait, LEAST / 2, "nobody has sat there for long");
        seats.make_room(at(10));
        third.seat.reading(async {}).await;
        third.seat.set(State::Reading(at(3)));
        seats.make_room(at(10));
        let endless = std::future::pending();
        third.seat.reading(endless).await;
        seats.make_room(at(10));
        second.seat.leave().await;
        assert_eq!(seats.make_room(at(100)), LEAST, "the others are served");
        drop(second);
        drop((seats.take().await, first, third));
        assert_eq!(seats.free.available_permits(), 3);
        assert!(seats.lock().is_empty());
    }
}
