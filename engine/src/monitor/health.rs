//! Health checks: probes at their times, a verdict, a record. Runs in the monitor's event loop.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::fcntl::OFlag;

use crate::durable;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::launch::Stdio;
use crate::runtime::process;
use crate::spec::HealthCheck;
use crate::state::{Health, HealthStatus, ProbeResult};

/// Bytes kept of a probe's output: Docker's 4096.
const OUTPUT_LIMIT: usize = 4096;
/// Probes kept in the record: Docker's 5.
const LOG_LENGTH: usize = 5;
/// Longest pause between probes while a container starts, when `start_interval` is not set: 5 s, the default of the
/// Dockerfile reference. A container that is well after one second should not count as starting for thirty.
const START_INTERVAL: Duration = Duration::from_secs(5);

/// A process that was started as a probe.
pub(super) struct ProbeProcess {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    /// The container's cgroup, to find what the probe has started.
    pub(super) cgroup: Cgroup,
}

/// Asks one container how it is.
pub(super) struct Prober {
    check: HealthCheck,
    path: PathBuf,
    health: Health,
    started: Instant,
    next: Instant,
    /// No probe has ended yet.
    is_first: bool,
    running: Option<Running>,
    /// Probes that were killed and are still to be reaped.
    dying: Vec<OwnedFd>,
}

struct Running {
    process: ProbeProcess,
    output: File,
    text: Vec<u8>,
    start: Timestamp,
    deadline: Instant,
}

impl Prober {
    /// Begins to watch over a container that has just started; the record is at `path`.
    ///
    /// The first probe is due at once: a container that is well need not wait for an interval to be called so. If it fails
    /// it does not count, as Docker would not have asked yet.
    pub(super) fn new(check: HealthCheck, path: PathBuf) -> Self {
        Self::from(check, path, Health::default(), Duration::ZERO)
    }

    /// Goes on where a monitor that has died has left off; the container runs since `run`.
    pub(super) fn resume(check: HealthCheck, path: PathBuf, health: Health, run: Duration) -> Self {
        let mut prober = Self::from(check, path, health, run);
        prober.is_first = prober.health.log.is_empty();
        prober
    }

    fn from(check: HealthCheck, path: PathBuf, health: Health, run: Duration) -> Self {
        let now = Instant::now();
        let started = now.checked_sub(run).unwrap_or(now);
        let prober = Self { next: now, is_first: true, started, check, path, health, running: None, dying: Vec::new() };
        prober.record();
        prober
    }

    /// Returns the verdict so far.
    pub(super) fn status(&self) -> HealthStatus {
        self.health.status
    }

    /// Returns how long a probe may take.
    pub(super) fn timeout(&self) -> Duration {
        self.check.timeout
    }

