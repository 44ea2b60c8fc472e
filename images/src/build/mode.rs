//! `--chmod`: octal, or symbolic as chmod(1) has it.
//!
//! Runs in the shell command's process; pure.

/// A change of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chmod {
    /// These bits and no others.
    Octal(u32),
    /// One clause after another.
    Symbolic(Vec<Clause>),
}

/// `u+x` and its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The bits it is about: those of user, group, others.
    who: u32,
    operator: char,
    /// `rwx` as three bits.
    permissions: u32,
    /// `X`: execute only for directories, and for what somebody may execute already.
    executes_sometimes: bool,
    /// setuid and setgid.
    sets_id: bool,
    is_sticky: bool,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHERS: u32 = 0o1007;

impl Chmod {
    /// Reads a change; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Chmod> {
        if text.starts_with(|char: char| char.is_ascii_digit()) {
            return u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Chmod::Octal);
        }
        let clauses = text.split(',').map(Clause::parse).collect::<Option<Vec<_>>>()?;
        Some(Chmod::Symbolic(clauses.into_iter().flatten().collect()))
    }

    /// Returns the mode that a file of `mode` gets.
    pub(crate) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        match self {
            Chmod::Octal(mode) => *mode,
            Chmod::Symbolic(clauses) => clauses.iter().fold(mode, |mode, clause| clause.apply(mode, is_directory)),
        }
    }
}

impl Clause {
    /// Reads `who`, then any number of operators with permissions.
    fn parse(text: &str) -> Option<Vec<Clause>> {
        let start = text.find(['+', '-', '='])?;
        let mut who = 0;
        for char in text[..start].chars() {
            who |= match char {
                'u' => USER,
                'g' => GROUP,
                'o' => OTHERS,
                'a' => USER | GROUP | OTHERS,
                _ => return None,
            };
        }
        let who = if who == 0 { USER | GROUP | OTHERS } else { who };
        let mut clauses: Vec<Clause> = Vec::new();
        for char in text[start..].chars() {
            if matches!(char, '+' | '-' | '=') {
                let none = Clause {
                    who,
                    operator: char,
                    permissions: 0,
                    executes_sometimes: false,
                    sets_id: false,
                    is_sticky: false,
                };
                clauses.push(none);
                continue;
            }
            let clause = clauses.last_mut()?;
            match char {
                'r' => clause.permissions |= 4,
                'w' => clause.permissions |= 2,
                'x' => clause.permissions |= 1,
                'X' => clause.executes_sometimes = true,
                's' => clause.sets_id = true,
                't' => clause.is_sticky = true,
                _ => return None,
            }
        }
        Some(clauses)
    }

    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let executes = self.executes_sometimes && (is_directory || mode & 0o111 != 0);
        let permissions = self.permissions | u32::from(executes);
        let mut bits = permissions * 0o111;
        bits |= if self.sets_id { 0o6000 } else { 0 } | if self.is_sticky { 0o1000 } else { 0 };
        bits &= self.who;
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            // A directory keeps setuid and setgid unless they are named (chmod(1), GNU).
            _ => {
                let kept = if is_directory && !self.sets_id { 0o6000 } else { 0 };
                (mode & !(self.who & !kept)) | bits
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn modes_change_as_chmod_does_it() {
        let table = [
            ("755", 0o644, false, 0o755),
            ("u+x", 0o644, false, 0o744),
            ("go-w,a+r", 0o622, false, 0o644),
            ("g=u", 0o640, false, 0),
            ("a=rx", 0o777, false, 0o555),
            ("+X", 0o644, false, 0o644),
            ("+X", 0o644, true, 0o755),
            ("a+X", 0o744, false, 0o755),
            ("u=rw,go=", 0o777, false, 0o600),
            ("u+s,+t", 0o755, false, 0o5755),
            ("u+x-w", 0o644, false, 0o544),
        ];
        for (change, mode, is_directory, expected) in table {
            match Chmod::parse(change) {
                Some(change) => assert_eq!(change.apply(mode, is_directory), expected, "{change:?}"),
                None => assert_eq!(expected, 0, "{change}"),
            }
        }
        for text in ["", "8", "77777", "x", "u", "u*x", "u+q"] {
            assert_eq!(Chmod::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_change_gives_other_bits_than_permissions(text in "[ugoa]{0,2}[+=-][rwxXst]{0,4}", mode in 0u32..=0o7777) {
            if let Some(change) = Chmod::parse(&text) {
                prop_assert!(change.apply(mode, false) <= 0o7777 && change.apply(mode, true) <= 0o7777);
            }
        }
    }
}
