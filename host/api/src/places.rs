//! The places of a listener's open connections: since when each asks nothing, and who makes room when there is no place left.
//!
//! A connection may be kept for as long as it asks something every few seconds, which costs nothing: a few hundred would
//! lock everybody else out.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Who has a place.
#[derive(Default)]
pub(crate) struct Places {
    taken: Vec<Weak<Place>>,
    idle: Arc<Notify>,
}

/// A connection's place.
pub(crate) struct Place {
    state: Mutex<State>,
    /// Told that it is to end.
    leave: Notify,
    /// Told that somebody may be asked to leave.
    idle: Arc<Notify>,
}

struct State {
    /// When each request came whose answer's body is not all with the connection, in their order. In HTTP/1 there is one.
    asked: BTreeMap<u64, Instant>,
    /// Requests that came so far.
    count: u64,
    /// The client takes no more bytes just now.
    is_writing: bool,
    is_leaving: bool,
    changed: Instant,
}

impl State {
    fn idle_since(&self) -> Option<Instant> {
        (self.asked.is_empty() && !self.is_writing).then_some(self.changed)
    }
}

impl Places {
    pub(crate) fn take(&mut self) -> Arc<Place> {
        self.taken.retain(|place| place.strong_count() > 0);
        let (asked, changed) = (BTreeMap::new(), Instant::now());
        let state = State { asked, count: 0, is_writing: false, is_leaving: false, changed };
        let (state, leave, idle) = (Mutex::new(state), Notify::new(), Arc::clone(&self.idle));
        let place = Arc::new(Place { state, leave, idle });
        self.taken.push(Arc::downgrade(&place));
        place
    }

    /// Waits until a connection has become idle since the last wait.
    pub(crate) async fn one_idle(&self) {
        self.idle.notified().await;
    }

    /// Has the connection leave that has asked nothing for longest. One at a time: a place is all that is needed.
    pub(crate) fn make_room(&self) {
        let open: Vec<_> = self.taken.iter().filter_map(Weak::upgrade).collect();
        let idle_since = |place: &Arc<Place>| place.state().idle_since();
        let idle: Vec<_> = open.iter().filter_map(|place| Some((idle_since(place)?, place))).collect();
        if idle.iter().any(|(_, place)| place.state().is_leaving) {
            return;
        }
        if let Some((_, longest)) = idle.iter().min_by_key(|(since, _)| *since) {
            longest.state().is_leaving = true;
            longest.leave.notify_one();
        }
    }
}

impl Place {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this connection is to make room.
    pub(crate) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state().idle_since().is_some()
    }

    /// Takes note that a request came; it is answered once what this gives is dropped.
    pub(crate) fn asked(self: &Arc<Self>) -> Asked {
        let number = self.change(|state| {
            state.count += 1;
            state.asked.insert(state.count, Instant::now());
            state.count
        });
        Asked { place: Arc::clone(self), number }
    }

    /// When the first request came that is still being answered; none if there is none.
    pub(crate) fn asked_since(&self) -> Option<Instant> {
        self.state().asked.values().next().copied()
    }

    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        if self.state().is_writing != written.is_pending() {
            self.change(|state| state.is_writing = written.is_pending());
        }
        written
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        state.changed = Instant::now();
        if state.idle_since().is_some() {
            self.idle.notify_one();
        }
        changed
    }
}

/// A connection's stream, which tells its place whether its client takes what is written.
pub(crate) struct Watched<S> {
    stream: S,
    place: Arc<Place>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, place: Arc<Place>) -> Self {
        Self { stream, place }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.place.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.place.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A request that is being answered.
pub(crate) struct Asked {
    place: Arc<Place>,
    number: u64,
}

impl Asked {
    /// The answer's body, which ends the request when the connection has it all.
    pub(crate) fn answered_by(self, body: Body) -> Answering {
        Answering { body, _asked: self }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.place.change(|state| state.asked.remove(&self.number));
    }
}

/// A body on its way.
pub(crate) struct Answering {
    body: Body,
    _asked: Asked,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn is_leaving(place: &Place) -> bool {
        place.state().is_leaving
    }

    #[tokio::test]
    async fn who_has_asked_nothing_for_longest_makes_room() {
        let mut places = Places::default();
        let [first, second, third] = [places.take(), places.take(), places.take()];
        // The first begins to wait anew, the second is being answered.
        drop(first.asked());
        let asked = second.asked();
        places.make_room();
        third.told_to_leave().await;
        places.make_room();
        assert!(!is_leaving(&first) && !is_leaving(&second), "one at a time");
        drop(third);
        places.make_room();
        first.told_to_leave().await;
        drop(first);
        places.make_room();
        assert!(!is_leaving(&second), "a request is answered");
        places.one_idle().await;
        drop(asked.answered_by(Body::from("answer")));
        places.one_idle().await;
        places.make_room();
        assert!(is_leaving(&second));
    }

    #[tokio::test]
    async fn who_is_still_reading_an_answer_is_not_idle() {
        let mut places = Places::default();
        let place = places.take();
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut watched = Watched::new(ours, Arc::clone(&place));
        tokio::select! {
            biased;
            _ = watched.write_all(b"an answer") => panic!("there is room for a part of it"),
            () = std::future::ready(()) => {}
        }
        assert!(!place.is_idle());
        theirs.read_exact(&mut [0; 4]).await.unwrap();
        watched.write_all(b"end").await.unwrap();
        assert!(place.is_idle());
    }

    #[tokio::test]
    async fn who_asks_many_things_at_once_waits_for_the_first_until_it_is_answered() {
        let mut places = Places::default();
        let place = places.take();
        let (first, second) = (place.asked(), place.asked());
        let began = place.asked_since().unwrap();
        drop(second);
        assert_eq!(place.asked_since(), Some(began));
        assert!(!place.is_idle());
        drop(first);
        assert_eq!(place.asked_since(), None);
        assert!(place.is_idle());
    }

    #[tokio::test]
    async fn who_asks_after_all_keeps_nobody_from_being_asked() {
        let mut places = Places::default();
        let [first, second] = [places.take(), places.take()];
        places.make_room();
        let _asked = first.asked();
        assert!(is_leaving(&first) && !first.is_idle());
        places.make_room();
        assert!(is_leaving(&second));
    }
}
