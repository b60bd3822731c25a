//! A request's body, read within bounds: of bytes, of time, and of what all bodies together may take; and an answer's, which
//! takes its place there until it is written.

use crate::inference::Refused;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The most bytes of an inference request.
pub(crate) const REQUEST_BYTES_MAX: usize = 32 << 20;
/// The most bytes of all requests that are being read or answered, and of all answers that are being written.
const ALL_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;
/// From the end of the head to the end of the body.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// The same of a body of a few kilobytes, which may come from anybody: who sends half of it holds a connection for so long.
const SMALL_TIME_MAX: Duration = Duration::from_secs(5);

/// What there is room for, shared by all requests.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body; while it lives it takes its place of the room.
pub(crate) struct Taken {
    bytes: Vec<u8>,
    place: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BYTES_MAX)))
    }

    /// The body of an answer, if there is room for it. It keeps its place until it is written: a client that reads nothing
    /// takes no more than there is.
    pub(crate) fn answer(&self, bytes: Vec<u8>) -> Result<Body, Refused> {
        let place = Some(self.place(bytes.len())?);
        Ok(Body::from(Bytes::from_owner(Taken { bytes, place })))
    }

    /// A place for so many bytes, if there is room for them.
    pub(crate) fn place(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        self.take(bytes).ok_or_else(full)
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }

    /// Reads a body to its end, or says which bound it met.
    pub(crate) async fn read(&self, body: Body) -> Result<Taken, Refused> {
        self.read_at_most(REQUEST_BYTES_MAX, body).await
    }

    /// The same of a body that is to be smaller.
    pub(crate) async fn read_at_most(&self, bytes_max: usize, body: Body) -> Result<Taken, Refused> {
        self.read_within(BODY_TIME_MAX, bytes_max.min(REQUEST_BYTES_MAX), body).await
    }

    /// The same of one that has no reason to take long.
    pub(crate) async fn read_small(&self, bytes_max: usize, body: Body) -> Result<Taken, Refused> {
        self.read_within(SMALL_TIME_MAX, bytes_max, body).await
    }

    async fn read_within(&self, most: Duration, bytes_max: usize, body: Body) -> Result<Taken, Refused> {
        // What it announces is refused before it is sent.
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        timeout(most, self.read_all(bytes_max, body)).await.map_err(|_| late(most))?
    }

    async fn read_all(&self, bytes_max: usize, mut body: Body) -> Result<Taken, Refused> {
        let mut taken = Taken { bytes: Vec::new(), place: None };
        while let Some(frame) = body.frame().await {
            let broken =
                |error| Refused::Said(StatusCode::BAD_REQUEST, format!("the request's body breaks off: {error}"));
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if taken.bytes.len() + data.len() > bytes_max {
                return Err(too_large(bytes_max));
            }
            // Room is taken for what has come, not for what is announced: announcing is free.
            let more = self.place(data.len())?;
            match &mut taken.place {
                Some(place) => place.merge(more),
                None => taken.place = Some(more),
            }
            taken.bytes.extend_from_slice(&data);
        }
        Ok(taken)
    }
}

pub(crate) fn late(most: Duration) -> Refused {
    Refused::Said(StatusCode::REQUEST_TIMEOUT, format!("the request's body did not come within {most:?}"))
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
        "requests and answers under way have {} MiB together, there is no room for this one now; send it again",
        ALL_BYTES_MAX >> 20
    );
    Refused::Said(StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

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
        let room = Room::new();
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
        let room = Room::new();
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(read(&room, pieces(32)).await.unwrap_or_else(|said| panic!("{said:?}")));
        }
        let Err((status, text)) = read(&room, pieces(1)).await else { panic!("no room, and taken") };
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("128 MiB"), "{text}");
        all.pop();
        assert!(read(&room, pieces(32)).await.is_ok());
    }

    #[tokio::test]
    async fn an_answer_keeps_its_place_until_it_is_read() {
        let room = Room::new();
        let unread = room.answer(vec![b' '; ALL_BYTES_MAX - 1]).unwrap_or_else(|_| panic!("there is room"));
        assert_eq!(unread.size_hint().exact(), Some(ALL_BYTES_MAX as u64 - 1));
        assert!(room.answer(vec![b' '; 2]).is_err(), "an answer beyond the room");
        assert!(read(&room, pieces(1)).await.is_err(), "a request beyond the room");
        let bytes = unread.collect().await.unwrap_or_else(|error| panic!("{error}")).to_bytes();
        assert_eq!(bytes.len(), ALL_BYTES_MAX - 1);
        drop(bytes);
        assert!(room.answer(vec![b' '; 2]).is_ok());
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let silent = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        let refused = Room::new().read_within(Duration::from_millis(1), REQUEST_BYTES_MAX, silent).await;
        let Err(Refused::Said(status, text)) = refused else { panic!("nothing came, and was taken") };
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::REQUEST_TIMEOUT, "the request's body did not come within 1ms")
        );
    }
}
