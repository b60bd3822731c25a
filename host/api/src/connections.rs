//! A listener's connections: how many there may be, how long each may take, and their end.
//!
//! Whoever connects is a stranger until it has said something, and may say it a byte a minute: no wait here is without a bound,
//! but that of the owner's socket for what a run says. Nor can a few hundred keep all others out by asking something now and
//! then, or half of it: when there is no place left, a connection that waits for its client ends ([`crate::places`]).

use crate::Tls;
use crate::places::{PATIENCE, Place, Places, Waiting, Watched};
use axum::Router;
use axum::extract::Request;
use axum::serve::Listener;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// Open connections of a listener. The next one waits until another has made room, further ones in the system's queue.
const CONNECTIONS_MAX: usize = 256;
/// For a connection that is to make room, to end a head that it is reading.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);
/// From the end of one request, or the connection's begin, to the end of the next one's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// The most bytes of a head, and of what is read at a time.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Requests of an HTTP/2 connection at once.
const STREAMS_MAX: u32 = 32;
/// The most bytes of an HTTP/2 connection that are read before somebody wants them.
const UNREAD_BYTES_MAX: u32 = 256 << 10;
/// How often an HTTP/2 connection is asked whether its client is still there: an idle one has no other end.
const ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// From the wish to end to the end.
pub(crate) const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// What an answer may take; one that takes longer ends its connection.
#[derive(Clone, Copy)]
pub(crate) struct AnswerTimes {
    /// From its request's head to its last byte.
    pub(crate) whole: Duration,
    /// While its client takes none of it, though there is some to take.
    pub(crate) untaken: Duration,
}

/// Serves connections until `stop` is true; then accepts none, ends those that are idle, and waits a bounded time for answers
/// that are under way. Without `times` an answer may take as long as it likes. With `tls` nothing is said in the clear.
pub(crate) async fn serve<L: Listener>(
    mut listener: L,
    tls: Option<Arc<Tls>>,
    router: Router,
    times: Option<AnswerTimes>,
    mut stop: watch::Receiver<bool>,
) {
    let mut places = Places::default();
    let mut open = JoinSet::new();
    // Accepted, and without a place so far.
    let mut newcomer = None;
    let ending = stop.clone();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            (stream, _) = listener.accept(), if newcomer.is_none() => newcomer = Some(stream),
            () = places.one_idle(), if newcomer.is_some() => {}
            () = sleep(PATIENCE), if newcomer.is_some() => {}
            Some(_) = open.join_next() => {}
        }
        match newcomer.take() {
            Some(stream) if open.len() < CONNECTIONS_MAX => {
                let place = places.take();
                let (router, ending) = (router.clone(), ending.clone());
                match tls.clone() {
                    Some(tls) => drop(open.spawn(async move {
                        if let Some(stream) = agreed(&tls, stream, &place, ending.clone()).await {
                            converse(stream, place, router, times, ending).await;
                        }
                    })),
                    None => drop(open.spawn(converse(stream, place, router, times, ending))),
                }
            }
            Some(stream) => {
                places.make_room(std::time::Instant::now());
                newcomer = Some(stream);
            }
            None => {}
        }
    }
    drop((listener, newcomer));
    // Those that are left then end with the set.
    let _ = timeout(DRAIN_TIME_MAX, async { while open.join_next().await.is_some() {} }).await;
}

/// The connection once both sides know how to encrypt it. One that takes its time ends like one that says nothing.
async fn agreed<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &Tls,
    stream: S,
    place: &Place,
    mut stop: watch::Receiver<bool>,
) -> Option<TlsStream<S>> {
    tokio::select! {
        stream = timeout(HEAD_TIME_MAX, tls.accept(stream)) => stream.ok()?.ok(),
        () = place.told_to_leave() => None,
        _ = stop.wait_for(|stop| *stop) => None,
    }
}

