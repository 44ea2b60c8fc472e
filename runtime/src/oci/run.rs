//! `run`: create and start by one command, which may stay until the end.

use std::os::fd::OwnedFd;

use super::create::Starter;
use super::{CreateOptions, OciError, Root};
use crate::launch::Init;

/// A container whose first process is a child of the caller.
#[derive(Debug)]
pub struct Running {
    /// Its first process.
    pub init: Init,
    /// The master side of its terminal, unless a console socket got it.
    pub terminal: Option<OwnedFd>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

impl Root {
    /// Makes a container and lets its program run.
    ///
    /// `attended`: the caller stays until it ends, and serves its terminal. `keep`: when its program cannot be started
    /// it stays, stopped.
    ///
    /// # Errors
    /// [`OciError`]; nothing is left of the container then, unless it is to be kept.
    pub fn run(&self, id: &str, options: &CreateOptions, attended: bool, keep: bool) -> Result<Running, OciError> {
        let starter = if attended { Starter::Attendant } else { Starter::Maker };
        let (mut container, mut created) = self.make(id, options, starter)?;
        if keep {
            container.keep();
        }
        let (terminal, warnings) = (created.terminal.take(), std::mem::take(&mut created.warnings));
        let init = created.start()?;
        if let Err(error) = container.run_poststart() {
            container.end_all();
            if !keep {
                // Why it was ended is what the user wants to know.
                let _leftover = container.delete();
            }
            return Err(error);
        }
        container.keep();
        Ok(Running { init, terminal, warnings })
    }
}
