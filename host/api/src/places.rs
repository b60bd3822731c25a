//! The places of a listener's open connections: since when each asks nothing, and who makes room when there is no place left.
//!
//! A connection may be kept for as long as it asks something every few seconds, which costs nothing: a few hundred would
//! lock everybody else out.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Instant;
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
    /// None while a request is answered.
    idle_since: Option<Instant>,
    is_leaving: bool,
}

impl Places {
    pub(crate) fn take(&mut self) -> Arc<Place> {
        self.taken.retain(|place| place.strong_count() > 0);
        let state = Mutex::new(State { idle_since: Some(Instant::now()), is_leaving: false });
        let place = Arc::new(Place { state, leave: Notify::new(), idle: Arc::clone(&self.idle) });
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
        let idle = open.iter().filter_map(|place| {
            let state = place.state();
            Some((state.idle_since?, state.is_leaving, place))
        });
        let idle: Vec<_> = idle.collect();
        if idle.iter().any(|(_, is_leaving, _)| *is_leaving) {
            return;
        }
        if let Some((.., longest)) = idle.iter().min_by_key(|(since, ..)| *since) {
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
        self.state().idle_since.is_some()
    }

    /// Takes note that a request came; it is answered once what this gives is dropped.
    pub(crate) fn asked(self: &Arc<Self>) -> Asked {
        self.state().idle_since = None;
        Asked(Arc::clone(self))
    }
}

/// A request that is being answered.
pub(crate) struct Asked(Arc<Place>);

impl Asked {
    /// The answer's body, which ends the request when it is written.
    pub(crate) fn answered_by(self, body: Body) -> Answering {
        Answering { body, _asked: self }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.state().idle_since = Some(Instant::now());
        self.0.idle.notify_one();
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
