//! Reads the calls that engines make for every container, `create`, `start`, `state`, `kill` and `delete`, word by word.
//!
//! To build a grammar, even that of one verb, takes as long as all that `start` does besides. What is the least unusual here is
//! left to the grammar, which also knows what to say about it.

use std::ffi::OsString;
use std::slice::Iter;

use super::bundle::BundleArgs;
use super::handed::HandedArgs;
use super::log::LogFormat;
use super::{DEFAULT_ROOT, RuntimeArgs, RuntimeOptions, RuntimeVerb, create, delete, kill, start, state};

/// What may stand among words: the names of options, a short one for some.
struct Known {
    flags: &'static [(&'static str, &'static str)],
    valued: &'static [(&'static str, &'static str)],
}

const OF_RUNTIME: Known = Known {
    flags: &[("--debug", ""), ("--systemd-cgroup", "")],
    valued: &[("--root", ""), ("--log", ""), ("--log-format", "")],
};
const OF_CREATE: Known = Known {
    flags: &[("--no-pivot", ""), ("--no-new-keyring", "")],
    valued: &[("--bundle", "-b"), ("--console-socket", ""), ("--pidfd-socket", ""), ("--pid-file", "")],
};
const OF_KILL: Known = Known { flags: &[("--all", "-a")], valued: &[] };
const OF_DELETE: Known = Known { flags: &[("--force", "-f")], valued: &[] };
const OF_ANY: Known = Known { flags: &[], valued: &[] };

/// What stood there.
#[derive(Default)]
struct Found<'a> {
    flags: Vec<&'static str>,
    values: Vec<(&'static str, &'a str)>,
    operands: Vec<&'a str>,
}

/// Reads the words of a call, the program's name first; `None` if that takes the grammar.
pub(super) fn read(argv: &[OsString]) -> Option<RuntimeArgs> {
    let mut words = argv.get(1..)?.iter();
    let mut before = Found::default();
    while before.operands.is_empty() {
        before.read(&mut words, &OF_RUNTIME)?;
    }
    let verb = before.operands[0];
    let known = match verb {
        "create" => &OF_CREATE,
        "start" | "state" => &OF_ANY,
        "kill" => &OF_KILL,
        "delete" => &OF_DELETE,
        _ => return None,
    };
    let mut found = Found::default();
    while words.len() > 0 {
        found.read(&mut words, known)?;
    }
    Some(RuntimeArgs { options: before.options()?, verb: found.verb(verb)? })
}

impl<'a> Found<'a> {
    /// Reads a word, and the next if that is the value of the first.
    fn read(&mut self, words: &mut Iter<'a, OsString>, known: &Known) -> Option<()> {
        let word = words.next()?.to_str()?;
        if !word.starts_with('-') {
            self.operands.push(word);
            return Some(());
        }
        let named = |&&(long, short): &&(&str, &str)| word == long || word == short;
        if let Some(&(flag, _)) = known.flags.iter().find(named) {
            let is_first = !self.flags.contains(&flag);
            self.flags.push(flag);
            return is_first.then_some(());
        }
        let (&(name, _), value) = match word.split_once('=') {
            Some((name, value)) => (known.valued.iter().find(|(long, _)| *long == name)?, value),
            None => (known.valued.iter().find(named)?, words.next()?.to_str().filter(|value| !value.starts_with('-'))?),
        };
        let is_first = self.value(name).is_none();
        self.values.push((name, value));
        (is_first && !value.is_empty()).then_some(())
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.values.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn options(&self) -> Option<RuntimeOptions> {
        let log_format = match self.value("--log-format").unwrap_or("text") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return None,
        };
        Some(RuntimeOptions {
            root: self.value("--root").unwrap_or(DEFAULT_ROOT).into(),
            log: self.value("--log").map(Into::into),
            log_format,
            trace: None,
            debug: self.has("--debug"),
            systemd_cgroup: self.has("--systemd-cgroup"),
            rootless: "auto".to_owned(),
            criu: None,
        })
    }

