//! The places of a listener's open connections: what each waits for, and who makes room when there is no place left.
//!
//! A connection may be kept for as long as it asks something every few seconds, sends half a body or reads no answer, which
//! costs nothing: a few hundred would lock everybody else out. So whoever waits for its client makes room: first who asks
//! nothing, for longest; then, of whoever has most that keep us waiting, the one that does so for longest.

use crate::body::PACE_BYTES;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use types::TenantId;

/// How long the client of a request may keep us waiting before its connection may be asked to make room.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// What is read of a client that is still sending once it is answered, and for how long.
const LINGER_BYTES_MAX: usize = 64 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

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
    /// Whose key came over it last.
    whose: Option<TenantId>,
    /// The requests whose answer's body is not all with the connection, in the order in which they came. In HTTP/1 there is one.
    asked: BTreeMap<u64, Request>,
    /// Requests that came so far.
    count: u64,
    /// Since when the client takes no more bytes.
    unread: Option<Instant>,
    /// Whether a request was answered before all of its body had come: the client may still be sending it.
    is_unwanted: bool,
    is_leaving: bool,
    changed: Instant,
}

struct Request {
    came: Instant,
    /// When its body went on last, until all of it has come.
    sending: Option<Instant>,
    /// Since when its answer's next bytes are the client's to take.
    taking: Option<Instant>,
}

/// What a connection waits for its client to do, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waiting {
    /// To ask something.
    Idle(Instant),
    /// To go on with what it has begun.
    Stalled(Instant),
}

impl State {
    fn waiting(&self) -> Option<Waiting> {
        // All that is asked is still being sent, or its answer not taken.
        let sending = || self.asked.values().map(|request| request.sending.or(request.taking)).min().flatten();
        match (self.unread, self.asked.is_empty()) {
            (Some(since), _) => Some(Waiting::Stalled(since)),
            (None, true) => Some(Waiting::Idle(self.changed)),
            (None, false) => sending().map(Waiting::Stalled),
        }
    }
}

impl Places {
    pub(crate) fn take(&mut self) -> Arc<Place> {
        self.taken.retain(|place| place.strong_count() > 0);
        let (whose, asked, changed) = (None, BTreeMap::new(), Instant::now());
        let state = State { whose, asked, count: 0, unread: None, is_unwanted: false, is_leaving: false, changed };
        let (state, leave, idle) = (Mutex::new(state), Notify::new(), Arc::clone(&self.idle));
        let place = Arc::new(Place { state, leave, idle });
        self.taken.push(Arc::downgrade(&place));
        place
    }

    /// Waits until a connection has become idle since the last wait.
    pub(crate) async fn one_idle(&self) {
        self.idle.notified().await;
    }

