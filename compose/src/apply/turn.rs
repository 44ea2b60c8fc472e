//! Whose turn it is: one command at a time changes a project.
//!
//! The turn is held while steps change something and given up while all that is left is to wait for containers, so that a
//! slow health check keeps nobody from `down`. Whoever comes in between finds steps done or not begun, and every step may be
//! done twice.

use std::sync::{Mutex, PoisonError};

use lighter_engine::{Engine, FileError, Holder, Lock};

/// The turn of this command on one project.
#[derive(Debug)]
pub struct Turn {
    engine: Engine,
    project: String,
    lock: Mutex<Option<Lock>>,
}

impl Turn {
    /// Returns a turn that is not held yet.
    pub fn new(engine: &Engine, project: &str) -> Self {
        Self { engine: engine.clone(), project: project.to_owned(), lock: Mutex::new(None) }
    }

    /// Returns the name of the project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Takes the turn; returns who has it instead, if it can be told.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn take(&self) -> Result<Result<(), Option<Holder>>, FileError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            match self.engine.lock_project(&self.project)? {
                Ok(taken) => *lock = Some(taken),
                Err(holder) => return Ok(Err(holder)),
            }
        }
        Ok(Ok(()))
    }

    /// Gives the turn up.
    pub fn give_up(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
