//! Uploads under way, by the ids that clients were given.
//!
//! Runs in the shell command's process. They end with the server: an upload can be resumed after a broken connection, not
//! after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::reply::{Refusal, code};
use crate::store::{Store, Upload};

/// Uploads at once: each is an open file.
const MOST: usize = 128;

/// How long an upload is kept that nobody goes on with.
const KEPT: Duration = Duration::from_secs(3600);

/// How long it is kept if its place is wanted.
const KEPT_WHEN_FULL: Duration = Duration::from_secs(60);

/// One upload, for one request at a time.
pub(super) type Held = OwnedMutexGuard<Upload>;

/// The uploads.
#[derive(Default)]
pub(super) struct Uploads {
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    /// The repository it began in.
    name: String,
    upload: Arc<tokio::sync::Mutex<Upload>>,
    touched: Instant,
}

impl Uploads {
    /// Begins an upload and returns its id.
    pub(super) fn begin(&self, store: &Store, name: &str) -> Result<(String, Held), Refusal> {
        let mut open = self.open();
        if open.len() >= MOST {
            open.retain(|_, session| session.is_wanted(KEPT_WHEN_FULL));
        }
        if open.len() >= MOST {
            return Err(Refusal::busy("too many uploads are under way", KEPT_WHEN_FULL));
        }
        let upload = Arc::new(tokio::sync::Mutex::new(store.begin_upload()?));
        let held = Arc::clone(&upload).try_lock_owned().map_err(|_| busy())?;
        let id = random_id();
        open.insert(id.clone(), Session { name: name.to_owned(), upload, touched: Instant::now() });
        Ok((id, held))
    }

    /// Takes hold of an upload.
    pub(super) fn hold(&self, name: &str, id: &str) -> Result<Held, Refusal> {
        let mut open = self.open();
        let session = open.get_mut(id).filter(|session| session.name == name);
        let session = session.ok_or_else(|| {
            Refusal::not_found(code::BLOB_UPLOAD_UNKNOWN, "there is no such upload; it may have been given up")
        })?;
        session.touched = Instant::now();
        Arc::clone(&session.upload).try_lock_owned().map_err(|_| busy())
    }

    /// Forgets an upload; its file goes with the last who holds it.
    pub(super) fn end(&self, id: &str) {
        self.open().remove(id);
    }

    /// Forgets those that nobody goes on with.
    pub(super) fn expire(&self) {
        self.open().retain(|_, session| session.is_wanted(KEPT));
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // Insertion and removal are whole or not at all, also in a panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_wanted(&self, kept: Duration) -> bool {
        self.touched.elapsed() < kept || self.upload.try_lock().is_err()
    }
}

fn busy() -> Refusal {
    let status = hyper::StatusCode::CONFLICT;
    Refusal::new(status, code::BLOB_UPLOAD_INVALID, "another request is at this upload")
}

/// 128 random bits: whoever knows an id may go on with the upload.
fn random_id() -> String {
    let part = || getrandom::u64().unwrap_or_else(|_| Instant::now().elapsed().as_nanos() as u64);
    format!("{:016x}{:016x}", part(), part())
}