    /// Has a connection leave that waits for its client, if there is one. One at a time: a place is all that is needed.
    pub(crate) fn make_room(&self, now: Instant) {
        let open: Vec<_> = self.taken.iter().filter_map(Weak::upgrade).collect();
        let mut idle: Option<(Instant, &Arc<Place>)> = None;
        let mut stalled: BTreeMap<Option<TenantId>, Vec<(Instant, &Arc<Place>)>> = BTreeMap::new();
        for place in &open {
            let state = place.state();
            match state.waiting() {
                Some(_) if state.is_leaving => return,
                Some(Waiting::Idle(since)) if idle.is_none_or(|(longest, _)| since < longest) => {
                    idle = Some((since, place));
                }
                Some(Waiting::Stalled(since)) if since + PATIENCE <= now => {
                    stalled.entry(state.whose.clone()).or_default().push((since, place));
                }
                _ => {}
            }
        }
        let most = || stalled.into_values().max_by_key(Vec::len)?.into_iter().min_by_key(|(since, _)| *since);
        if let Some((_, place)) = idle.or_else(most) {
            place.state().is_leaving = true;
            place.leave.notify_one();
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

    pub(crate) fn waiting(&self) -> Option<Waiting> {
        self.state().waiting()
    }

    /// Takes note of whose key came with a request.
    pub(crate) fn is_of(&self, tenant: &TenantId) {
        let mut state = self.state();
        if state.whose.as_ref() != Some(tenant) {
            state.whose = Some(tenant.clone());
        }
    }

    /// Takes note that a request came, whose body is yet to come or not; it is answered once what this gives is dropped.
    pub(crate) fn asked(self: &Arc<Self>, is_sending: bool) -> Asked {
        let number = self.change(|state| {
            let came = Instant::now();
            state.count += 1;
            state.asked.insert(state.count, Request { came, sending: is_sending.then_some(came), taking: None });
            state.count
        });
        Asked { place: Arc::clone(self), number }
    }

    /// When the first request came that is still being answered; none if there is none.
    pub(crate) fn asked_since(&self) -> Option<Instant> {
        self.state().asked.values().next().map(|request| request.came)
    }

    /// Since when the client takes no more bytes, though there are some; none if it takes them.
    pub(crate) fn unread_since(&self) -> Option<Instant> {
        self.state().unread
    }

    /// Takes note that a request's body went on, or has all come.
    fn sent(&self, number: u64, sending: Option<Instant>) {
        if let Some(request) = self.state().asked.get_mut(&number) {
            request.sending = sending;
        }
    }

    /// Takes note that there are bytes of an answer to take, or none just now.
    fn took(&self, number: u64, taking: Option<Instant>) {
        if let Some(request) = self.state().asked.get_mut(&number) {
            request.taking = taking;
        }
    }

    /// Takes note that nobody wants the rest of a request's body.
    fn unwanted(&self, number: u64) {
        self.sent(number, None);
        self.state().is_unwanted = true;
    }

    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        if self.state().unread.is_some() != written.is_pending() {
            self.change(|state| state.unread = written.is_pending().then(Instant::now));
        }
        written
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        state.changed = Instant::now();
        if matches!(state.waiting(), Some(Waiting::Idle(_))) {
            self.idle.notify_one();
        }
        changed
    }
}

/// A connection's stream, which tells its place whether its client takes what is written, and ends once the client knows that
/// it does.
pub(crate) struct Watched<S> {
    stream: S,
    place: Arc<Place>,
    lingering: Option<Lingering>,
}

/// What is still read, and until when.
struct Lingering {
    bytes: usize,
    end: Pin<Box<tokio::time::Sleep>>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, place: Arc<Place>) -> Self {
        Self { stream, place, lingering: None }
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
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

    /// Says that nothing more comes. A client that was answered while it was sending is heard to its end within bounds: one
    /// that finds its connection closed does not read the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, lingering, place } = &mut *self;
        if lingering.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        if !place.state().is_unwanted {
            return Poll::Ready(Ok(()));
        }
        let left = lingering.get_or_insert_with(|| {
            let end = Box::pin(tokio::time::sleep(LINGER_TIME_MAX));
            Lingering { bytes: LINGER_BYTES_MAX, end }
        });
        let mut unwanted = [0; 16 << 10];
        while left.bytes > 0 && left.end.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut unwanted);
            // One that is broken has ended, too.
            match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => left.bytes = left.bytes.saturating_sub(buffer.filled().len()),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A request that is being answered.
pub(crate) struct Asked {
    place: Arc<Place>,
    number: u64,
}

impl Asked {
    /// The request's body, which tells the place how it comes.
    pub(crate) fn sent_by(&self, body: Incoming) -> Body {
        match body.is_end_stream() {
            true => Body::new(body),
            false => Body::new(Sending {
                body,
                place: Arc::clone(&self.place),
                number: self.number,
                bytes: 0,
                has_come: false,
            }),
        }
    }

