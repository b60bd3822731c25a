//! What went wrong, as a status and a body that a program can act on and a person can read.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use types::{Fault, FaultKind, Problem};

/// The body of every error of the local router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: String,
    pub hint: Option<String>,
    /// Problems of the project's files; then `error` only counts them.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// What kind of fault, if one was at the bottom of it.
    pub fault: Option<FaultKind>,
}

impl From<server::Error> for ErrorBody {
    fn from(error: server::Error) -> Self {
        let text = error.to_string();
        match error {
            server::Error::Problems(problems) => Self { error: text, hint: None, problems, fault: None },
            server::Error::Fault(Fault { kind, message, hint }) => {
                Self { error: message, hint, problems: Vec::new(), fault: Some(kind) }
            }
            _ => Self { error: text, hint: None, problems: Vec::new(), fault: None },
        }
    }
}

/// An error on its way out.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) ErrorBody);

impl From<server::Error> for Refusal {
    fn from(error: server::Error) -> Self {
        Self(status(&error), error.into())
    }
}

impl Refusal {
    /// Something in the request itself.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        let body = ErrorBody { error: message.into(), hint: None, problems: Vec::new(), fault: None };
        Self(StatusCode::BAD_REQUEST, body)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

pub(crate) fn status(error: &server::Error) -> StatusCode {
    match error {
        server::Error::Problems(_) => StatusCode::UNPROCESSABLE_ENTITY,
        server::Error::NotFound(_) => StatusCode::NOT_FOUND,
        server::Error::Conflict(_) => StatusCode::CONFLICT,
        server::Error::Suspended(_) => StatusCode::FORBIDDEN,
        server::Error::Fault(fault) => match fault.kind {
            FaultKind::Invalid => StatusCode::BAD_REQUEST,
            FaultKind::Transient { .. } => StatusCode::SERVICE_UNAVAILABLE,
            FaultKind::Limit { .. } => StatusCode::GATEWAY_TIMEOUT,
            FaultKind::Quota { .. } | FaultKind::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

pub(crate) async fn no_route() -> Refusal {
    let body = ErrorBody { error: "there is no such route".into(), hint: None, problems: Vec::new(), fault: None };
    Refusal(StatusCode::NOT_FOUND, body)
}

/// Runs what blocks on a thread where it may. A panic there is ours and becomes an error, not a hang-up.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, server::Error> + Send + 'static,
) -> Result<T, server::Error> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(Fault::host(format!("a request ended in a panic: {error}")).into()))
}
