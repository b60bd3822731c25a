//! A request's body, read within bounds: of bytes, of time, and of what its tenant's bodies may take; and an answer's, which
//! takes its place there until it is written.

use crate::inference::Refused;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most bytes of an inference request.
pub(crate) const REQUEST_BYTES_MAX: usize = 32 << 20;
/// The most bytes of all requests that are being read or answered, and of all answers that are being written.
const ALL_BYTES_MAX: usize = 8 * REQUEST_BYTES_MAX;
/// From the end of the head to the end of the body.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// From the end of the head to the end of a small body, or to [`PACE_BYTES`] of a larger one.
const SMALL_TIME_MAX: Duration = Duration::from_secs(5);
/// A body goes on by so much in [`PACE_TIME_MAX`], or ends: whoever drips does not keep the room that it has taken.
pub(crate) const PACE_BYTES: usize = 64 << 10;
const PACE_TIME_MAX: Duration = Duration::from_secs(2);

/// What there is room for of a tenant's: as much as is left free for all others. However many take what they can, there is as
/// much left for the next tenant as each of them has.
#[derive(Clone)]
pub(crate) struct Room(Arc<Share>);

struct Share {
    held: AtomicUsize,
    /// What all tenants hold.
    all: Arc<AtomicUsize>,
}

/// Bytes of a room. Dropped, they are free again.
pub(crate) struct Lease {
    room: Room,
    bytes: usize,
}

impl Lease {
    /// Takes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refused> {
        self.room.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.room.0.all.fetch_sub(self.bytes, Ordering::AcqRel);
        self.room.0.held.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A body; while it lives it takes its place of the room.
pub(crate) struct Taken {
    bytes: Vec<u8>,
    _lease: Lease,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    /// A tenant's, beside others of the same `all`.
    pub(crate) fn new(all: &Arc<AtomicUsize>) -> Self {
        Self(Arc::new(Share { held: AtomicUsize::new(0), all: Arc::clone(all) }))
    }

    /// Whether nobody but its keeper has it: nothing of it is taken.
    pub(crate) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The body of an answer, if there is room for it. It keeps its place until it is written: a client that reads nothing
    /// takes no more than there is.
    pub(crate) fn answer(&self, bytes: Vec<u8>) -> Result<Body, Refused> {
        let _lease = self.lease(bytes.len())?;
        Ok(Body::from(Bytes::from_owner(Taken { bytes, _lease })))
    }

    /// Room for so many bytes, if there is room for them.
    pub(crate) fn lease(&self, bytes: usize) -> Result<Lease, Refused> {
        self.take(bytes)?;
        Ok(Lease { room: self.clone(), bytes })
    }

    fn take(&self, bytes: usize) -> Result<(), Refused> {
        let Share { held, all } = &*self.0;
        let ours = held.fetch_add(bytes, Ordering::AcqRel).saturating_add(bytes);
        let fits = |all: usize| all.checked_add(bytes).filter(|all| ours <= ALL_BYTES_MAX.saturating_sub(*all));
        match all.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(()),
            Err(_) => {
                held.fetch_sub(bytes, Ordering::AcqRel);
                Err(full())
            }
        }
    }

    /// Reads a body to its end, or says which bound it met.
    pub(crate) async fn read(&self, body: Body) -> Result<Taken, Refused> {
        self.read_at_most(REQUEST_BYTES_MAX, body).await
    }

    /// The same of a body that is to be smaller.
    pub(crate) async fn read_at_most(&self, bytes_max: usize, body: Body) -> Result<Taken, Refused> {
        self.read_by(Pace::of(BODY_TIME_MAX), bytes_max.min(REQUEST_BYTES_MAX), body).await
    }

    /// The same of one that has no reason to take long.
    pub(crate) async fn read_small(&self, bytes_max: usize, body: Body) -> Result<Taken, Refused> {
        self.read_by(Pace::of(SMALL_TIME_MAX), bytes_max, body).await
    }

    async fn read_by(&self, mut pace: Pace, bytes_max: usize, mut body: Body) -> Result<Taken, Refused> {
        // What it announces is refused before it is sent.
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        let (mut bytes, mut lease) = (Vec::new(), self.lease(0)?);
        while let Some(frame) = timeout_at(pace.due(), body.frame()).await.map_err(|_| pace.missed())? {
            let broken =
                |error| Refused::Said(StatusCode::BAD_REQUEST, format!("the request's body breaks off: {error}"));
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if bytes.len() + data.len() > bytes_max {
                return Err(too_large(bytes_max));
            }
            // Room is taken for what has come, not for what is announced: announcing is free.
            lease.grow(data.len())?;
            pace.came(Instant::now(), data.len());
            bytes.extend_from_slice(&data);
        }
        Ok(Taken { bytes, _lease: lease })
    }
}

