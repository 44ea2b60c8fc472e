//! A user at a terminal: a program on a real pty, what is typed, and what has been shown.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lighter_runtime::terminal;
use nix::pty::openpty;

use super::{eventually, tool};

/// Time in which a terminal shows what was asked for.
const LIMIT: Duration = Duration::from_secs(30);

/// A program at its terminal.
pub(crate) struct Terminal {
    keyboard: File,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts `command` in a session of its own, with a terminal of this many rows and columns that controls it.
    pub(crate) fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let pty = openpty(None, None).expect("a pty is to be had");
        terminal::resize(pty.master.as_fd(), rows, columns).expect("it is a terminal");
        let words = ["--ctty".as_ref(), "--wait".as_ref(), command.get_program()].into_iter().chain(command.get_args());
        let mut started = tool("setsid", words);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => started.env(name, value),
                None => started.env_remove(name),
            };
        }
        started.current_dir(command.get_current_dir().unwrap_or("/".as_ref())).env("TERM", "xterm");
        let end = || pty.slave.try_clone().expect("a descriptor is to be had");
        let child = started.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid is in util-linux");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut screen, copy) =
            (File::from(pty.master.try_clone().expect("a descriptor is to be had")), shown.clone());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // EIO: everybody has closed the terminal
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                copy.lock().expect("nobody panics with it").extend_from_slice(&piece[..count]);
            }
        });
        Self { keyboard: pty.master.into(), child, shown }
    }

    /// Types, as fast as the terminal takes it.
    pub(crate) fn types(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        self.keyboard.write_all(text.as_ref()).expect("the terminal is open");
        self
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) -> &mut Self {
        terminal::resize(self.keyboard.as_fd(), rows, columns).expect("it is a terminal");
        self
    }

    /// Returns all that has been shown.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("nobody panics with it")).into_owned()
    }

    /// Waits until `text` has been shown.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) -> &mut Self {
        eventually(&format!("the terminal shows `{text}`"), LIMIT, || {
            let shown = self.text();
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        });
        self
    }

    /// Waits for the end; asserts the exit status.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = eventually("the program at the terminal ends", LIMIT, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => Err(self.text()),
        });
        assert_eq!(status.code(), Some(code), "{}", self.text());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
