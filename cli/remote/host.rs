//! A host that is reached by ssh: `ssh://[user@]host[:port][/path/of/lighter]`. Pure.

use std::fmt;
use std::str::FromStr;

/// What is executed there when the address names no path: whatever the search path of that host finds.
const PROGRAM: &str = "lighter";

/// Where to log in, and what to execute there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    user: Option<String>,
    name: String,
    port: Option<u16>,
    path: Option<String>,
}

impl Host {
    /// Returns the arguments of ssh(1) that lead there: no option can hide in a user's or host's name.
    pub(super) fn ssh_arguments(&self) -> Vec<String> {
        let port = self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]);
        let login = self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]);
        port.chain(login).chain(["--".to_owned(), self.name.clone()]).collect()
    }

    /// Returns the program to execute there, a word that no shell takes for anything else.
    pub(super) fn program(&self) -> &str {
        self.path.as_deref().unwrap_or(PROGRAM)
    }

    /// Returns the path of the program there, if the address has one.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| format!("`{text}` is no host: {why}: use ssh://[USER@]HOST[:PORT]");
        let rest = text.strip_prefix("ssh://").ok_or_else(|| wrong("only ssh:// is supported"))?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, "")) => (authority, None),
            Some((authority, path)) => (authority, Some(format!("/{path}"))),
            None => (rest, None),
        };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, authority),
        };
        let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, rest)) => (name, rest.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
        };
        let port = port.map(|port| port.parse().map_err(|_| wrong("the port is no number up to 65535"))).transpose()?;
        if !is_plain(name, "._-:%") || user.as_deref().is_some_and(|user| !is_plain(user, "._-+\\")) {
            return Err(wrong("a name has characters that none has"));
        }
        if path.as_deref().is_some_and(|path| !is_plain(&path[1..], "._-/+")) {
            return Err(wrong("the path has characters that a shell might take for something else"));
        }
        Ok(Self { user, name: name.to_owned(), port, path })
    }
}

/// Returns whether a text has only letters, digits and `more`, and could not be an option.
fn is_plain(text: &str, more: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?
        } else {
            f.write_str(&self.name)?
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.path.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_read_back_as_written() {
        for text in ["ssh://web", "ssh://root@web:2222", "ssh://root@[fd00::1]:22", "ssh://a@b/opt/lighter"] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        let host: Host = "ssh://root@web:2222/".parse().unwrap();
        assert_eq!(host.ssh_arguments(), ["-p", "2222", "-l", "root", "--", "web"]);
        assert_eq!(host.program(), "lighter");
    }

    #[test]
    fn what_a_shell_or_ssh_could_take_for_something_else_is_refused() {
        let hostile = [
            "tcp://web",
            "web",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-l@web",
            "ssh://a b",
            "ssh://web:x",
            "ssh://web:70000",
            "ssh://web/$(id)",
            "ssh://web/a;b",
            "ssh://we;b",
            "ssh://@web",
        ];
        for text in hostile {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_word_is_an_option(text in "(ssh://)?[ -~]{0,24}") {
            if let Ok(host) = text.parse::<Host>() {
                let words = host.ssh_arguments();
                prop_assert!(!words.last().unwrap().starts_with('-') && !host.program().starts_with('-'));
            }
        }
    }
}
