//! Predictions -> files that tell of them; and the labels that came back for them.
//!
//! ```text
//!  answer --Predictions::note--> a buffer an endpoint --its own thread--> tenants/NAME/predictions/ENDPOINT/*.arrows
//!  label  --Book::label, durable--------------------------------------->  ../ENDPOINT/labels/*.log
//!                                  both, joined by the prediction's id --> rows to learn from (`join`), or how wrong
//!                                                                          two versions were (`followed`)
//! ```
//! A request waits for none of this: it leaves its rows in the buffer, which has a bound, and beyond that it is counted and not
//! logged. What is in the buffer is on the disk within [`GATHER`] and the time that writing takes; that much a crash can lose.
//! Nothing of it is in the journal.

mod book;
mod feedback;
mod files;
mod followed;
mod join;
mod labels;
mod rows;
#[cfg(test)]
mod tests;

pub use book::PredictionLog;
pub(crate) use book::{Book, Noted};
pub(crate) use followed::{Followed, Loss, Question};
pub use labels::{LABELS_MAX, LabelAnswer, LabelRequest, NewLabel};

use crate::bell::Bell;
use crate::{Error, Server, folder, locked};
use manifest::LogSettings;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use types::{EndpointName, PredictionId, TenantId};

/// How long what came first waits for more to be written with it.
const GATHER: Duration = Duration::from_millis(500);
/// How often it is looked for what is too old, where nothing is asked.
const LOOK: Duration = Duration::from_secs(3600);

/// The logs of all endpoints.
pub(crate) struct Predictions {
    shared: Arc<Shared>,
    /// Writes what was noted. Begun by the first note.
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    data: PathBuf,
    clock: Arc<dyn ports::Clock>,
    books: Mutex<BTreeMap<(TenantId, EndpointName), Arc<Book>>>,
    /// There is something to write.
    some: Bell,
    /// It is not to wait for more.
    hurry: Bell,
    is_leaving: AtomicBool,
}

impl Predictions {
    pub(crate) fn new(data: PathBuf, clock: Arc<dyn ports::Clock>) -> Self {
        let (books, some, hurry, is_leaving) = Default::default();
        Self { shared: Arc::new(Shared { data, clock, books, some, hurry, is_leaving }), writer: Mutex::default() }
    }

    /// What an endpoint's predictions are kept in.
    pub(crate) fn book(&self, tenant: &TenantId, endpoint: &EndpointName) -> Arc<Book> {
        let mut books = locked(&self.shared.books);
        let book = books.entry((tenant.clone(), endpoint.clone()));
        Arc::clone(book.or_insert_with(|| {
            let folder = folder::predictions(&self.shared.data, tenant).join(endpoint.to_string());
            Arc::new(Book::new(endpoint.clone(), folder))
        }))
    }

    /// From now on an endpoint's predictions are kept as its project says.
    pub(crate) fn settle(&self, tenant: &TenantId, endpoint: &EndpointName, settings: LogSettings) {
        self.book(tenant, endpoint).settle(settings);
    }

    /// Takes note of a request's predictions, and says what they are called. Waits for no disk.
    pub(crate) fn note(&self, tenant: &TenantId, endpoint: &EndpointName, noted: Noted) -> Result<PredictionId, Error> {
        let told = self.book(tenant, endpoint).note(noted, self.shared.clock.now_us())?;
        if told.is_first {
            self.begin();
            self.shared.some.ring();
        }
        if told.is_much {
            self.shared.hurry.ring();
        }
        Ok(told.id)
    }

    fn begin(&self) {
        let mut writer = locked(&self.writer);
        if writer.is_none() && !self.shared.is_leaving.load(Ordering::Relaxed) {
            let shared = Arc::clone(&self.shared);
            *writer = Some(std::thread::spawn(move || shared.keep()));
        }
    }

    /// Writes what was noted so far. More may come: answers that are under way when a server ends.
    pub(crate) fn write(&self) {
        self.shared.write_all();
    }

    /// Writes what was noted, and ends.
    fn leave(&self) {
        self.shared.is_leaving.store(true, Ordering::Relaxed);
        [&self.shared.some, &self.shared.hurry].into_iter().for_each(Bell::ring);
        // One that panicked has nothing more to write.
        locked(&self.writer).take().into_iter().for_each(|writer| drop(writer.join()));
        self.shared.write_all();
    }

    /// A tenant that is gone has no logs; what was noted and not written is not.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        locked(&self.shared.books).retain(|key, book| {
            let stays = key.0 != *tenant;
            if !stays {
                book.close();
            }
            stays
        });
    }
}

impl Drop for Predictions {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Shared {
    fn keep(&self) {
        while !self.is_leaving.load(Ordering::Relaxed) {
            self.some.sleep(LOOK);
            self.hurry.sleep(GATHER);
            self.write_all();
        }
    }

    fn write_all(&self) {
        let books: Vec<_> = locked(&self.books).values().cloned().collect();
        books.iter().for_each(|book| book.write(self.clock.now_us()));
    }
}

impl Server {
    /// Writes what was noted of predictions so far: to be called once nobody is answered any more.
    pub fn write_predictions(&self) {
        self.predictions.write();
    }

    /// Takes labels of an endpoint's predictions. They are on the disk when this returns.
    pub fn label(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointName,
        request: &LabelRequest,
    ) -> Result<LabelAnswer, Error> {
        let predicted = self.endpoint(tenant, endpoint)?.response.first().map(|field| field.data_type);
        self.admission.check(tenant)?;
        self.predictions.book(tenant, endpoint).label(request, predicted, self.now_us())
    }

    /// What is kept of each endpoint's predictions: those that are served, and those that were.
    pub fn prediction_logs(&self, tenant: &TenantId) -> Result<Vec<PredictionLog>, Error> {
        self.known(tenant)?;
        let mut names = files::endpoints(&folder::predictions(&self.options.data, tenant))?;
        names.extend(
            locked(&self.predictions.shared.books).keys().filter(|key| key.0 == *tenant).map(|key| key.1.clone()),
        );
        names.sort();
        names.dedup();
        names.iter().map(|name| self.predictions.book(tenant, name).told()).collect()
    }

    /// The rows of an endpoint's predictions, file by file, the oldest first, each handed on as JSON until that gives false; with
    /// `is_labelled` those alone whose label has come. Says how many they were.
    pub fn export_predictions(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointName,
        is_labelled: bool,
        hear: &mut dyn FnMut(serde_json::Map<String, serde_json::Value>) -> bool,
    ) -> Result<u64, Error> {
        self.known(tenant)?;
        if !files::endpoints(&folder::predictions(&self.options.data, tenant))?.contains(endpoint) {
            return Err(Error::NotFound(format!("nothing is logged of an endpoint `{endpoint}`")));
        }
        let book = self.predictions.book(tenant, endpoint);
        book.write(self.now_us());
        book.each(is_labelled, hear)
    }
}
