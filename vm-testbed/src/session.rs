//! Guests that run: one boot, or several on the same disks.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::accelerator::Accelerator;
use crate::control::{self, Message};
use crate::emulator::{Emulator, Machine, Writes};
use crate::images::Cgroups;
use crate::interrupts::Interrupts;
use crate::kernel::Kernel;

/// Boots of one session: more are a loop.
const MOST_BOOTS: u32 = 20;

/// Pause between two looks whether QEMU is still there; messages of the guest do not wait for it.
const INTERVAL: Duration = Duration::from_millis(50);

/// Time a kernel may take under KVM until its first process; it needs one or two seconds where that works.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Everything one guest is made of.
pub(crate) struct Session<'a> {
    pub(crate) emulator: &'a Emulator,
    pub(crate) kernel: &'a Kernel,
    pub(crate) accelerator: Accelerator,
    pub(crate) cpus: u32,
    /// In MiB.
    pub(crate) memory: u32,
    pub(crate) cgroups: Cgroups,
    pub(crate) limit: Duration,
    /// The guest's standard streams are ours.
    pub(crate) interactive: bool,
    /// Whether the output is shown while it comes.
    pub(crate) shown: bool,
    /// Folder for disks and logs, which the caller removes.
    pub(crate) work: &'a Path,
    /// Root, modules, files, output, state, shared folders.
    pub(crate) disks: Vec<(PathBuf, Writes)>,
}

/// How a session ended, and what it said meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    /// Of the last boot, in seconds since the kernel's start.
    pub(crate) stages: Vec<(String, f64)>,
    pub(crate) boots: u32,
    pub(crate) not_applicable: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

/// Why the last boot of a session ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The program has ended, with this status.
    Exit(i32),
    /// The limit was reached.
    TimedOut,
    /// SIGINT or SIGTERM came.
    Interrupted,
    /// The guest was gone before the program had ended.
    #[default]
    Died,
}

impl Ended {
    /// The program's status; 124, 125 and 130 are what timeout(1), docker(1) and shells end with.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Exit(status) => u8::try_from(status).unwrap_or(u8::MAX),
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Died => 125,
        }
    }
}

enum Next {
    End(Ended),
    Again,
}

impl Session<'_> {
    /// Boots until the program has ended, and again where the guest crashes or reboots by intent.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let interrupts = Interrupts::hold()?;
        let started = Instant::now();
        while outcome.boots < MOST_BOOTS {
            outcome.boots += 1;
            outcome.stages.clear();
            let next = self.boot(&mut outcome, started + self.limit, &interrupts)?;
            outcome.took = started.elapsed();
            if let Next::End(ended) = next {
                outcome.ended = ended;
                return Ok(outcome);
            }
        }
        bail!("the guest was booted {MOST_BOOTS} times and wants to be booted again")
    }

    /// The kernel's console of a boot, from 1.
    pub(crate) fn console(&self, boot: u32) -> PathBuf {
        self.work.join(format!("console-{boot}.log"))
    }

    /// The program's output, of all boots.
    pub(crate) fn output(&self) -> PathBuf {
        self.work.join("output.log")
    }

    /// What QEMU itself has said of the last boot.
    pub(crate) fn log(&self) -> PathBuf {
        self.work.join("qemu.log")
    }

    /// Tries whether the kernel gets to its first process under KVM.
    pub(crate) fn probe(&self) -> Result<bool> {
        let mut outcome = Outcome::default();
        let next = self.boot(&mut outcome, Instant::now() + PROBE_LIMIT, &Interrupts::hold()?)?;
        if matches!(next, Next::End(Ended::Interrupted)) {
            bail!("interrupted while KVM was tried");
        }
        Ok(!outcome.stages.is_empty())
    }

    fn boot(&self, outcome: &mut Outcome, deadline: Instant, interrupts: &Interrupts) -> Result<Next> {
        let control = self.work.join("control");
        let _absent = fs::remove_file(&control);
        let listener = UnixListener::bind(&control).with_context(|| format!("listen on `{}`", control.display()))?;
        let console = self.console(outcome.boots);
        let mut command = self.emulator.command(&self.machine(outcome.boots, &console, &control));
        let log = File::create(self.log())?;
        // Writes that are forgotten go to a file there until QEMU ends.
        command.stderr(log).env("TMPDIR", self.work);
        if self.interactive {
            command.stdin(Stdio::inherit()).stdout(Stdio::inherit());
        } else {
            command.stdout(Stdio::piped());
        }
        let mut qemu = command.spawn().context("start QEMU (by `setpriv`, of util-linux)")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || listen(&listener, &sender));
        let output = qemu.stdout.take().map(|stdout| self.stream(stdout)).transpose()?;
        let next = watch(&mut qemu, &receiver, outcome, &|| {
            let is_late = Instant::now() >= deadline;
            if interrupts.came() { Some(Ended::Interrupted) } else { is_late.then_some(Ended::TimedOut) }
        });
        let _gone = qemu.kill();
        let _reaped = qemu.wait();
        if let Some(output) = output {
            // Ends with QEMU, which held the other side.
            let _panicked = output.join();
        }
        match next? {
            // A terminal sends the signal to QEMU as well.
            Next::End(Ended::Died) if interrupts.came() => Ok(Next::End(Ended::Interrupted)),
            next => Ok(next),
        }
    }

    fn machine<'a>(&'a self, boot: u32, console: &'a Path, control: &'a Path) -> Machine<'a> {
        Machine {
            accelerator: self.accelerator,
            cpus: self.cpus,
            memory: self.memory,
            kernel: &self.kernel.image,
            initrd: &self.kernel.initrd,
            parameters: parameters(self.cgroups, boot, self.interactive),
            disks: self.disks.clone(),
            console,
            control,
        }
    }

    /// Copies what comes from the guest to our standard output and to the log.
    fn stream(&self, mut from: impl Read + Send + 'static) -> Result<std::thread::JoinHandle<()>> {
        let mut log = fs::OpenOptions::new().create(true).append(true).open(self.output())?;
        let shown = self.shown;
        Ok(std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                if shown {
                    let mut stdout = io::stdout().lock();
                    // Whoever does not listen any more still has the log.
                    let _closed = stdout.write_all(&buffer[..length]).and_then(|()| stdout.flush());
                }
                let _full = log.write_all(&buffer[..length]);
            }
        }))
    }
}

