//! Request rows and an endpoint -> predictions, as the Open Inference Protocol v2 has them, and as plain rows.
//!
//! ```text
//!  REST body --request::request_table--> checked Table --(a predictor elsewhere)--> Table --response::response--> REST body
//!  message ----grpc::InferRequest--------^                                           |-----grpc::infer_response--> message
//!  {"rows": [..]} --plain::plain_table---^                                           \-----plain::plain_response--> JSON
//! ```
//! Bytes in, bytes out: `api` owns the socket, a worker the prediction. Everything a stranger sends is checked here, once,
//! and all problems of a request are told together. Numbers cross without losing a bit: a tensor's type may widen to its
//! column's, never round, and floats are written as the shortest text that reads back as the same bits. Values go
//! straight into the columns that the model expects; the rest of a request is read over, so that it costs no memory.

mod about;
mod binary;
mod cell;
mod contents;
mod datatype;
pub mod grpc;
mod plain;
mod protobuf;
mod protocol;
mod request;
mod response;
mod rows;
mod tensor;

pub use about::{
    Duration, InferStatistics, Live, ModelConfig, ModelIndex, ModelMetadata, ModelStatistics, Ready, ServerMetadata,
    Statistics, TensorMetadata, config, metadata, server_metadata,
};
pub use datatype::Datatype;
pub use plain::{plain_response, plain_table};
pub use protocol::ErrorBody;
pub use request::{Asked, Outputs, ROWS_MAX, request_table};
pub use response::{Answer, response};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The caller's: not JSON, or not the JSON of this route.
    #[error("cannot read the request: {0}")]
    Syntax(String),
    /// The caller's: every problem of the request.
    #[error("{}", .0.join("; "))]
    Request(Vec<String>),
    /// The model's: an answer that JSON cannot hold.
    #[error("output `{column}` is {value} in row {row}, which JSON cannot hold")]
    NotFinite { column: String, row: u64, value: f64 },
    /// The caller's: a form that the model's answer does not have.
    #[error("output `{column}` has no value in row {row}, which a binary tensor cannot say: ask for it as JSON")]
    NoValue { column: String, row: u64 },
    /// Ours.
    #[error("cannot encode or decode rows: {0}")]
    Host(String),
}

impl ServeError {
    fn syntax(error: &serde_json::Error) -> Self {
        Self::Syntax(told(error))
    }

    /// The HTTP status that says whose fault it is.
    pub fn status(&self) -> u16 {
        match self {
            Self::Syntax(_) | Self::Request(_) | Self::NoValue { .. } => 400,
            Self::NotFinite { .. } | Self::Host(_) => 500,
        }
    }

    /// The body that the protocol gives an error: `{"error": ".."}`.
    pub fn body(&self) -> Vec<u8> {
        ErrorBody { error: self.to_string() }.to_json()
    }
}

impl From<data::Error> for ServeError {
    fn from(error: data::Error) -> Self {
        Self::Host(error.to_string())
    }
}

/// Problems of one request, told together.
#[derive(Default)]
struct Problems {
    told: Vec<String>,
    untold: usize,
}

impl Problems {
    /// More than a person reads at once, and a bound on what an error may cost.
    const TOLD_MAX: usize = 20;
    /// As many of what is missing are named.
    const NAMED_MAX: usize = 10;

    fn push(&mut self, problem: String) {
        match self.told.len() < Self::TOLD_MAX {
            true => self.told.push(problem),
            false => self.untold += 1,
        }
    }

    /// What is missing of a kind, as one problem: who forgot one column has often forgotten them all.
    fn missing<T>(&mut self, kind: &str, missing: &[T], name: impl Fn(&T) -> String, mend: &str) {
        let names: Vec<String> = missing.iter().take(Self::NAMED_MAX).map(name).collect();
        match missing.len() {
            0 => {}
            1 => self.push(format!("{kind} {} is missing: {mend} for it", names.concat())),
            count => {
                let more = match count - names.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                self.push(format!("{count} {kind}s are missing: {}{more}: {mend} for each", names.join(", ")));
            }
        }
    }

    fn extend(&mut self, others: Self) {
        others.told.into_iter().for_each(|problem| self.push(problem));
        self.untold += others.untold;
    }

    /// All of them as one error, if there are any.
    fn check(mut self) -> Result<(), ServeError> {
        if self.untold > 0 {
            self.told.push(format!("and {} more problems", self.untold));
        }
        match self.told.is_empty() {
            true => Ok(()),
            false => Err(ServeError::Request(self.told)),
        }
    }
}

/// A name that a stranger gave, short enough for an error.
fn shown(name: &str) -> String {
    let cut: String = name.chars().take(80).collect();
    format!("`{}`", cut.escape_debug())
}

/// An error of the parser, which may quote all that a stranger sent, short enough for an error of ours.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{} .. at line {} column {}", &text[..end], error.line(), error.column()),
        None => text,
    }
}
