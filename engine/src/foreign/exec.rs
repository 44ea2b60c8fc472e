//! A second process in a container of another runtime. Runs in the command, or in the monitor for a probe.

use oci_spec::runtime::Process;

use super::call::{Call, Streams};
use super::console::Console;
use super::{Foreign, ForeignError, Subreaper};
use crate::durable;
use crate::runtime::exec::Executed;
use crate::runtime::launch::Stdio;

impl Foreign {
    /// Starts a process in the running container; it becomes a child of ours, though the runtime has made it.
    pub(crate) fn exec(&self, process: &Process, stdio: Stdio) -> Result<Executed, ForeignError> {
        let mut call = Call::new(self, "exec")?;
        let console = Console::for_streams(&stdio, &call)?;
        let (process_file, pid_file) = (call.file("json"), call.file("pid"));
        durable::write_json(&process_file, process, false)?;
        call.args(["--process".as_ref(), process_file.as_os_str(), "--pid-file".as_ref(), pid_file.as_os_str()]);
        call.args(["--detach"]);
        call.console(console.as_ref());
        let program = process.args().iter().flatten().next().cloned().unwrap_or_default();
        let adopted = Subreaper::begin().map_err(self.lost("process"))?;
        call.run(Streams::from(stdio), &program)?;
        let made = self.process(&pid_file);
        drop(adopted);
        let (process, pidfd) = made?;
        let terminal = console.map(|console| console.terminal(self)).transpose()?;
        Ok(Executed { pid: process.pid, pidfd, terminal, warnings: Vec::new() })
    }
}