/// Waits for the end of a boot, or until `ends` says that it is over. QEMU may still be there when this returns.
fn watch(
    qemu: &mut Child,
    messages: &mpsc::Receiver<Message>,
    outcome: &mut Outcome,
    ends: &dyn Fn() -> Option<Ended>,
) -> Result<Next> {
    let mut status = None;
    let mut reboots = false;
    loop {
        match messages.recv_timeout(INTERVAL) {
            Ok(Message::Stage { name, seconds }) => outcome.stages.push((name, seconds)),
            Ok(Message::Exit(code)) => status = Some(code),
            Ok(Message::Crash) => {
                qemu.kill().context("kill QEMU")?;
                return Ok(Next::Again);
            }
            Ok(Message::Reboot) => reboots = true,
            Ok(Message::NotApplicable { test, why }) => outcome.not_applicable.push((test, why)),
            Ok(Message::Note(text)) => outcome.notes.push(text),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(ended) = ends() {
                    return Ok(Next::End(ended));
                }
            }
            // The guest has hung up: all it had to say is read.
            Err(RecvTimeoutError::Disconnected) => {
                qemu.wait().context("wait for QEMU")?;
                return Ok(match status {
                    // An init that goes down ends the program, which is no end of its own.
                    _ if reboots => Next::Again,
                    Some(code) => Next::End(Ended::Exit(code)),
                    None => Next::End(Ended::Died),
                });
            }
        }
        if status.is_none() && !reboots && qemu.try_wait().context("wait for QEMU")?.is_some_and(|exit| !exit.success())
        {
            return Ok(Next::End(Ended::Died));
        }
    }
}

fn listen(listener: &UnixListener, sender: &Sender<Message>) {
    let Ok((stream, _)) = listener.accept() else { return };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        if let Some(message) = control::parse(&String::from_utf8_lossy(&line))
            && sender.send(message).is_err()
        {
            return;
        }
    }
}

/// Words of the kernel's command line.
fn parameters(cgroups: Cgroups, boot: u32, interactive: bool) -> Vec<String> {
    // No mitigations, no random layout: emulation pays for both at every step.
    let mut words = vec!["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr"];
    match cgroups {
        Cgroups::V2 => words.push("cgroup_no_v1=all"),
        Cgroups::Hybrid => words.extend([
            "systemd.unified_cgroup_hierarchy=0",
            "systemd.legacy_systemd_cgroup_controller=0",
            "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        ]),
        Cgroups::V1 => words.extend([
            "systemd.unified_cgroup_hierarchy=0",
            "systemd.legacy_systemd_cgroup_controller=1",
            "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        ]),
    }
    if interactive {
        words.push("vm.interactive");
    }
    let own = [format!("vm.cgroup={}", cgroups.name()), format!("vm.boot={boot}")];
    words.into_iter().map(str::to_owned).chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_about_cgroups_and_the_boot() {
        let line = parameters(Cgroups::V2, 2, false).join(" ");
        assert!(line.contains("cgroup_no_v1=all") && line.ends_with("vm.cgroup=v2 vm.boot=2"), "{line}");
        let line = parameters(Cgroups::Hybrid, 1, true).join(" ");
        assert!(!line.contains("cgroup_no_v1") && line.contains("vm.interactive vm.cgroup=hybrid"), "{line}");
    }

    #[test]
    fn the_status_is_the_programs_or_says_why_there_is_none() {
        let all = [Ended::Exit(7), Ended::TimedOut, Ended::Died, Ended::Interrupted];
        assert_eq!(all.map(Ended::status), [7, 124, 125, 130]);
    }
}
