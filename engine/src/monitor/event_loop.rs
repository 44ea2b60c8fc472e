//! The monitor's one loop: output, input, clients, names, probes, signals, and the end. Sleeps until one of them stirs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use jiff::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::health::{ProbeProcess, Prober};
use super::held::Held;
use super::launch::{self, Monitor};
use super::output::{Output, Piece};
use super::restart;
use crate::attach::Frame;
use crate::control::poll_timeout;
use crate::hooks::Turn;
use crate::runtime::exec::{ExecRequest, exec};
use crate::runtime::launch::{Init, Stdio};
use crate::runtime::process::{self, Exit};
use crate::runtime::terminal;
use crate::spawn::{self, LaunchRecord, Reply, Task};
use crate::state::{EXIT_CODE_UNKNOWN, Process, Status};
use crate::{exit_code, sys};

/// Bytes read from an output at once: a pipe's capacity (pipe(7)).
const PIECE: usize = 64 << 10;

/// Whether the loop goes on.
enum Next {
    Continue,
    Finish,
}

impl Monitor {
    /// Looks after the container until it has ended for good, then undoes everything.
    pub(super) fn run(mut self) -> io::Result<()> {
        self.take_off();
        loop {
            self.sleep()?;
            if let Next::Finish = self.turn() {
                return self.finish();
            }
        }
    }

    fn turn(&mut self) -> Next {
        if self.read_signals() {
            self.read_changes();
            self.follow_networks();
        }
        self.pump_output();
        self.serve_clients();
        if let Some(server) = &mut self.connection.server {
            server.handle();
        }
        self.connection.relay.handle();
        self.probe();
        self.hear_hooks();
        if let Some(exit_code) = self.ended() {
            return self.after_end(exit_code);
        }
        match self.restart_at {
            Some(_) if self.engine.is_to_stop(&self.paths) => Next::Finish,
            Some(due) if Instant::now() >= due => self.restart(),
            _ => Next::Continue,
        }
    }

