//! The other host's side: a process that ssh executes, and the command itself, its child.
//!
//! The process takes the header and the archive, executes this binary once more on a terminal or pipes, and passes bytes,
//! signals and the exit code on. When the connection breaks, the command gets SIGHUP, as from a terminal that is closed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use lighter_engine::runtime::terminal;
use lighter_engine::{Frame, Layout, Stream, write_frame};
use nix::poll::poll;
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::archive;
use super::folder::{self, Folder};
use super::wire::{Frames, GREETING, Header, SectionWriter};
use crate::error::Failure;

/// First argument of the process that ssh executes.
pub(crate) const VERB: &str = "__remote";

/// First argument of the command; the folder follows.
pub(crate) const COMMAND_VERB: &str = "__carried";

/// Time that a command has to end after its user is gone, in ms. Its containers go on, as when a terminal is closed.
const PATIENCE: u16 = 5_000;

/// Our output, which several threads write frames to.
type Back = Arc<Mutex<io::Stdout>>;

/// Is the process that ssh executes; returns its exit status.
pub(crate) fn main() -> u8 {
    let back: Back = Arc::new(Mutex::new(io::stdout()));
    let code = serve(&back).unwrap_or_else(|error| {
        let text = format!("lighter: run the command of another host: {error}\n");
        let _ = write_frame(&mut *held(&back), &Frame::Output(Stream::Stderr, text.into_bytes()));
        i32::from(crate::error::FAILED)
    });
    let mut back = held(&back);
    let said = write_frame(&mut *back, &Frame::Exit(code)).and_then(|()| back.flush());
    u8::from(said.is_err()) // nobody is there any more
}

fn held(back: &Back) -> MutexGuard<'_, io::Stdout> {
    back.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(back: &Back) -> io::Result<i32> {
    {
        let mut back = held(back);
        back.write_all(GREETING)?;
        back.flush()?;
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(io::Error::other("containers need root: log in there as root"));
    }
    let mut frames = Frames::new(io::stdin());
    let header = frames.header()?;
    let root = std::env::var_os("LIGHTER_ROOT").map_or_else(|| PathBuf::from(Layout::DEFAULT_ROOT), PathBuf::from);
    let folder = Folder::make(&root)?;
    let carried = folder::carried(folder.path());
    archive::unpack(frames.section(), &carried)?;
    if header.project.is_some() {
        let project = folder::project(folder.path());
        fs::write(&project, super::project::settle(&fs::read_to_string(&project)?, &carried))?;
    }
    prepare(folder.path(), &header)?;
    let (child, ends) = start(folder.path(), &header)?;
    let code = pass_on(child, ends, frames, back)?;
    if !header.wanted.is_empty() {
        send_back(folder.path(), &header, back)?;
    }
    Ok(code)
}

/// Writes the header down for the command, and makes room for what is wanted back.
fn prepare(folder: &Path, header: &Header) -> io::Result<()> {
    fs::write(folder::header(folder), serde_json::to_vec(header)?)?;
    let wanted = folder::wanted(folder);
    fs::create_dir(&wanted)?;
    let folders = header.wanted.iter().enumerate().filter(|(_, one)| one.is_folder);
    folders.into_iter().try_for_each(|(number, _)| fs::create_dir(wanted.join(number.to_string())))
}

/// Our ends of the command's input and outputs.
struct Ends {
    stdin: File,
    outputs: Vec<(Stream, File)>,
    terminal: Option<OwnedFd>,
}

