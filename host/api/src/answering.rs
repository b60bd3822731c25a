//! A request's bytes -> its answer's, by whoever answers the endpoint, without a thread that waits for it.
//!
//! Small requests are read and written where they come in: to hand them to another thread would take longer. What may take
//! long is done on a thread for that.

use crate::body::Taken;
use crate::error::off_thread;
use crate::inference::{Public, Refused};
use crate::turns::LARGE_BYTES;
use axum::body::Body;
use axum::http::StatusCode;
use data::Table;
use serve::ServeError;
use server::Served;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::oneshot;
use types::{EndpointName, Field};

/// An answer of more rows takes long to write.
const LARGE_ROWS: u64 = 256;

/// The whole way of a request once it is its turn: read for whoever answers it, answered, written.
pub(crate) async fn answered<R: Send + 'static>(
    public: Public,
    name: EndpointName,
    request: Taken,
    read: impl FnOnce(&[u8], &[Field]) -> Result<(Table, R), ServeError> + Send + 'static,
    write: impl FnOnce(&Served, R) -> Result<Vec<u8>, ServeError> + Send + 'static,
) -> Result<Body, Refused> {
    let turn = public.turns.take(&public.tenant, request.as_ref().len()).await;
    let turn = turn.inspect_err(|_| public.server.turned_away(&public.tenant, &name))?;
    let answerer = match public.server.ready(&public.tenant, &name) {
        Some(answerer) => answerer,
        None => {
            let (server, tenant) = (Arc::clone(&public.server), public.tenant.clone());
            off_thread(move || server.prepare(&tenant, &name)).await?
        }
    };
    let is_large = request.as_ref().len() > LARGE_BYTES;
    let (rows, rest, answerer, request) = done(is_large, move || {
        let (rows, rest) = read(request.as_ref(), answerer.columns())?;
        Ok((rows, rest, answerer, request))
    })
    .await?;
    let is_large = rows.rows() > LARGE_ROWS;
    let (tell, told) = oneshot::channel();
    // The turn and the request's place end with the work, even if nobody waits for it any more.
    answerer.submit(rows, move |served| drop(tell.send((served, turn, request))));
    let (served, turn, request) = told.await.map_err(|_| broken())?;
    let served = served?;
    let answer = done(is_large, move || write(&served, rest)).await?;
    drop((turn, request));
    public.room.answer(answer)
}

/// What takes a while is done on a thread where it may; what is done at once, here.
async fn done<T: Send + 'static>(
    is_large: bool,
    work: impl FnOnce() -> Result<T, ServeError> + Send + 'static,
) -> Result<T, Refused> {
    let ended = match is_large {
        true => tokio::task::spawn_blocking(work).await.map_err(|_| broken())?,
        false => catch_unwind(AssertUnwindSafe(work)).map_err(|_| broken())?,
    };
    Ok(ended?)
}

fn broken() -> Refused {
    let text = "the request ended in a panic; this is a bug of ours".to_owned();
    Refused::Said(StatusCode::INTERNAL_SERVER_ERROR, text)
}
