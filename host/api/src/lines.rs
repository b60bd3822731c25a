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
pub(crate) struct Speaker(Sender<Line>);

impl Speaker {
    pub(crate) fn say(&self, line: Line) -> bool {
        self.0.blocking_send(line).is_ok()
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
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver).ready_chunks(64).map(|lines| {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend(serde_json::to_vec(&line).unwrap_or_default());
            bytes.push(b'\n');
        }
        Ok::<_, Infallible>(Bytes::from(bytes))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}