#[expect(clippy::disallowed_methods, reason = "this very binary, with the command line of the other host")]
fn start(folder: &Path, header: &Header) -> io::Result<(Child, Ends)> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND_VERB).arg(folder).envs(&header.environment);
    let Some((rows, columns)) = header.terminal else {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = OwnedFd::from(child.stdin.take().ok_or_else(missing)?).into();
        let stdout = OwnedFd::from(child.stdout.take().ok_or_else(missing)?).into();
        let stderr = OwnedFd::from(child.stderr.take().ok_or_else(missing)?).into();
        let outputs = vec![(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
        return Ok((child, Ends { stdin, outputs, terminal: None }));
    };
    let pty = openpty(None, None)?;
    terminal::resize(pty.master.as_fd(), rows, columns)?;
    let slave = || pty.slave.try_clone().map(Stdio::from);
    let child = command.stdin(slave()?).stdout(slave()?).stderr(slave()?).spawn()?;
    let outputs = vec![(Stream::Stdout, File::from(pty.master.try_clone()?))];
    Ok((child, Ends { stdin: pty.master.try_clone()?.into(), outputs, terminal: Some(pty.master) }))
}

/// Passes everything on until the command has ended and its outputs are read; returns its exit code.
fn pass_on(mut child: Child, ends: Ends, frames: Frames<io::Stdin>, back: &Back) -> io::Result<i32> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let Ends { stdin, outputs, terminal } = ends;
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    thread::spawn(move || {
        take_input(frames, stdin, terminal, pid);
        let _ = kill(pid, Signal::SIGHUP); // it has ended
        let _ = poll(&mut [], PATIENCE);
        if !seen.load(Ordering::Acquire) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let copies: Vec<_> = outputs
        .into_iter()
        .map(|(stream, from)| {
            let back = back.clone();
            thread::spawn(move || copy_output(from, stream, &back))
        })
        .collect();
    let status = child.wait()?;
    ended.store(true, Ordering::Release);
    for copy in copies {
        let _ = copy.join(); // it has nothing to say
    }
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

fn copy_output(mut from: File, stream: Stream, back: &Back) {
    let mut piece = [0; 32 << 10];
    loop {
        match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return, // EIO: the terminal's last user has closed it
            Ok(count) => {
                let mut back = held(back);
                let written = write_frame(&mut *back, &Frame::Output(stream, piece[..count].to_vec()));
                if written.and_then(|()| back.flush()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Hands in what arrives, until nothing does any more: the user's side is gone.
fn take_input(mut frames: Frames<io::Stdin>, stdin: File, terminal: Option<OwnedFd>, command: Pid) {
    let mut stdin = Some(stdin);
    loop {
        match frames.next() {
            Ok(Some(Frame::Input(bytes))) => {
                if stdin.as_mut().is_some_and(|stdin| stdin.write_all(&bytes).is_err()) {
                    stdin = None; // it reads no more
                }
            }
            Ok(Some(Frame::EndOfInput)) => stdin = None,
            Ok(Some(Frame::Resize(rows, columns))) => {
                if let Some(terminal) = &terminal {
                    let _ = terminal::resize(terminal.as_fd(), rows, columns); // cosmetic
                }
            }
            Ok(Some(Frame::Signal(number))) => {
                if let Ok(signal) = Signal::try_from(number) {
                    let _ = kill(command, signal); // it has ended
                }
            }
            Ok(Some(Frame::Output(..) | Frame::Exit(_))) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

fn send_back(folder: &Path, header: &Header, back: &Back) -> io::Result<()> {
    let wanted = folder::wanted(folder);
    let made = (0..header.wanted.len()).map(|number| wanted.join(number.to_string()));
    let mut back = held(back);
    let mut section = SectionWriter::new(&mut *back);
    archive::write_some(&mut section, &made.collect::<Vec<_>>())?;
    section.end()
}

/// What the command is told by the process that executes it.
pub(crate) struct Told {
    pub(crate) arguments: Vec<std::ffi::OsString>,
    pub(crate) working_directory: PathBuf,
    /// Where files of the user's host are, here.
    pub(crate) places: BTreeMap<PathBuf, PathBuf>,
    pub(crate) project: Option<crate::args::ProjectArgs>,
}

/// Reads what is to be done, and takes the terminal for its own, if there is one.
pub(crate) fn told(folder: &Path) -> Result<Told, Failure> {
    let header: Header = serde_json::from_slice(&fs::read(folder::header(folder))?)?;
    if header.terminal.is_some() {
        // a session of its own, and the first terminal that it opens controls it: Ctrl-C works
        nix::unistd::setsid()?;
        File::options().read(true).write(true).open("/proc/self/fd/0")?;
    }
    let carried = header.carried.iter().enumerate();
    let carried = carried.map(|(at, path)| (path.clone(), folder::carried(folder).join(at.to_string())));
    let wanted = header.wanted.iter().enumerate();
    let wanted = wanted.map(|(at, one)| (one.path.clone(), folder::wanted(folder).join(at.to_string())));
    Ok(Told {
        arguments: header.arguments.into_iter().map(std::ffi::OsString::from_vec).collect(),
        places: carried.chain(wanted).collect(),
        project: header.project.map(|project| crate::args::ProjectArgs {
            file: vec![folder::project(folder)],
            project_name: Some(project.name),
            profile: project.profiles,
            env_file: Vec::new(),
            project_directory: Some(project.directory),
        }),
        working_directory: header.working_directory,
    })
}
