//! Device rules → an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! *Pure.* The kernel runs it when a process opens or makes a device node and hands it a
//! `struct bpf_cgroup_dev_ctx`: access (bits 16 and up) and type (bits 0 to 15), major, minor. It
//! answers 1 to allow. Rules are tried last to first; the first that applies answers.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

// Opcodes, `linux/bpf_common.h` and `linux/bpf.h`.
const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE_REGISTER: u8 = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const MOVE_NUMBER: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const AND_NUMBER: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_UNEQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const JUMP_EQUAL: u8 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

// Registers. The kernel puts the context into 1; the answer is what 0 holds at the end.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

// BPF_DEVCG_DEV_* and BPF_DEVCG_ACC_*, `linux/bpf.h`.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const ALL_ACCESS: i32 = 7;

/// A rule with its fields as the kernel numbers them; `None`: any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    kind: Option<i32>,
    major: Option<i32>,
    minor: Option<i32>,
    access: i32,
}

impl Rule {
    fn is_for_everything(&self) -> bool {
        self.kind.is_none() && self.major.is_none() && self.minor.is_none() && self.access == ALL_ACCESS
    }
}

/// Compiles rules to `struct bpf_insn`s. Without any, and for what none applies to: denied.
pub(super) fn compile(rules: &[LinuxDeviceCgroup]) -> Vec<u64> {
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        instruction(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        instruction(AND_NUMBER, TYPE, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    let rules = in_order_of_trial(rules);
    for rule in &rules {
        emit(rule, &mut program);
    }
    // A rule for everything answers always, and the kernel refuses a program with a part that is never run.
    if !rules.last().is_some_and(Rule::is_for_everything) {
        program.extend(answer(false));
    }
    program
}

/// Tells whether rules forbid anything; without any, nothing was asked for.
pub(super) fn restricts(rules: &[LinuxDeviceCgroup]) -> bool {
    let allows_all = |rule: &Rule| rule.allow && rule.is_for_everything();
    !rules.is_empty() && !in_order_of_trial(rules).first().is_some_and(allows_all)
}

/// Reads rules, joins those that allow different access to the same device, and turns them round.
fn in_order_of_trial(rules: &[LinuxDeviceCgroup]) -> Vec<Rule> {
    let mut joined: Vec<Rule> = Vec::new();
    for rule in rules.iter().map(read) {
        let same = |known: &&mut Rule| Rule { access: 0, ..**known } == Rule { access: 0, ..rule };
        let since_denial = joined.iter().rposition(|known| !known.allow).map_or(0, |at| at + 1);
        match joined[since_denial..].iter_mut().find(same) {
            Some(known) if rule.allow => known.access |= rule.access,
            _ => joined.push(rule),
        }
    }
    // What stands before "everything, denied or allowed" no longer counts.
    let from = joined.iter().rposition(Rule::is_for_everything).unwrap_or(0);
    joined.drain(..from);
    joined.reverse();
    joined
}

fn read(rule: &LinuxDeviceCgroup) -> Rule {
    let bit = |letter| match letter {
        'm' => 1,
        'r' => 2,
        'w' => 4,
        _ => 0,
    };
    let kind = match rule.typ().unwrap_or_default() {
        LinuxDeviceType::B => Some(BLOCK),
        LinuxDeviceType::C | LinuxDeviceType::U => Some(CHARACTER),
        LinuxDeviceType::A | LinuxDeviceType::P => None,
    };
    // Negative numbers mean "any" as well (runtime-spec, config-linux.md, "Allowed Device list").
    let number = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok()).filter(|n| *n >= 0);
    let access = rule.access().as_deref().map_or(ALL_ACCESS, |access| access.chars().map(bit).fold(0, |a, b| a | b));
    Rule { allow: rule.allow(), kind, major: number(rule.major()), minor: number(rule.minor()), access }
}

fn emit(rule: &Rule, program: &mut Vec<u64>) {
    let mut tests: Vec<(u8, i32)> = Vec::new();
    tests.extend(rule.kind.map(|kind| (TYPE, kind)));
    tests.extend(rule.major.map(|major| (MAJOR, major)));
    tests.extend(rule.minor.map(|minor| (MINOR, minor)));
    let partial = rule.access != ALL_ACCESS;
    // Each test jumps past the rest of the rule: the tests after it, three for access, two to answer.
    let mut rest = tests.len() as i16 + if partial { 3 } else { 0 } + 2;
    for (register, value) in tests {
        rest -= 1;
        program.push(instruction(JUMP_UNEQUAL, register, 0, rest, value));
    }
    if partial {
        // An allowance applies when nothing else is wanted, a denial when something of it is wanted.
        let mask = if rule.allow { ALL_ACCESS & !rule.access } else { rule.access };
        let misses = if rule.allow { JUMP_UNEQUAL } else { JUMP_EQUAL };
        program.push(instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        program.push(instruction(AND_NUMBER, SCRATCH, 0, 0, mask));
        program.push(instruction(misses, SCRATCH, 0, 2, 0));
    }
    program.extend(answer(rule.allow));
}

fn answer(allow: bool) -> [u64; 2] {
    [instruction(MOVE_NUMBER, ANSWER, 0, 0, i32::from(allow)), instruction(EXIT, 0, 0, 0, 0)]
}

/// Lays out a `struct bpf_insn`: opcode, two registers of four bits, a jump distance, a number.
fn instruction(code: u8, destination: u8, source: u8, offset: i16, number: i32) -> u64 {
    let registers = destination | source << 4;
    let [low, high] = offset.to_ne_bytes();
    let [a, b, c, d] = number.to_ne_bytes();
    u64::from_ne_bytes([code, registers, low, high, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults;

    /// Runs a program on one access; panics on an opcode the compiler does not emit.
    fn allows(program: &[u64], kind: i32, (major, minor): (i32, i32), access: i32) -> bool {
        let mut registers = [0i64; 7];
        let context = [kind | access << 16, major, minor];
        let mut at = 0usize;
        loop {
            let [code, pair, low, high, a, b, c, d] = program[at].to_ne_bytes();
            let (to, from) = (usize::from(pair & 0xf), usize::from(pair >> 4));
            let (offset, number) = (i16::from_ne_bytes([low, high]), i32::from_ne_bytes([a, b, c, d]));
            at += 1;
            let jump = match code {
                LOAD_WORD => {
                    registers[to] = i64::from(context[offset as usize / 4]);
                    false
                }
                MOVE_REGISTER => {
                    registers[to] = registers[from];
                    false
                }
                MOVE_NUMBER => {
                    registers[to] = i64::from(number);
                    false
                }
                AND_NUMBER => {
                    registers[to] &= i64::from(number);
                    false
                }
                SHIFT_RIGHT => {
                    registers[to] >>= number;
                    false
                }
                JUMP_UNEQUAL => registers[to] != i64::from(number),
                JUMP_EQUAL => registers[to] == i64::from(number),
                EXIT => return registers[0] == 1,
                other => panic!("opcode {other:#x}"),
            };
            if jump {
                at += offset as usize;
            }
        }
    }

    const MAKE: i32 = 1;
    const READ: i32 = 2;
    const WRITE: i32 = 4;

    #[test]
    fn the_default_devices_work_and_disks_do_not() {
        let program = compile(&defaults::devices());
        assert!(allows(&program, CHARACTER, (1, 3), READ | WRITE));
        assert!(allows(&program, CHARACTER, (136, 7), READ | WRITE));
        assert!(allows(&program, BLOCK, (254, 0), MAKE));
        assert!(!allows(&program, BLOCK, (254, 0), READ));
        assert!(!allows(&program, BLOCK, (254, 0), MAKE | READ));
        assert!(!allows(&program, CHARACTER, (10, 200), READ | WRITE));
    }

    fn rule(text: &str) -> LinuxDeviceCgroup {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn allowances_for_one_device_add_up() {
        let program = compile(&[
            rule(r#"{"allow":false,"access":"rwm"}"#),
            rule(r#"{"allow":true,"type":"c","major":10,"minor":229,"access":"r"}"#),
            rule(r#"{"allow":true,"type":"c","major":10,"minor":229,"access":"w"}"#),
        ]);
        assert!(allows(&program, CHARACTER, (10, 229), READ | WRITE));
        assert!(!allows(&program, CHARACTER, (10, 229), READ | MAKE));
    }

    #[test]
    fn a_later_denial_wins() {
        let program = compile(&[
            rule(r#"{"allow":true,"access":"rwm"}"#),
            rule(r#"{"allow":false,"type":"b","major":8,"access":"w"}"#),
        ]);
        assert!(allows(&program, BLOCK, (8, 1), READ));
        assert!(!allows(&program, BLOCK, (8, 1), READ | WRITE));
        assert!(allows(&program, BLOCK, (9, 1), READ | WRITE));
    }

    #[test]
    fn only_rules_that_forbid_something_restrict() {
        assert!(!restricts(&[]));
        assert!(!restricts(&[rule(r#"{"allow":false}"#), rule(r#"{"allow":true,"access":"rwm"}"#)]));
        assert!(restricts(&[rule(r#"{"allow":false,"access":"rwm"}"#)]));
        assert!(restricts(&defaults::devices()));
    }

    #[test]
    fn nothing_is_allowed_by_no_rule() {
        assert!(!allows(&compile(&[]), CHARACTER, (1, 3), READ));
    }
}