    fn sleep(&self) -> io::Result<()> {
        let now = Instant::now();
        let deadlines = [
            self.restart_at,
            self.prober.as_ref().map(Prober::deadline),
            self.connection.server.as_ref().and_then(|server| server.timeout()).map(|wait| now + wait),
            self.connection.relay.timeout().map(|wait| now + wait),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let timeout = deadline.map_or(PollTimeout::NONE, |at| poll_timeout(at.saturating_duration_since(now)));
        let mut fds: Vec<_> = self.fds().into_iter().map(|(fd, flags)| PollFd::new(fd, flags)).collect();
        match nix::poll::poll(&mut fds, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut fds = vec![(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.init.iter().map(|init| (init.pidfd.as_fd(), PollFlags::POLLIN)));
        if self.attachments.has_room() {
            fds.extend(self.outputs.iter().filter_map(Output::as_fd).map(|fd| (fd, PollFlags::POLLIN)));
        }
        fds.extend(self.input.as_fd().map(|fd| (fd, PollFlags::POLLOUT)));
        fds.extend(self.attachments.fds(self.input.has_room()));
        fds.extend(self.connection.server.iter().flat_map(|server| server.fds()));
        fds.extend(self.connection.relay.fds());
        fds.extend(self.hooks.iter().map(|fd| (fd.as_fd(), PollFlags::POLLIN)));
        fds.extend(self.prober.iter().flat_map(Prober::fds).map(|fd| (fd, PollFlags::POLLIN)));
        fds
    }

    /// A signal only wakes us: what the user wants is in files. Returns whether there was one.
    fn read_signals(&mut self) -> bool {
        let mut any = false;
        while let Ok(Some(_)) = self.signals.read_signal() {
            any = true;
        }
        any
    }

    /// Takes note of networks that a command has connected or disconnected; what cannot be read now is read at the next signal.
    pub(super) fn follow_networks(&mut self) {
        let Ok(changed) = self.engine.follow(&self.id, &self.spec, &mut self.connection) else { return };
        if changed {
            self.state.endpoints = self.connection.endpoints.clone();
            let _ = self.write_state(false); // on a full disk the command sees that nothing was written
        }
    }

    fn pump_output(&mut self) {
        for index in 0..self.outputs.len() {
            if self.attachments.has_room() {
                self.read_output(index);
            }
        }
    }

    /// Reads one piece; returns whether there may be more.
    fn read_output(&mut self, index: usize) -> bool {
        let mut buffer = [0; PIECE];
        let output = &mut self.outputs[index];
        let stream = output.stream;
        match output.read(&mut self.log, &mut buffer) {
            Piece::Bytes(bytes) => {
                self.log.append(stream, bytes);
                self.attachments.output(stream, bytes);
                true
            }
            Piece::Nothing | Piece::End => false,
        }
    }

    fn serve_clients(&mut self) {
        self.input.flush();
        for frame in self.attachments.handle(self.input.has_room()) {
            match frame {
                Frame::Input(bytes) => self.input.push(&bytes),
                Frame::EndOfInput => self.input.end(),
                Frame::Resize(rows, columns) => {
                    if let Some(terminal) = self.input.terminal_fd() {
                        let _ = terminal::resize(terminal, rows, columns); // cosmetic
                    }
                }
                Frame::Output(..) | Frame::Exit(_) | Frame::Signal(_) => {} // ours to send, or between hosts
            }
        }
    }

    fn probe(&mut self) {
        let (Some(prober), Some(init)) = (&mut self.prober, &self.init) else { return };
        let before = prober.status();
        if prober.is_due() && self.paths.pause_request().exists() {
            prober.postpone(); // what is started in a frozen cgroup freezes before it can say that it has started
            return;
        }
        let pause_request = self.paths.pause_request();
        let (config, foreign) = (&self.config, self.foreign.as_deref());
        let patience = Some(prober.timeout());
        let target = Process { pid: init.pid, start_time: init.start_time }.reference();
        prober.handle(|args, stdio: Stdio| {
            let mut process = config.process().clone().unwrap_or_default();
            process.set_args(Some(args)).set_terminal(Some(false));
            let cgroup = init.cgroup.clone();
            let started = match foreign {
                Some(foreign) => foreign.exec(&process, stdio).map_err(|error| super::chain(&error)),
                None => {
                    let (init, cgroup, container, process) = (&target, &cgroup, config, &process);
                    let request = ExecRequest { init, cgroup, container, process, stdio, preserve_fds: 0, patience };
                    exec(request).map_err(|error| super::chain(&error))
                }
            };
            match started {
                Ok(started) => Ok(Some(ProbeProcess { pid: started.pid, pidfd: started.pidfd, cgroup })),
                Err(_) if pause_request.exists() => Ok(None), // paused meanwhile, it says nothing about how the container is
                Err(error) => Err(error),
            }
        });
        let status = prober.status();
        if status != before {
            self.tell(&format!("health_status: {}", status.word()), &[]);
        }
    }

    /// Returns what the process that runs the post_start hooks is given.
    pub(super) fn hooks_record(&self) -> LaunchRecord {
        let commands = self.spec.hooks.post_start.clone();
        LaunchRecord { commands, ..self.engine.launch_record(&self.id, Task::Commands(Turn::PostStart), false) }
    }

    /// Has the post_start hooks run while nobody waits for them.
    pub(super) fn begin_hooks(&mut self) {
        if self.spec.hooks.post_start.is_empty() {
            return;
        }
        match spawn::start_unheard(&self.hooks_record()) {
            Ok(reply) => self.hooks = Some(reply),
            Err(error) => self.note_failure(super::chain(&error)),
        }
    }

    /// Takes note of post_start hooks that are over: one that failed is said by the container's record.
    fn hear_hooks(&mut self) {
        let Some(reply) = self.hooks.take_if(|reply| is_ready(reply.as_fd())) else { return };
        if let Ok(Reply::Failed { message, .. }) = spawn::reply_from(reply, || ()) {
            self.note_failure(message);
        }
    }

    fn note_failure(&mut self, message: String) {
        self.state.error = Some(message);
        let _ = self.write_state(false); // on a full disk nobody hears of it
    }

    /// Returns the exit code once the container's init has ended.
    fn ended(&mut self) -> Option<i32> {
        let init = self.init.as_ref()?;
        match process::reap(init.pidfd.as_fd()) {
            Ok(None) => None,
            Ok(Some(exit)) => Some(exit.code()),
            // an adopted container is not our child: whoever reaped it may have left its status with the kernel
            Err(_) if Process { pid: init.pid, start_time: init.start_time }.is_alive() => None,
            Err(_) => Some(exit_code_of_foreign(init)),
        }
    }

    fn after_end(&mut self, exit_code: i32) -> Next {
        let oom_killed = self.init.take().is_some_and(|init| {
            let killed = init.cgroup.oom_kills().is_ok_and(|count| count > 0);
            let _ = init.cgroup.kill_all(); // whatever outlived init, with the host's pid namespace
            killed
        });
        self.prober = None;
        self.drain();
        self.state.exit_code = Some(exit_code);
        self.state.oom_killed = oom_killed && exit_code != 0;
        self.state.finished_at = Some(Timestamp::now());
        self.state.init = None;
        if self.state.oom_killed {
            self.tell("oom", &[]);
        }
        self.tell("die", &[("exitCode", &exit_code.to_string())]);
        self.restart_or_finish(exit_code)
    }

    fn restart_or_finish(&mut self, exit_code: i32) -> Next {
        self.read_changes();
        let stopped = self.engine.is_to_stop(&self.paths);
        if !restart::wanted(self.spec.restart, exit_code, self.state.restart_count, stopped) {
            return Next::Finish;
        }
        self.restart_at = Some(Instant::now() + self.backoff.pause(self.started.elapsed()));
        self.state.status = Status::Restarting;
        let _ = self.write_state(false); // on a full disk the old state is corrected by whoever reads it
        Next::Continue
    }

    fn restart(&mut self) -> Next {
        self.restart_at = None;
        self.state.restart_count += 1;
        self.started = Instant::now();
        match self.launch_again() {
            Ok(_warned_at_the_first_start) => {
                self.begin_hooks();
                self.take_off();
                Next::Continue
            }
            Err(error) => {
                self.init = None;
                self.state.error = Some(error.to_string());
                self.state.exit_code = Some(error.exit_code());
                self.restart_or_finish(error.exit_code())
            }
        }
    }

    /// Reads what the dead container has left in its pipes; clients that lag behind get it as they can.
    fn drain(&mut self) {
        for index in 0..self.outputs.len() {
            while self.read_output(index) {}
        }
        self.log.finish();
    }

    /// Undoes everything, records the end, deletes the container if it was to be, and lets the clients read to the end.
    fn finish(mut self) -> io::Result<()> {
        self.connection.server = None;
        self.connection.relay = crate::netns::Relay::default();
        self.unplug_neighbours();
        self.held = Held::default();
        let torn_down = self.engine.tear_down(&self.id);
        let exit_code = self.state.exit_code.unwrap_or(exit_code::OURS);
        self.state.status = Status::Exited;
        self.state.cut_off = self.engine.going_down().exists() && !self.paths.stop_request().exists();
        self.state.end();
        if let Err(error) = &torn_down {
            self.state.error = Some(error.to_string());
        }
        let recorded = self.write_state(true);
        launch::remove_if_asked(&self.engine, &self.id);
        self.attachments.finish(exit_code);
        let net = self.engine.net();
        if torn_down.as_ref().is_ok_and(|spent| !spent.is_empty()) || net.is_used().is_ok_and(|used| !used) {
            // the rest is slow, and whoever waits for the monitor does not wait for it
            sys::detach_from_parent()?;
            net.teardown_later().map_err(io::Error::other)?;
        }
        torn_down.map_err(io::Error::other)?;
        recorded.map_err(io::Error::other)
    }
}

/// Tells whether a pipe can be read, or has come to its end.
fn is_ready(pipe: BorrowedFd<'_>) -> bool {
    nix::poll::poll(&mut [PollFd::new(pipe, PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Returns how a process ended whose parent is somebody else: /proc tells until it is reaped, the kernel tells by its
/// pidfd from then on (Linux 6.15).
fn exit_code_of_foreign(init: &Init) -> i32 {
    let status = status_of_zombie(init).or_else(|| sys::exit_status_of(init.pidfd.as_fd()));
    status.map_or(EXIT_CODE_UNKNOWN, code_of_status)
}

/// Returns the wait status of a process that has ended and is not reaped: field 52 of /proc/PID/stat (proc(5)).
fn status_of_zombie(init: &Init) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", init.pid)).ok()?;
    // the name, in parentheses, may hold anything: fields are counted from behind it, the third first
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let is_it = fields.first() == Some(&"Z") && fields.get(19)?.parse() == Ok(init.start_time);
    if is_it { fields.get(49)?.parse().ok() } else { None }
}

/// Reads a wait status as wait(2) encodes it.
fn code_of_status(status: i32) -> i32 {
    let exit = if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    exit.code()
}
