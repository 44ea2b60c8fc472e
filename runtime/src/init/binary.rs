//! Why the kernel will not execute a file that is there: its interpreter, or its machine.
//!
//! Looking at bytes is *pure*; layouts: elf(5), execve(2) "Interpreter scripts".

/// What the head of a program says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// `#!` and the path of an interpreter.
    Script(String),
    /// An ELF program, the path of its dynamic loader, if any, and its machine.
    Elf { loader: Option<String>, machine: u16 },
    /// Neither.
    Unknown,
}

/// `EM_*` of the machine this program is for, `linux/elf-em.h`.
#[cfg(target_arch = "x86_64")]
pub(super) const OWN_MACHINE: u16 = 62;
/// `EM_*` of the machine this program is for, `linux/elf-em.h`.
#[cfg(target_arch = "aarch64")]
pub(super) const OWN_MACHINE: u16 = 183;

/// Returns the name of an ELF machine.
pub(super) fn machine_name(machine: u16) -> String {
    match machine {
        3 => "i386".to_owned(),
        8 => "mips".to_owned(),
        20 | 21 => "powerpc".to_owned(),
        22 => "s390".to_owned(),
        40 => "arm".to_owned(),
        62 => "amd64".to_owned(),
        183 => "arm64".to_owned(),
        243 => "riscv64".to_owned(),
        other => format!("machine {other}"),
    }
}

/// Reads the head of a program: a few KiB are enough.
pub(super) fn inspect(head: &[u8]) -> Program {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let words = String::from_utf8_lossy(line);
        return Program::Script(words.split_whitespace().next().unwrap_or_default().to_owned());
    }
    elf(head).unwrap_or(Program::Unknown)
}

fn elf(head: &[u8]) -> Option<Program> {
    let is_64_bit_little_endian = head.get(4..6)? == [2, 1];
    if head.get(..4)? != b"\x7fELF" {
        return None;
    }
    let machine = u16::from_le_bytes(head.get(18..20)?.try_into().ok()?);
    let loader = if is_64_bit_little_endian { loader(head) } else { None };
    Some(Program::Elf { loader, machine })
}

/// Finds the program header of type PT_INTERP and the path it points to.
fn loader(head: &[u8]) -> Option<String> {
    let number = |at: usize| usize::try_from(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?)).ok();
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?)));
    let (table, size, count) = (number(32)?, short(54)?, short(56)?);
    (0..count).find_map(|index| {
        let header = table.checked_add(index.checked_mul(size)?)?;
        let kind = u32::from_le_bytes(head.get(header..header.checked_add(4)?)?.try_into().ok()?);
        let start = (kind == 3).then(|| number(header.checked_add(8)?)).flatten()?;
        let length = number(header.checked_add(32)?)?;
        let path = head.get(start..start.checked_add(length)?)?;
        Some(String::from_utf8_lossy(path).trim_end_matches('\0').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(inspect(b"#! /bin/bash -e\nexit\n"), Program::Script("/bin/bash".into()));
        assert_eq!(inspect(b"#!/usr/bin/env\r\n"), Program::Script("/usr/bin/env".into()));
        assert_eq!(inspect(b"echo\n"), Program::Unknown);
    }

    #[test]
    fn a_program_names_its_loader_and_machine() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        match inspect(&own[..4096]) {
            Program::Elf { machine, .. } => assert_eq!(machine, OWN_MACHINE),
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(mut head in prop::collection::vec(any::<u8>(), 0..300)) {
            inspect(&head);
            for (at, byte) in b"\x7fELF\x02\x01".iter().enumerate().take(head.len()) {
                head[at] = *byte;
            }
            inspect(&head);
        }
    }
}
