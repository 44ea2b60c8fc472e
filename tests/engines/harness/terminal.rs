//! A terminal with a program on it, as a person has who calls an engine.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

use nix::pty::{Winsize, openpty};

use super::command::{end, member, shown, wait};
use super::{LIMIT, eventually};

/// A program whose controlling terminal is ours.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    child: Child,
    shown: String,
}

impl Terminal {
    /// Starts `command` on a new terminal of `rows` and `columns`.
    pub(crate) fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("there are terminals left");
        let program = File::from(pty.slave);
        let other = || program.try_clone().expect("descriptors are left");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        // It leads no process group yet, so that `setsid` need not fork and stays our child.
        let mut on_terminal = member("setsid", std::iter::once("--ctty".as_ref()).chain(words));
        for (name, value) in command.get_envs() {
            on_terminal.env(name, value.unwrap_or_default());
        }
        on_terminal.env("TERM", "xterm").stdin(other()).stdout(other()).stderr(other());
        let child = on_terminal.spawn().expect("setsid can be run");
        let keyboard = File::from(pty.master);
        let screen = watch(keyboard.try_clone().expect("descriptors are left"));
        Self { keyboard, screen, child, shown: shown(command) }
    }

    /// Types `keys`.
    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is open");
    }

    /// Waits until `text` has been on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        eventually(&format!("`{}` shows `{text}`", self.shown), LIMIT, || {
            let screen = self.text();
            if screen.contains(text) { Ok(()) } else { Err(screen) }
        });
    }

    /// Returns all that has been on the screen.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits for the end of the program and asserts its exit status.
    #[track_caller]
    pub(crate) fn exits(mut self, expected: i32) {
        let status = wait(&mut self.child, &self.shown, LIMIT);
        assert!(status.code() == Some(expected), "expected {expected}, not {status}: {}\n{}", self.shown, self.text());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Collects what comes to the screen, until nobody has the terminal open any more.
fn watch(mut terminal: File) -> Arc<Mutex<Vec<u8>>> {
    let screen = Arc::new(Mutex::new(Vec::new()));
    let shared = screen.clone();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = terminal.read(&mut piece) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
        }
    });
    screen
}
