//! Questions on the terminal.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use lighter_engine::runtime::terminal::RawMode;

use crate::error::{Failure, INTERRUPTED};

/// What the keys send in raw mode.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const BACKSPACE: [u8; 2] = [8, 127];

/// Asks for a line of text.
pub(crate) fn line(question: &str) -> Result<String, Failure> {
    ask(question)?;
    let mut text = String::new();
    io::stdin().read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

/// Asks for a line of text that is not shown.
pub(crate) fn secret(question: &str) -> Result<String, Failure> {
    ask(question)?;
    let stdin = io::stdin();
    // Ctrl-C then is a byte as any other, so that it cannot leave the terminal without echo.
    let raw = RawMode::enter(stdin.as_fd())?;
    let typed = typed(&mut stdin.lock().bytes());
    drop(raw);
    let _ = writeln!(io::stderr()); // cosmetic
    typed?.ok_or_else(|| Failure::silent(INTERRUPTED))
}

fn ask(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(
            Failure::text("standard input is no terminal to ask on").hint("use --username with --password-stdin")
        );
    }
    let mut stderr = io::stderr().lock();
    Ok(write!(stderr, "{question}").and_then(|()| stderr.flush())?)
}

/// Collects what is typed up to the end of the line; `None` if that is given up.
fn typed(keys: &mut dyn Iterator<Item = io::Result<u8>>) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    for key in keys {
        match key? {
            b'\r' | b'\n' | CTRL_D => break,
            CTRL_C => return Ok(None),
            CTRL_U => bytes.clear(),
            key if BACKSPACE.contains(&key) => {
                // The last character, of however many bytes.
                let is_inside = |byte: &u8| byte & 0xc0 == 0x80;
                while bytes.pop().as_ref().is_some_and(is_inside) {}
            }
            key => bytes.push(key),
        }
    }
    String::from_utf8(bytes).map(Some).map_err(|_| Failure::text("the password is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed_text(keys: &[u8]) -> Option<String> {
        typed(&mut keys.iter().map(|key| Ok(*key))).unwrap()
    }

    #[test]
    fn a_secret_is_edited_as_a_line_is_and_given_up_by_ctrl_c() {
        assert_eq!(typed_text(b"wordx\x7f\rrest").as_deref(), Some("word"));
        assert_eq!(typed_text("wä\x7for\x15pass\n".as_bytes()).as_deref(), Some("pass"));
        assert_eq!(typed_text(b"word\x03"), None);
        assert_eq!(typed_text(b"\x7f\x04").as_deref(), Some(""));
    }
}
