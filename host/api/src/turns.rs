//! How many of a tenant's requests are under way at once: one more is refused at once, instead of having all of them wait
//! longer and longer. Of each tenant its own: one that asks too much, or whose requests are slow, keeps no other waiting.

use crate::inference::Refused;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests of a tenant between their last byte and their answer's first. Half of the connections there may be.
const UNDER_WAY_MAX: usize = 128;
/// A request of more bytes takes long to read: so that few of them do not take all processors, they are read in turns.
pub(crate) const LARGE_BYTES: usize = 64 << 10;
/// Large requests of a tenant at a time.
const LARGE_MAX: usize = 4;
/// Answers about a tenant's endpoints, and not by them, that are made at a time: there is one of each, as large as its columns are many.
const ABOUT_MAX: usize = 4;
/// Large answers of a tenant that are written at a time: until they are they take several times their room.
const WRITING_MAX: usize = 4;
/// The most that a large one waits for the others.
const TURN_TIME_MAX: Duration = Duration::from_secs(10);

/// What a tenant's requests have taken.
#[derive(Clone)]
pub(crate) struct Turns {
    under_way: Arc<Semaphore>,
    large: Arc<Semaphore>,
    about: Arc<Semaphore>,
    writing: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let [under_way, large, about, writing] =
            [UNDER_WAY_MAX, LARGE_MAX, ABOUT_MAX, WRITING_MAX].map(|most| Arc::new(Semaphore::new(most)));
        Self { under_way, large, about, writing }
    }
}

/// A request's turn; it ends when this is dropped.
pub(crate) struct Turn {
    _under_way: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Whether nobody but its keeper has it, and it is nobody's turn.
    pub(crate) fn is_unused(&self) -> bool {
        [&self.under_way, &self.about].into_iter().all(|turns| Arc::strong_count(turns) == 1)
    }

    /// A turn for a request of so many bytes, unless too many of the tenant's are under way.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Turn, Refused> {
        self.take_within(TURN_TIME_MAX, bytes).await
    }

    /// A turn to make an answer about endpoints; who waits for one holds nothing. It ends when this is dropped.
    pub(crate) async fn about(&self) -> Result<OwnedSemaphorePermit, Refused> {
        self.about_within(TURN_TIME_MAX).await
    }

    /// A turn to write a large answer, for one that has its place of the room. It ends when this is dropped.
    pub(crate) async fn writing(&self) -> Result<OwnedSemaphorePermit, Refused> {
        let turn = timeout(TURN_TIME_MAX, Arc::clone(&self.writing).acquire_owned()).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| {
            let text = format!("{WRITING_MAX} other large answers were written for {TURN_TIME_MAX:?}; send it again");
            Refused::Said(StatusCode::TOO_MANY_REQUESTS, text)
        })
    }

    async fn about_within(&self, most: Duration) -> Result<OwnedSemaphorePermit, Refused> {
        let turn = timeout(most, Arc::clone(&self.about).acquire_owned()).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| {
            let text =
                format!("{ABOUT_MAX} other answers about the tenant's endpoints were made for {most:?}; ask again");
            Refused::Said(StatusCode::TOO_MANY_REQUESTS, text)
        })
    }

    async fn take_within(&self, most: Duration, bytes: usize) -> Result<Turn, Refused> {
        let [under_way, large] = [&self.under_way, &self.large].map(Arc::clone);
        let busy = |text: String| Refused::Said(StatusCode::TOO_MANY_REQUESTS, text);
        let under_way = under_way.try_acquire_owned().map_err(|_| {
            busy(format!("{UNDER_WAY_MAX} requests of the tenant are under way, the most there may be; send it again"))
        })?;
        let late =
            || busy(format!("{LARGE_MAX} other large requests have kept this one waiting for {most:?}; send it again"));
        let large = match bytes > LARGE_BYTES {
            true => Some(timeout(most, large.acquire_owned()).await.ok().and_then(Result::ok).ok_or_else(late)?),
            false => None,
        };
        Ok(Turn { _under_way: under_way, _large: large })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(turns: &Turns, bytes: usize) -> String {
        match turns.take_within(Duration::from_millis(1), bytes).await {
            Err(Refused::Said(StatusCode::TOO_MANY_REQUESTS, text)) => text,
            Err(_) => panic!("refused otherwise"),
            Ok(_) => panic!("let in"),
        }
    }

    #[tokio::test]
    async fn one_too_many_is_refused_at_once() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..UNDER_WAY_MAX {
            taken.push(turns.take(100).await.unwrap_or_else(|_| panic!("refused")));
        }
        assert!(refused(&turns, 100).await.contains("128 requests of the tenant are under way"));
        taken.pop();
        assert!(turns.take(100).await.is_ok());
    }

    #[tokio::test]
    async fn few_answers_about_endpoints_are_made_at_a_time_and_keep_no_prediction_waiting() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..ABOUT_MAX {
            taken.push(turns.about().await.unwrap_or_else(|_| panic!("refused")));
        }
        let Err(Refused::Said(status, text)) = turns.about_within(Duration::from_millis(1)).await else {
            panic!("one too many");
        };
        assert!(status == StatusCode::TOO_MANY_REQUESTS && text.contains("4 other answers"), "{text}");
        assert!(turns.take(LARGE_BYTES + 1).await.is_ok());
        let next = turns.about();
        taken.pop();
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn large_requests_wait_for_each_other_and_small_ones_for_nobody() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..LARGE_MAX {
            taken.push(turns.take(LARGE_BYTES + 1).await.unwrap_or_else(|_| panic!("refused")));
        }
        assert!(refused(&turns, LARGE_BYTES + 1).await.contains("kept this one waiting for 1ms"));
        assert!(turns.take(LARGE_BYTES).await.is_ok());
        let next = turns.take(LARGE_BYTES + 1);
        taken.pop();
        assert!(next.await.is_ok());
    }
}