/// One connection, request by request, until a side has enough.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: Arc<Place>,
    router: Router,
    times: Option<AnswerTimes>,
    mut stop: watch::Receiver<bool>,
) {
    let asked = Notify::new();
    let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
        asked.notify_one();
        let noted = place.asked(!request.body().is_end_stream());
        request.extensions_mut().insert(Arc::clone(&place));
        let answer = router.clone().oneshot(request.map(|body| noted.sent_by(body)));
        async move { answer.await.map(|answer| answer.map(|body| noted.answered_by(body))) }
    });
    let http = http();
    let mut connection = pin!(http.serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(&place))), service));
    let mut silent = pin!(timeout(HEAD_TIME_MAX, asked.notified()));
    let mut spoken = false;
    let mut overdue = pin!(overdue(&place, times));
    let mut told = false;
    let mut gone = pin!(sleep(Duration::MAX));
    loop {
        tokio::select! {
            // An error is the client's, and it is gone.
            _ = connection.as_mut() => return,
            () = overdue.as_mut() => return,
            first = silent.as_mut(), if !spoken => match first {
                Ok(()) => spoken = true,
                Err(_) => return,
            },
            // A request that came after all is answered, and is the last.
            () = gone.as_mut() => match place.waiting() {
                Some(_) => return,
                None => gone.as_mut().reset(Instant::now() + LEAVE_TIME_MAX),
            },
            () = place.told_to_leave() => {
                // Who has kept us waiting has no longer.
                let is_stalled = matches!(place.waiting(), Some(Waiting::Stalled(_)));
                let most = if is_stalled { Duration::ZERO } else { LEAVE_TIME_MAX };
                gone.as_mut().reset(Instant::now() + most);
                connection.as_mut().graceful_shutdown();
            }
            _ = stop.wait_for(|stop| *stop), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// HTTP/1 or, where a client begins with its preface, HTTP/2, which gRPC speaks.
fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_buf_size(HEAD_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(UNREAD_BYTES_MAX)
        .initial_connection_window_size(UNREAD_BYTES_MAX)
        .keep_alive_interval(ALIVE_INTERVAL)
        .keep_alive_timeout(HEAD_TIME_MAX);
    http
}

/// Returns once a request is that old and still being answered, or its answer read, which is up to the client; or once the client
/// has read nothing for so long.
async fn overdue(place: &Place, times: Option<AnswerTimes>) {
    let Some(AnswerTimes { whole, untaken }) = times else { return std::future::pending().await };
    let left = |since: Option<std::time::Instant>, most: Duration| {
        most.saturating_sub(since.map_or(Duration::ZERO, |since| since.elapsed()))
    };
    loop {
        let left = left(place.asked_since(), whole).min(left(place.unread_since(), untaken));
        if left.is_zero() {
            return;
        }
        // What begins meanwhile has longer.
        sleep(left).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn who_reads_nothing_of_an_answer_is_not_written_to_for_long() {
        let place = Places::default().take();
        let _asked = place.asked(false);
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut watched = Watched::new(ours, Arc::clone(&place));
        let times = Some(AnswerTimes { whole: HOUR, untaken: Duration::from_millis(20) });
        // It takes what there is, and nothing more is to be taken.
        watched.write_all(b"half").await.unwrap();
        assert!(timeout(Duration::from_millis(60), overdue(&place, times)).await.is_err());
        theirs.read_exact(&mut [0; 4]).await.unwrap();
        tokio::select! {
            _ = watched.write_all(b"an answer") => panic!("there is room for a part of it"),
            () = overdue(&place, times) => {}
        }
        let patient = Some(AnswerTimes { whole: HOUR, untaken: HOUR });
        assert!(timeout(Duration::from_millis(60), overdue(&place, patient)).await.is_err());
        let old = Some(AnswerTimes { whole: Duration::from_millis(20), untaken: HOUR });
        overdue(&place, old).await;
    }
}