    fn verb(&self, verb: &str) -> Option<RuntimeVerb> {
        let (&id, more) = self.operands.split_first()?;
        let id = id.to_owned();
        Some(match (verb, more) {
            ("create", []) => RuntimeVerb::Create(create::CreateArgs { bundle: self.bundle(), id }),
            ("start", []) => RuntimeVerb::Start(start::StartArgs { id }),
            ("state", []) => RuntimeVerb::State(state::StateArgs { id }),
            ("delete", []) => RuntimeVerb::Delete(delete::DeleteArgs { force: self.has("--force"), id }),
            ("kill", [] | [_]) => {
                let signal = more.first().map_or("SIGTERM", |signal| signal).to_owned();
                RuntimeVerb::Kill(kill::KillArgs { all: self.has("--all"), id, signal })
            }
            _ => return None,
        })
    }

    fn bundle(&self) -> BundleArgs {
        let path = |name| self.value(name).map(Into::into);
        BundleArgs {
            bundle: path("--bundle").unwrap_or_else(|| ".".into()),
            handed: HandedArgs {
                console_socket: path("--console-socket"),
                pidfd_socket: path("--pidfd-socket"),
                pid_file: path("--pid-file"),
                preserve_fds: 0,
            },
            no_pivot: self.has("--no-pivot"),
            no_new_keyring: self.has("--no-new-keyring"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;

    use super::super::RuntimeCli;
    use super::*;

    fn argv(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn by_the_grammar(argv: &[OsString]) -> Result<String, clap::Error> {
        RuntimeCli::try_parse_from(argv).map(|cli| format!("{:?}", cli.args))
    }

    #[test]
    fn the_calls_of_engines_are_read_as_by_the_grammar() {
        for line in [
            "runc --root /run/containerd/runc/k8s --log /l --log-format json create --bundle /b --pid-file /p a1",
            "runc --root /r --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p --console-socket /c a1",
            "runc --systemd-cgroup --debug --root=/r create -b /b --no-pivot --no-new-keyring --pidfd-socket=/s a1",
            "runc create a1",
            "runc --root /r --log /l --log-format json start a1",
            "runc --root create state a1",
            "runc --root /r --log-format text kill --all a1 9",
            "runc kill a1 -a",
            "runc delete --force a1",
            "runc delete a1 -f",
        ] {
            let read = read(&argv(line)).map(|args| format!("{args:?}"));
            assert_eq!(read, Some(by_the_grammar(&argv(line)).unwrap_or_else(|error| panic!("{error}"))), "{line}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_grammar() {
        for line in [
            "runc",
            "runc start",
            "runc start a b",
            "runc start --help",
            "runc delete --force --force a",
            "runc delete -- a",
            "runc --root /a --root /b start a",
            "runc --root -a start a",
            "runc --root= start a",
            "runc --log-format xml start a",
            "runc --trace /t start a",
            "runc create --preserve-fds 1 a",
            "runc create -b=/b a",
            "runc kill a 9 9",
            "runc kill a -9",
            "runc run a",
        ] {
            assert!(read(&argv(line)).is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_read_otherwise_than_by_the_grammar(
            words in prop::collection::vec(prop::sample::select(vec![
                "create", "start", "state", "kill", "delete", "run", "--root", "--log", "--log-format", "--log-format=json", "json",
                "--debug", "--systemd-cgroup", "--bundle", "-b", "--bundle=/b", "-b=/b", "-b/b", "--pid-file", "--console-socket=/c",
                "--no-pivot", "--no-new-keyring", "--all", "-a", "--force", "-f", "--force=true", "--root=", "--", "-", "", "a", "9", "=",
            ]), 0..8),
        ) {
            let argv: Vec<OsString> = std::iter::once("runc").chain(words).map(OsString::from).collect();
            if let Some(args) = read(&argv) {
                prop_assert_eq!(Some(format!("{args:?}")), by_the_grammar(&argv).ok());
            }
        }
    }
}
