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
}

/// What becomes of a container that one command runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stay {
    /// The caller stays until it ends, and serves its terminal.
    pub attended: bool,
    /// When its program cannot be started it stays, stopped.
    pub keep: bool,
}

impl Root {
    /// Makes a container and lets its program run.
    ///
    /// `warnings` gets what the user should be told, also after an error.
    ///
    /// # Errors
    /// [`OciError`]; nothing is left of the container then, and its poststop hooks have run, unless it is to be kept.
    pub fn run(
        &self,
        id: &str,
        options: &CreateOptions,
        stay: Stay,
        warnings: &mut Vec<String>,
    ) -> Result<Running, OciError> {
        let starter = if stay.attended { Starter::Attendant } else { Starter::Maker };
        let (mut container, mut created) = self.make(id, options, starter, warnings)?;
        if stay.keep {
            container.keep();
        }
        let terminal = created.terminal.take();
        let init = match created.start() {
            Ok(init) => init,
            Err(error) if stay.keep => return Err(error.into()),
            Err(error) => {
                warnings.extend(container.abandon());
                return Err(error.into());
            }
        };
        if let Err(error) = container.run_poststart() {
            container.end_all();
            if !stay.keep {
                // Why it was ended is what the user wants to know.
                warnings.extend(container.delete().unwrap_or_default());
            }
            return Err(error);
        }
        container.keep();
        Ok(Running { init, terminal })
    }
}
