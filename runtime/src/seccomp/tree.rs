//! Ranges of numbers → a binary search tree of comparisons, so that a call passes few instructions.
//!
//! *Pure.* A filter runs at every system call of the container, and a linear one compares with
//! hundreds of numbers; the tree compares with about nine.

use super::bpf::{self, Compare, Instruction};
use super::policy::Range;

/// Appends the search for the number in the accumulator; every path returns.
pub(super) fn emit(ranges: &[Range], program: &mut Vec<Instruction>) {
    match ranges {
        [] => {}
        [only] => only.verdict.emit(program),
        _ => {
            let (left, right) = ranges.split_at(ranges.len() / 2);
            emit_branch(left, right, program);
        }
    }
}

fn emit_branch(left: &[Range], right: &[Range], program: &mut Vec<Instruction>) {
    let mut below = Vec::new();
    emit(left, &mut below);
    match u8::try_from(below.len()) {
        Ok(distance) => program.push(bpf::branch(Compare::GreaterOrEqual, right[0].start, distance, 0)),
        // A conditional jump reaches 255 instructions far, an unconditional one any distance.
        Err(_) => {
            program.push(bpf::branch(Compare::GreaterOrEqual, right[0].start, 0, 1));
            program.push(bpf::jump(below.len() as u32));
        }
    }
    program.append(&mut below);
    emit(right, program);
}
