//! The start of a container by another runtime: the monitor's part of it.

use super::launch::{LaunchError, Monitor};
use crate::foreign::Foreign;
use crate::runtime::launch::{Init, Stdio};
use crate::state::Process;

impl Monitor {
    /// Starts the container's process; the record says of it before its program is executed.
    pub(super) fn launch_by(&mut self, foreign: &Foreign, stdio: Stdio) -> Result<Init, LaunchError> {
        let program = self.spec.args.first().cloned().unwrap_or_default();
        let (init, terminal) = foreign.create(&program, stdio)?;
        if let Some(master) = terminal {
            self.use_terminal(master).map_err(LaunchError::io("use the container's terminal"))?;
        }
        self.record_running(Process { pid: init.pid, start_time: init.start_time })?;
        foreign.start(&program, &init)?;
        Ok(init)
    }
}