    /// Returns whether a probe would be started now, or ended because it has taken too long.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.deadline()
    }

    /// Leaves one probe out; one that has begun is ended, and says nothing.
    pub(super) fn postpone(&mut self) {
        if let Some(running) = self.running.take() {
            self.kill(running);
        }
        self.next = Instant::now() + self.pause();
    }

    /// Returns how long the event loop may sleep.
    pub(super) fn deadline(&self) -> Instant {
        self.running.as_ref().map_or(self.next, |running| running.deadline)
    }

    /// Returns what to poll.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let running = self.running.iter().map(|running| running.process.pidfd.as_fd());
        running.chain(self.dying.iter().map(AsFd::as_fd)).collect()
    }

    /// Does what is due; `start` starts the probe's process with its output going to the given descriptors, or puts it off.
    pub(super) fn handle(&mut self, start: impl FnOnce(Vec<String>, Stdio) -> Result<Option<ProbeProcess>, String>) {
        let now = Instant::now();
        self.dying.retain(|pidfd| matches!(process::reap(pidfd.as_fd()), Ok(None)));
        match &mut self.running {
            None if now >= self.next => self.begin(start),
            None => {}
            Some(running) => {
                running.read();
                match process::reap(running.process.pidfd.as_fd()) {
                    Ok(Some(exit)) => self.end(exit.code()),
                    Ok(None) if now >= running.deadline => self.time_out(),
                    Ok(None) => {}
                    Err(_) => self.end(-1),
                }
            }
        }
    }

    fn begin(&mut self, start: impl FnOnce(Vec<String>, Stdio) -> Result<Option<ProbeProcess>, String>) {
        let begun = Timestamp::now();
        let started = pipes().map_err(|error| error.to_string()).and_then(|(output, stdio)| {
            let process = start(self.check.probe.args(), stdio)?;
            Ok(process.map(|process| (output, process)))
        });
        match started {
            Ok(None) => self.postpone(),
            Ok(Some((output, process))) => {
                let deadline = Instant::now() + self.check.timeout;
                self.running = Some(Running { process, output, text: Vec::new(), start: begun, deadline });
            }
            Err(message) => self.conclude(begun, -1, message),
        }
    }

    fn time_out(&mut self) {
        let Some(running) = self.running.take() else { return };
        let start = running.start;
        self.kill(running);
        self.conclude(start, -1, format!("Health check exceeded timeout ({:?})", self.check.timeout));
    }

    fn kill(&mut self, running: Running) {
        let ProbeProcess { pid, pidfd, cgroup } = running.process;
        crate::processes::kill_tree(&cgroup, pid);
        let _ = process::kill(pidfd.as_fd(), libc::SIGKILL);
        self.dying.push(pidfd);
    }

    fn end(&mut self, exit_code: i32) {
        let Some(mut running) = self.running.take() else { return };
        running.read();
        self.conclude(running.start, exit_code, String::from_utf8_lossy(&running.text).into_owned());
    }

    fn conclude(&mut self, start: Timestamp, exit_code: i32, output: String) {
        let in_start_period = self.in_start_period() || std::mem::take(&mut self.is_first);
        judge(&mut self.health, exit_code == 0, in_start_period, self.check.retries);
        self.health.log.push(ProbeResult { start, end: Timestamp::now(), exit_code, output });
        let surplus = self.health.log.len().saturating_sub(LOG_LENGTH);
        self.health.log.drain(..surplus);
        self.record();
        self.next = Instant::now() + self.pause();
    }

    fn in_start_period(&self) -> bool {
        self.health.status == HealthStatus::Starting && self.started.elapsed() < self.check.start_period
    }

    fn pause(&self) -> Duration {
        if self.health.status == HealthStatus::Starting
            && self.check.start_period > Duration::ZERO
            && self.in_start_period()
        {
            self.check.start_interval.unwrap_or(START_INTERVAL).min(self.check.interval)
        } else {
            self.check.interval
        }
    }

    fn record(&self) {
        // on a full disk the verdict is old, but the container and its next probe go on
        let _ = durable::write_json(&self.path, &self.health, false);
    }
}

impl Running {
    fn read(&mut self) {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = self.output.read(&mut piece) {
            let room = OUTPUT_LIMIT.saturating_sub(self.text.len());
            self.text.extend_from_slice(&piece[..count.min(room)]);
        }
    }
}

fn pipes() -> io::Result<(File, Stdio)> {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    super::output::set_nonblocking(&ours)?;
    let stdin = File::open("/dev/null")?.into();
    let stderr = theirs.try_clone()?;
    Ok((File::from(ours), Stdio::Fds { stdin, stdout: theirs, stderr }))
}

/// Applies one probe's result.
fn judge(health: &mut Health, success: bool, in_start_period: bool, retries: u32) {
    if success {
        health.failing_streak = 0;
        health.status = HealthStatus::Healthy;
    } else if !in_start_period {
        health.failing_streak += 1;
        if health.failing_streak >= retries.max(1) {
            health.status = HealthStatus::Unhealthy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(results: &[(bool, bool)]) -> Vec<HealthStatus> {
        let mut health = Health::default();
        let judged = results.iter().map(|(success, starting)| {
            judge(&mut health, *success, *starting, 2);
            health.status
        });
        judged.collect()
    }

    #[test]
    fn enough_failures_in_a_row_make_a_container_unhealthy_and_one_success_heals_it() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        let results = [(false, false), (false, false), (true, false), (false, false)];
        assert_eq!(verdicts(&results), [Starting, Unhealthy, Healthy, Healthy]);
    }

    #[test]
    fn failures_in_the_start_period_do_not_count_but_a_success_does() {
        use HealthStatus::{Healthy, Starting};
        assert_eq!(verdicts(&[(false, true), (false, true), (true, true)]), [Starting, Starting, Healthy]);
    }
}
