//! The user's side: sends the command line and its files, then joins our terminal or pipes to what runs over there.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use lighter_engine::{Frame, Stream, write_frame};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use super::archive;
use super::carry::Luggage;
use super::far;
use super::host::Host;
use super::ssh::Connection;
use super::wire::{Frames, Header, Section, SectionWriter};
use crate::context::Invocation;
use crate::error::Failure;
use crate::session;

/// Signals by which a user ends what hangs; the third of them ends the connection.
const IMPATIENT: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

/// Frames that may wait for the connection before our input is left unread.
const BACKLOG: usize = 16;

/// Runs a command line on another host; returns its exit code.
pub(super) fn run(
    host: &Host,
    arguments: Vec<Vec<u8>>,
    invocation: &Invocation,
    luggage: &Luggage,
) -> Result<ExitCode, Failure> {
    let terminal = terminal();
    let header = Header {
        arguments,
        environment: luggage.environment.clone(),
        working_directory: invocation.working_directory.clone(),
        terminal,
        carried: luggage.carried.clone(),
        wanted: luggage.wanted.clone(),
        project: luggage.project.as_ref().map(|(project, _)| project.clone()),
    };
    // blocked before any thread is started: they arrive where they are read
    let signals = session::signals(&[&session::PROXIED[..], &[Signal::SIGWINCH]].concat())?;
    let (input, output, ssh) = Connection::open(host, &format!("{} {}", host.program(), far::VERB))?.split();
    let mut frames = Frames::new(output);
    let (sender, receiver) = mpsc::sync_channel::<Frame>(BACKLOG);
    let pid = ssh.pid();
    let connected = Arc::new(AtomicBool::new(false));
    let forward =
        Forward { to: sender.clone(), has_terminal: terminal.is_some(), connected: connected.clone(), ssh: pid };
    thread::spawn(move || forward.run(&signals));
    if let Err(error) = frames.expect_greeting() {
        return Err(ssh.failure(host, &error.to_string()));
    }
    connected.store(true, Ordering::Release);
    // who ends before all is sent says why
    let sent = send(&input, &header, luggage);
    let raw = terminal.and_then(|_| session::raw());
    thread::spawn(move || send_frames(input, &receiver));
    thread::spawn(move || send_input(&sender));
    let wanted: Vec<_> = luggage.wanted.iter().map(|one| one.path.clone()).collect();
    let code = receive(&mut frames, &wanted);
    drop(raw);
    match code? {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))),
        None => match sent {
            Ok(()) => Err(ssh.failure(host, "the connection broke")),
            Err(error) => Err(ssh.failure(host, &format!("send the command: {error}"))),
        },
    }
}

/// Returns the size of the terminal if input and both outputs are one.
fn terminal() -> Option<(u16, u16)> {
    let all = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    if all { session::size() } else { None }
}

fn send(input: &File, header: &Header, luggage: &Luggage) -> io::Result<()> {
    let mut to = BufWriter::new(input);
    let mut section = SectionWriter::new(&mut to);
    serde_json::to_writer(&mut section, header)?;
    section.end()?;
    let mut section = SectionWriter::new(BufWriter::new(&mut to));
    let project = luggage.project.as_ref().map(|(_, text)| text.as_str());
    archive::write(&mut section, (&luggage.carried, &luggage.contexts), project)?;
    section.end()?;
    to.flush()
}

/// Writes what the command says; returns its exit code, `None` if the connection broke.
fn receive(frames: &mut Frames<File>, wanted: &[std::path::PathBuf]) -> Result<Option<i32>, Failure> {
    loop {
        match frames.next() {
            Ok(Some(Frame::Output(Stream::Stdout, bytes))) => write(&mut io::stdout().lock(), &bytes)?,
            Ok(Some(Frame::Output(Stream::Stderr, bytes))) => write(&mut io::stderr().lock(), &bytes)?,
            Ok(Some(Frame::Exit(code))) => return Ok(Some(code)),
            Ok(Some(Frame::Input(piece))) => archive::put_back(Section::begun(frames, piece), wanted)
                .map_err(|error| Failure::text(format!("take files back from the other host: {error}")))?,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(crate::ui::output_failure)
}

/// Owns our end of the connection's input.
fn send_frames(mut to: File, frames: &mpsc::Receiver<Frame>) {
    while let Ok(frame) = frames.recv() {
        if write_frame(&mut to, &frame).is_err() {
            return; // the end of the output tells the rest
        }
    }
}

fn send_input(to: &SyncSender<Frame>) {
    let mut piece = [0; 32 << 10];
    let mut stdin = io::stdin().lock();
    loop {
        let frame = match stdin.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => Frame::EndOfInput,
            Ok(count) => Frame::Input(piece[..count].to_vec()),
        };
        let ends = frame == Frame::EndOfInput;
        if to.send(frame).is_err() || ends {
            return;
        }
    }
}

/// Hands signals on.
struct Forward {
    to: SyncSender<Frame>,
    has_terminal: bool,
    /// Whether anybody is there to take them; until then they end the connection.
    connected: Arc<AtomicBool>,
    ssh: Pid,
}

impl Forward {
    fn run(&self, signals: &SignalFd) {
        let mut patience = IMPATIENT.len();
        loop {
            let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::NONE);
            while let Ok(Some(signal)) = signals.read_signal() {
                let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
                if IMPATIENT.iter().any(|signal| *signal as i32 == number) {
                    match patience.checked_sub(1).filter(|_| self.connected.load(Ordering::Acquire)) {
                        Some(left) => patience = left,
                        None => _ = kill(self.ssh, Signal::SIGTERM),
                    }
                }
                if let Some(frame) = self.frame(number) {
                    let _ = self.to.try_send(frame); // full: the command takes nothing in, and a third Ctrl-C ends it
                }
            }
        }
    }

    fn frame(&self, number: i32) -> Option<Frame> {
        match number == Signal::SIGWINCH as i32 {
            false => Some(Frame::Signal(number)),
            true => session::size().filter(|_| self.has_terminal).map(|(rows, columns)| Frame::Resize(rows, columns)),
        }
    }
}

/// Runs a line of a shell over there with this input; returns its exit status and what it wrote.
pub(super) fn shell(host: &Host, line: &str, mut input: impl Read) -> Result<(i32, String), Failure> {
    let (mut to, mut from, mut ssh) = Connection::open(host, line)?.split();
    // a shell that ends early closes its input: its exit status tells why
    let _ = io::copy(&mut input, &mut to);
    drop(to);
    let mut text = String::new();
    from.read_to_string(&mut text).map_err(|error| Failure::text(format!("read what `{host}` answers: {error}")))?;
    let code = ssh.wait()?;
    if code == i32::from(u8::MAX) {
        return Err(ssh.failure(host, "ssh failed"));
    }
    Ok((code, text))
}
