//! The local router's client: the same requests to a router in this process or over the owner's socket.

use crate::{ErrorBody, Line, local};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::Server;
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixStream;
use tower::ServiceExt;

/// One installation, wherever it runs.
pub enum Client {
    /// In this process.
    Here(Router),
    /// In the process that listens on the socket.
    There(hyper::client::conn::http1::SendRequest<Body>),
}

/// Why a request has no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The server says no.
    Refused(StatusCode, ErrorBody),
    /// The connection ended before the answer did: whoever answers has.
    Gone(String),
    /// The answer is not what this version expects.
    Broken(String),
}

impl Trouble {
    /// Whether the server does not know what was asked about.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::NOT_FOUND, _))
    }
}

impl From<server::Error> for Trouble {
    fn from(error: server::Error) -> Self {
        Self::Refused(crate::error::status(&error), error.into())
    }
}

fn broken(error: impl std::fmt::Display) -> Trouble {
    Trouble::Broken(format!("the server does not answer as expected: {error}"))
}

fn gone(error: impl std::fmt::Display) -> Trouble {
    Trouble::Gone(format!("the server ended before it had answered: {error}"))
}

impl Client {
    /// Of a server in this process.
    pub fn here(server: Arc<Server>) -> Self {
        Self::Here(local(server))
    }

    /// Of the server behind a socket, if one answers.
    pub async fn there(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        let handshake = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(std::io::Error::other)?;
        // An error of the connection is also one of the request that waits on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self::There(sender))
    }

    async fn ask(&mut self, method: Method, path: &str, body: Body) -> Result<Response<Body>, Trouble> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "stepwell")
            .header("content-type", "application/json")
            .body(body)
            .map_err(broken)?;
        let response = match self {
            Self::Here(router) => router.clone().oneshot(request).await.map_err(broken)?,
            Self::There(sender) => {
                sender.ready().await.map_err(gone)?;
                sender.send_request(request).await.map_err(gone)?.map(Body::new)
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(gone)?.to_bytes();
        let said = serde_json::from_slice(&bytes);
        Err(Trouble::Refused(status, said.map_err(|_| broken(String::from_utf8_lossy(&bytes)))?))
    }

    /// What lies at a path.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Trouble> {
        let response = self.ask(Method::GET, path, Body::empty()).await?;
        let bytes = response.into_body().collect().await.map_err(gone)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(broken)
    }

    /// Does something that answers at once.
    pub async fn post(&mut self, path: &str) -> Result<(), Trouble> {
        self.ask(Method::POST, path, Body::empty()).await.map(drop)
    }

    /// Asks with a body, JSON or bytes, and reads the answer.
    pub async fn send<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<T, Trouble> {
        let method = method.parse().map_err(broken)?;
        let response = self.ask(method, path, Body::from(body.into())).await?;
        let bytes = response.into_body().collect().await.map_err(gone)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(broken)
    }

    /// Does something that answers line by line, and hands each line on as it comes. A refusal is an error.
    pub async fn lines(
        &mut self,
        method: &str,
        path: &str,
        body: &impl Serialize,
        mut hear: impl FnMut(Line),
    ) -> Result<(), Trouble> {
        let method = method.parse().map_err(broken)?;
        let body = Body::from(serde_json::to_vec(body).map_err(broken)?);
        let mut body = self.ask(method, path, body).await?.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            pending.extend_from_slice(frame.map_err(gone)?.data_ref().map_or(&[], |data| &data[..]));
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                match Line::read(&line).map_err(broken)? {
                    Line::Refused { status, refusal } => {
                        return Err(Trouble::Refused(StatusCode::from_u16(status).map_err(broken)?, refusal));
                    }
                    line => hear(line),
                }
            }
        }
        Ok(())
    }
}