/// By when more of a body is to have come.
pub(crate) struct Pace {
    end: Instant,
    due: Instant,
    /// How much until it has longer, and how much longer then.
    missing: usize,
    step: Duration,
    most: Duration,
}

impl Pace {
    /// Of a body that may take so long at most, and begins now.
    pub(crate) fn of(most: Duration) -> Self {
        let now = Instant::now();
        let (end, due) = (now + most, now + most.min(SMALL_TIME_MAX));
        Self { end, due, missing: PACE_BYTES, step: PACE_TIME_MAX, most }
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    pub(crate) fn came(&mut self, now: Instant, bytes: usize) {
        self.missing = self.missing.saturating_sub(bytes);
        if self.missing == 0 {
            (self.missing, self.due) = (PACE_BYTES, (now + self.step).min(self.end));
        }
    }

    /// Nothing is expected before the end, until there is something again.
    pub(crate) fn rest(&mut self) {
        (self.missing, self.due) = (0, self.end);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end <= Instant::now()
    }

    /// What is told to whoever was too slow.
    pub(crate) fn missed(&self) -> Refused {
        let text = match self.due == self.end {
            true => format!("the request's body did not come within {:?}", self.most),
            false => format!(
                "the request's body came too slowly: it is to end within {SMALL_TIME_MAX:?}, or to go on by {} KiB in \
                 {PACE_TIME_MAX:?}",
                PACE_BYTES >> 10
            ),
        };
        Refused::Said(StatusCode::REQUEST_TIMEOUT, text)
    }
}

pub(crate) fn too_large(bytes_max: usize) -> Refused {
    let text = match bytes_max {
        REQUEST_BYTES_MAX => format!(
            "the request is larger than {} MiB, the most there may be; send fewer rows at a time",
            REQUEST_BYTES_MAX >> 20
        ),
        less => format!("the request is larger than {less} bytes, the most there may be here"),
    };
    Refused::Said(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn full() -> Refused {
    let text = format!(
        "the tenant's requests and answers under way may have as much of {} MiB as is left for others; there is no room for \
         this one now, send it again",
        ALL_BYTES_MAX >> 20
    );
    Refused::Said(StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// What a tenant has that is alone.
    const ALONE_BYTES: usize = ALL_BYTES_MAX / 2;

    fn rooms<const N: usize>() -> [Room; N] {
        let all = Arc::default();
        std::array::from_fn(|_| Room::new(&all))
    }

    fn room() -> Room {
        let [room] = rooms();
        room
    }

    /// A body in pieces, as a client sends it that does not say how long it is.
    fn pieces(count: usize) -> Body {
        let piece = Bytes::from(vec![b' '; 1 << 20]);
        Body::from_stream(futures_util::stream::iter(vec![Ok::<_, Infallible>(piece); count]))
    }

    async fn read(room: &Room, body: Body) -> Result<Taken, (StatusCode, String)> {
        room.read(body).await.map_err(|refused| match refused {
            Refused::Said(status, text) => (status, text),
            Refused::Asked(_) | Refused::Server(_) | Refused::Barred(_) => panic!("another error"),
        })
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused_with_the_limit() {
        let room = room();
        let taken = read(&room, pieces(32)).await.unwrap_or_else(|said| panic!("{said:?}"));
        assert_eq!(taken.as_ref().len(), 32 << 20);
        for body in [pieces(33), Body::from(vec![b' '; (32 << 20) + 1])] {
            let Err((status, text)) = read(&room, body).await else { panic!("too large, and taken") };
            assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
            assert!(text.contains("larger than 32 MiB"), "{text}");
        }
    }

    #[tokio::test]
    async fn bodies_share_a_room_and_give_it_back() {
        let room = room();
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(read(&room, pieces(32)).await.unwrap_or_else(|said| panic!("{said:?}")));
        }
        let Err((status, text)) = read(&room, pieces(1)).await else { panic!("no room, and taken") };
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("as much of 256 MiB as is left for others"), "{text}");
        all.pop();
        assert!(read(&room, pieces(32)).await.is_ok());
    }

    #[tokio::test]
    async fn an_answer_keeps_its_place_until_it_is_read() {
        let room = room();
        let unread = room.answer(vec![b' '; ALONE_BYTES - 1]).unwrap_or_else(|_| panic!("there is room"));
        assert_eq!(unread.size_hint().exact(), Some(ALONE_BYTES as u64 - 1));
        assert!(room.answer(vec![b' '; 2]).is_err(), "an answer beyond the room");
        assert!(read(&room, pieces(1)).await.is_err(), "a request beyond the room");
        let bytes = unread.collect().await.unwrap_or_else(|error| panic!("{error}")).to_bytes();
        assert_eq!(bytes.len(), ALONE_BYTES - 1);
        drop(bytes);
        assert!(room.answer(vec![b' '; 2]).is_ok());
    }

    /// However many take all that they can, the next one finds as much as each of them has.
    #[test]
    fn whoever_takes_all_there_is_leaves_as_much_for_the_next() {
        let rooms: [Room; 8] = rooms();
        let mut taken = Vec::new();
        for (others, room) in rooms.iter().enumerate() {
            let mut bytes = 0;
            while let Ok(lease) = room.lease(1 << 20) {
                taken.push(lease);
                bytes += 1;
            }
            // Half of what the one before found, for it took as much as it left.
            assert_eq!(bytes, 128 >> others, "MiB beside {others} others");
        }
        let quiet = Room::new(&rooms[0].0.all);
        assert!(quiet.lease(512 << 10).is_ok());
        drop(taken);
        assert!(rooms.iter().all(|room| room.0.held.load(Ordering::Acquire) == 0));
        assert_eq!(quiet.0.all.load(Ordering::Acquire), 0);
        assert!(quiet.lease(ALONE_BYTES).is_ok() && quiet.lease(ALONE_BYTES + 1).is_err());
    }

    async fn told(pace: Pace, body: Body) -> (StatusCode, String) {
        match room().read_by(pace, REQUEST_BYTES_MAX, body).await {
            Err(Refused::Said(status, text)) => (status, text),
            _ => panic!("it did not come, and was taken"),
        }
    }

    fn silent() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        futures_util::stream::pending()
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let pace = Pace::of(Duration::from_millis(1));
        let (status, text) = told(pace, Body::from_stream(silent())).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::REQUEST_TIMEOUT, "the request's body did not come within 1ms")
        );
    }

