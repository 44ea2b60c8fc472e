//! Classic BPF, as far as a seccomp filter needs it.
//!
//! *Pure.* Opcodes: `linux/bpf_common.h`. Layout of the data a filter sees: `struct seccomp_data`,
//! seccomp(2): nr at 0, arch at 4, instruction pointer at 8, six 64-bit arguments from 16 on.

/// One instruction; laid out as `struct sock_filter`.
pub(crate) type Instruction = libc::sock_filter;

/// Offset of the system call number in `struct seccomp_data`.
pub(super) const OFFSET_NUMBER: u32 = 0;
/// Offset of the audit architecture in `struct seccomp_data`.
pub(super) const OFFSET_ARCH: u32 = 4;

/// The kernel refuses longer programs (`BPF_MAXINSNS`, `linux/bpf_common.h`).
pub(super) const MAX_INSTRUCTIONS: usize = 4096;

const LOAD_ABSOLUTE: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// A comparison of the accumulator with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal = 0x15,          // BPF_JMP | BPF_JEQ | BPF_K
    Greater = 0x25,        // BPF_JMP | BPF_JGT | BPF_K
    GreaterOrEqual = 0x35, // BPF_JMP | BPF_JGE | BPF_K
}

fn instruction(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// Loads the 32-bit word at `offset` into the accumulator.
pub(super) fn load(offset: u32) -> Instruction {
    instruction(LOAD_ABSOLUTE, offset)
}

/// Clears the bits of the accumulator that `mask` lacks.
pub(super) fn and(mask: u32) -> Instruction {
    instruction(AND, mask)
}

/// Skips the next `distance` instructions.
pub(super) fn jump(distance: u32) -> Instruction {
    instruction(JUMP, distance)
}

/// Ends the filter with `action`.
pub(super) fn ret(action: u32) -> Instruction {
    instruction(RETURN, action)
}

/// Compares with `k` and skips `when_true` or `when_false` instructions.
pub(super) fn branch(compare: Compare, k: u32, when_true: u8, when_false: u8) -> Instruction {
    Instruction { code: compare as u16, jt: when_true, jf: when_false, k }
}

/// Returns the offset of the high and of the low word of an argument in `struct seccomp_data`.
pub(super) fn argument_offsets(index: usize) -> (u32, u32) {
    // The index is 0 to 5, checked when the rule was read.
    let first = 16 + 8 * index as u32;
    if cfg!(target_endian = "little") { (first + 4, first) } else { (first, first + 4) }
}

#[cfg(test)]
pub(super) mod simulate {
    //! An interpreter, so that what a filter does can be seen without loading it.

    use super::*;

    /// What a filter is shown of one system call.
    #[derive(Clone, Copy, Debug, Default)]
    pub(in crate::seccomp) struct Call {
        pub(in crate::seccomp) arch: u32,
        pub(in crate::seccomp) number: u32,
        pub(in crate::seccomp) arguments: [u64; 6],
    }

    impl Call {
        fn word(&self, offset: u32) -> u32 {
            match offset {
                OFFSET_NUMBER => self.number,
                OFFSET_ARCH => self.arch,
                _ => {
                    let index = (offset as usize - 16) / 8;
                    let (high, _) = argument_offsets(index);
                    let shift = if offset == high { 32 } else { 0 };
                    (self.arguments[index] >> shift) as u32
                }
            }
        }
    }

    /// Returns the action and the number of instructions run.
    pub(in crate::seccomp) fn run(program: &[Instruction], call: &Call) -> (u32, usize) {
        let (mut accumulator, mut at, mut steps) = (0u32, 0usize, 0usize);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            steps += 1;
            let holds = match code {
                LOAD_ABSOLUTE => {
                    accumulator = call.word(k);
                    continue;
                }
                AND => {
                    accumulator &= k;
                    continue;
                }
                JUMP => {
                    at += k as usize;
                    continue;
                }
                RETURN => return (k, steps),
                0x15 => accumulator == k,
                0x25 => accumulator > k,
                0x35 => accumulator >= k,
                other => panic!("opcode {other:#x}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }
}