    /// The answer's body. From now on it is the client who is waited for, and the request ends with the last of its bytes, whoever
    /// holds them: in HTTP/2 a client takes no more of it than it says, and nothing at all if it likes.
    pub(crate) fn answered_by(self, body: Body) -> Reply {
        self.place.took(self.number, Some(Instant::now()));
        Reply { body, asked: Arc::new(self) }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.place.change(|state| state.asked.remove(&self.number));
    }
}

/// A request's body on its way.
struct Sending<B> {
    body: B,
    place: Arc<Place>,
    number: u64,
    /// That came since it was last told.
    bytes: usize,
    has_come: bool,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Sending<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.bytes += data.map_or(0, Bytes::len);
        if frame.is_none() || self.body.is_end_stream() {
            self.has_come = true;
            self.place.sent(self.number, None);
        } else if self.bytes >= PACE_BYTES {
            self.bytes = 0;
            self.place.sent(self.number, Some(Instant::now()));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Sending<B> {
    fn drop(&mut self) {
        if !self.has_come {
            self.place.unwanted(self.number);
        }
    }
}

/// An answer's body on its way.
pub(crate) struct Reply {
    body: Body,
    asked: Arc<Asked>,
}

/// Some of its bytes.
struct OnTheirWay {
    bytes: Bytes,
    _asked: Arc<Asked>,
}

impl AsRef<[u8]> for OnTheirWay {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // What there is the client is to take; until there is more it waits for us.
        self.asked.place.took(self.asked.number, polled.is_ready().then(Instant::now));
        polled.map_ok(|frame| {
            frame.map_data(|bytes| Bytes::from_owner(OnTheirWay { bytes, _asked: Arc::clone(&self.asked) }))
        })
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

    fn is_idle(place: &Place) -> bool {
        matches!(place.waiting(), Some(Waiting::Idle(_)))
    }

    fn later() -> Instant {
        Instant::now() + PATIENCE
    }

    /// A request's body, of which nothing came so far.
    fn body(asked: &Asked) -> Sending<Body> {
        let body =
            Body::from_stream(futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from(vec![0; PACE_BYTES]))]));
        Sending { body, place: Arc::clone(&asked.place), number: asked.number, bytes: 0, has_come: false }
    }

    #[tokio::test]
    async fn who_sends_half_a_body_makes_room_unless_it_has_just_gone_on() {
        let mut places = Places::default();
        let [half, going, whole] = [places.take(), places.take(), places.take()];
        let asked = [&half, &going, &whole].map(|place| place.asked(true));
        let mut bodies = asked.each_ref().map(body);
        let begin = Instant::now();
        places.make_room(begin);
        assert!(!is_leaving(&half), "it has only begun");
        for body in &mut bodies[1..] {
            std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await.unwrap().unwrap();
        }
        assert!(going.waiting() > half.waiting(), "it went on later");
        assert!(std::future::poll_fn(|context| Pin::new(&mut bodies[2]).poll_frame(context)).await.is_none());
        assert_eq!(whole.waiting(), None, "it is being answered");
        places.make_room(later());
        half.told_to_leave().await;
    }

    /// However many one has, it loses its own before anybody else does.
    #[tokio::test]
    async fn of_whoever_has_most_that_stall_the_longest_makes_room() {
        let mut places = Places::default();
        let [quiet, loud, louder] = [places.take(), places.take(), places.take()];
        let tenant = |name: &str| <TenantId as types::Id>::parse(name).unwrap();
        quiet.is_of(&tenant("quiet"));
        [&loud, &louder].into_iter().for_each(|place| place.is_of(&tenant("loud")));
        let [_quiet, longest, _louder] = [&quiet, &loud, &louder].map(|place| place.asked(true));
        places.make_room(later());
        assert!([&quiet, &loud, &louder].map(|place| is_leaving(place)) == [false, true, false]);
        let idle = places.take();
        drop((loud, longest));
        places.make_room(later());
        assert!(is_leaving(&idle), "who asks nothing goes first");
    }

    #[tokio::test]
    async fn who_has_asked_nothing_for_longest_makes_room() {
        let mut places = Places::default();
        let [first, second, third] = [places.take(), places.take(), places.take()];
        // The first begins to wait anew, the second is being answered.
        drop(first.asked(false));
        let asked = second.asked(false);
        places.make_room(Instant::now());
        third.told_to_leave().await;
        places.make_room(Instant::now());
        assert!(!is_leaving(&first) && !is_leaving(&second), "one at a time");
        drop(third);
        places.make_room(Instant::now());
        first.told_to_leave().await;
        drop(first);
        places.make_room(Instant::now());
        assert!(!is_leaving(&second), "a request is answered");
        places.one_idle().await;
        drop(asked.answered_by(Body::from("answer")));
        places.one_idle().await;
        places.make_room(Instant::now());
        assert!(is_leaving(&second));
    }

