//! Answers that take their time: one JSON object a line, as things happen.

use crate::error::{ErrorBody, status};
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use run::RunEvent;
use serde::{Deserialize, Serialize};
use server::{Added, CheckedPipeline, Collected, Listed, Prepared, Replayed};
use std::convert::Infallible;
use tokio::sync::mpsc::{Sender, channel};
use types::RunId;

/// A line of such an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub enum Line {
    /// Something takes longer than a moment.
    Note {
        text: String,
    },
    /// The run has this number from now on.
    Run {
        run: RunId,
    },
    Event {
        event: Box<RunEvent>,
    },
    Checked {
        pipelines: Vec<CheckedPipeline>,
    },
    Added {
        added: Box<Added>,
    },
    Prepared {
        prepared: Box<Prepared>,
    },
    Plugins {
        plugins: Vec<Listed>,
    },
    /// A replay has ended: how it compares.
    Replayed {
        replayed: Box<Replayed>,
    },
    Collected {
        collected: Box<Collected>,
    },
    /// A row of a log, by its columns.
    Row {
        row: serde_json::Map<String, serde_json::Value>,
    },
    /// The last line of what did not work.
    Refused {
        status: u16,
        refusal: ErrorBody,
    },
}

/// Says lines to whoever reads; `false` when nobody does any more.
#[derive(Clone)]
pub(crate) struct Speaker(Sender<String>);

impl Speaker {
    pub(crate) fn say(&self, line: Line) -> bool {
        self.send(serde_json::to_string(&line).unwrap_or_default())
    }

    /// The same of a [`Line::Event`] whose event is JSON already.
    pub(crate) fn say_event(&self, event: &str) -> bool {
        self.send(event_line(event))
    }

    fn send(&self, line: String) -> bool {
        let line = line + "\n";
        self.0.blocking_send(line).is_ok()
    }
}

/// What stands round the event in a [`Line::Event`].
const EVENT: (&str, &str) = ("{\"line\":\"event\",\"event\":", "}");

fn event_line(event: &str) -> String {
    [EVENT.0, event, EVENT.1].concat()
}

impl Line {
    /// A line as it came. Most are events, which serde would read twice for the sake of a tag that could stand anywhere.
    pub(crate) fn read(line: &[u8]) -> serde_json::Result<Self> {
        let event = line.trim_ascii_end().strip_prefix(EVENT.0.as_bytes());
        match event.and_then(|event| event.strip_suffix(EVENT.1.as_bytes())) {
            Some(event) => Ok(Self::Event { event: serde_json::from_slice(event)? }),
            None => serde_json::from_slice(line),
        }
    }
}

/// An answer whose lines `speak` says, on a thread where it may block.
pub(crate) fn lines(speak: impl FnOnce(&Speaker) -> Result<(), server::Error> + Send + 'static) -> Response {
    let (sender, receiver) = channel(1024);
    tokio::task::spawn_blocking(move || {
        let speaker = Speaker(sender);
        if let Err(error) = speak(&speaker) {
            let status = status(&error).as_u16();
            speaker.say(Line::Refused { status, refusal: error.into() });
        }
    });
    // What is there goes out together.
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver).ready_chunks(64);
    let stream = stream.map(|lines| Ok::<_, Infallible>(Bytes::from(lines.concat())));
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_text_makes_the_line_that_the_event_makes() {
        let event = RunEvent::RunFinished { run: RunId(7), state: types::RunState::Failed, at_us: 3, because: None };
        let text = serde_json::to_string(&event).unwrap();
        let line = event_line(&text);
        assert_eq!(line, serde_json::to_string(&Line::Event { event: Box::new(event.clone()) }).unwrap());
        let read = |line: &str| match Line::read(line.as_bytes()).unwrap() {
            Line::Event { event } => *event,
            other => panic!("{other:?}"),
        };
        // As it is said, and as another server may say it.
        let otherwise = format!("{{\"event\":{text},\"line\":\"event\"}}");
        assert_eq!([read(&(line + "\n")), read(&otherwise)], [event.clone(), event]);
        assert!(matches!(Line::read(b"{\"line\":\"note\",\"text\":\"slow\"}\n"), Ok(Line::Note { .. })));
    }
}