    /// Many bytes, and then none: they are not kept until the end of the time that a body may take.
    #[tokio::test]
    async fn a_body_goes_on_or_loses_its_room() {
        let begin = Instant::now();
        let much = futures_util::stream::iter([Ok(Bytes::from(vec![b' '; 16 << 20]))]);
        let stalled = Body::from_stream(futures_util::StreamExt::chain(much, silent()));
        let pace = Pace { step: Duration::from_millis(1), ..Pace::of(BODY_TIME_MAX) };
        let (status, text) = told(pace, stalled).await;
        assert!(status == StatusCode::REQUEST_TIMEOUT && text.contains("go on by 64 KiB in 2s"), "{status} {text}");
        assert!(begin.elapsed() < BODY_TIME_MAX / 2, "{:?}", begin.elapsed());
    }

    #[test]
    fn who_drips_has_as_long_as_who_sends_little_and_who_goes_on_has_all_of_the_time() {
        let mut pace = Pace::of(BODY_TIME_MAX);
        let begin = pace.end - BODY_TIME_MAX;
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(pace.due(), begin + SMALL_TIME_MAX);
        (1..5).for_each(|second| pace.came(at(second), 1000));
        assert_eq!(pace.due(), begin + SMALL_TIME_MAX);
        pace.came(at(4), PACE_BYTES);
        assert_eq!(pace.due(), at(6));
        pace.came(at(5), PACE_BYTES - 1);
        assert_eq!(pace.due(), at(6));
        (5..20).for_each(|second| pace.came(at(second), PACE_BYTES));
        assert_eq!(pace.due(), pace.end);
        let mut pace = Pace::of(BODY_TIME_MAX);
        pace.rest();
        assert_eq!(pace.due(), pace.end);
        pace.came(begin, 1);
        assert_eq!(pace.due(), begin + PACE_TIME_MAX);
    }
}