    /// Nothing of it is asked for while an HTTP/2 client leaves no window; and its bytes may stay with the connection.
    #[tokio::test]
    async fn an_answer_that_nobody_takes_makes_room() {
        let mut places = Places::default();
        let (untaken, held) = (places.take(), places.take());
        let _body = untaken.asked(false).answered_by(Body::from("answer"));
        let mut body = held.asked(false).answered_by(Body::from("answer"));
        let bytes = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.unwrap().unwrap();
        drop(body);
        assert!(held.asked_since().is_some(), "its bytes are with nobody yet");
        for place in [&untaken, &held] {
            places.make_room(Instant::now() + 2 * PATIENCE);
            place.told_to_leave().await;
            place.state().is_leaving = false;
            place.state().asked.values_mut().for_each(|request| request.taking = None);
        }
        drop(bytes);
        assert_eq!(held.asked_since(), None);
    }

    #[tokio::test]
    async fn who_is_still_reading_an_answer_is_not_idle_and_makes_room_if_it_stalls() {
        let mut places = Places::default();
        let place = places.take();
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut watched = Watched::new(ours, Arc::clone(&place));
        tokio::select! {
            biased;
            _ = watched.write_all(b"an answer") => panic!("there is room for a part of it"),
            () = std::future::ready(()) => {}
        }
        assert!(!is_idle(&place));
        places.make_room(Instant::now());
        assert!(!is_leaving(&place), "it has a moment");
        places.make_room(later());
        assert!(is_leaving(&place));
        theirs.read_exact(&mut [0; 4]).await.unwrap();
        watched.write_all(b"end").await.unwrap();
        assert!(is_idle(&place));
    }

    #[tokio::test]
    async fn who_asks_many_things_at_once_waits_for_the_first_until_it_is_answered() {
        let mut places = Places::default();
        let place = places.take();
        let (first, second) = (place.asked(false), place.asked(false));
        let began = place.asked_since().unwrap();
        drop(second);
        assert_eq!(place.asked_since(), Some(began));
        assert!(!is_idle(&place));
        drop(first);
        assert_eq!(place.asked_since(), None);
        assert!(is_idle(&place));
    }

    #[tokio::test]
    async fn who_asks_after_all_keeps_nobody_from_being_asked() {
        let mut places = Places::default();
        let [first, second] = [places.take(), places.take()];
        places.make_room(Instant::now());
        let _asked = first.asked(false);
        assert!(is_leaving(&first) && !is_idle(&first));
        places.make_room(Instant::now());
        assert!(is_leaving(&second));
    }

    /// What a client sends after the answer is read away, so that it finds the answer and not a closed connection.
    #[tokio::test]
    async fn a_connection_ends_when_its_client_has_said_everything_or_too_much() {
        for (sent, is_whole) in [(1 << 20, true), (LINGER_BYTES_MAX + (1 << 20), false)] {
            let (ours, mut theirs) = tokio::io::duplex(64 << 10);
            let place = Places::default().take();
            place.state().is_unwanted = true;
            let mut watched = Watched::new(ours, place);
            let client = tokio::spawn(async move {
                let chunk = vec![0; 1 << 20];
                for _ in 0..sent >> 20 {
                    theirs.write_all(&chunk).await?;
                }
                let mut said = Vec::new();
                theirs.shutdown().await?;
                theirs.read_to_end(&mut said).await.map(|_| said)
            });
            watched.write_all(b"too large").await.unwrap();
            watched.shutdown().await.unwrap();
            drop(watched);
            let told = client.await.unwrap();
            assert_eq!(told.is_ok_and(|said| said == b"too large"), is_whole, "{sent} bytes");
        }
    }
}
