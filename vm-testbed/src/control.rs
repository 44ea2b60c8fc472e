//! What a guest tells its host: lines on a serial port of their own, so that no output can look like them.

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// The boot has got this far, seconds after the kernel's start.
    Stage { name: String, seconds: f64 },
    /// The program has ended.
    Exit(i32),
    /// Kill the machine, now.
    Crash,
    /// The machine is about to reset; boot it again.
    Reboot,
    /// A test does not apply to this guest.
    NotApplicable { test: String, why: String },
    /// Something for whoever watches.
    Note(String),
}

/// Reads a line; nothing when it is none of ours.
pub(crate) fn parse(line: &str) -> Option<Message> {
    let text = line.trim().strip_prefix("vm: ")?;
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "stage" => {
            let (name, seconds) = rest.split_once(' ')?;
            Some(Message::Stage { name: name.to_owned(), seconds: seconds.parse().ok()? })
        }
        "exit" => rest.parse().ok().map(Message::Exit),
        "crash" => Some(Message::Crash),
        "reboot" => Some(Message::Reboot),
        "not-applicable" => {
            let (test, why) = rest.split_once(": ")?;
            Some(Message::NotApplicable { test: test.to_owned(), why: why.to_owned() })
        }
        _ => Some(Message::Note(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_message_is_read_as_guests_write_it() {
        assert_eq!(parse("vm: exit 7\r"), Some(Message::Exit(7)));
        assert_eq!(parse("vm: stage ready 3.25"), Some(Message::Stage { name: "ready".into(), seconds: 3.25 }));
        assert_eq!(parse("vm: crash"), Some(Message::Crash));
        assert_eq!(parse("vm: reboot"), Some(Message::Reboot));
        let not_applicable = Message::NotApplicable { test: "a::b".into(), why: "no swap: none".into() };
        assert_eq!(parse("vm: not-applicable a::b: no swap: none"), Some(not_applicable));
        assert_eq!(parse("vm: note: x"), Some(Message::Note("note: x".into())));
        assert_eq!(parse("[    0.1] Linux version"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(line in ".{0,60}") {
            let _either = parse(&format!("vm: {line}"));
        }
    }
}
