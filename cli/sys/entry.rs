//! Where the static binary begins: in front of the C library's `_start`.
//!
//! Runs in every process of ours, before it is relocated: nothing here may need a relocation.
//!
//! A static binary that can be loaded anywhere relocates itself, and so writes to each page that holds an address: a page
//! fault and a copy each, a third of what a short command takes. The kernel copies them all at once when it is asked to
//! (madvise(2), `MADV_POPULATE_WRITE`, Linux 5.14); an older kernel refuses, and they are copied one by one as ever.
#![expect(unsafe_code, reason = "in assembler: what the compiler makes may need to be relocated first")]

use std::arch::global_asm;

global_asm!(
    ".pushsection .text.lighter_entry, \"ax\", @progbits",
    ".globl lighter_entry",
    ".hidden lighter_entry",
    ".type lighter_entry, @function",
    "lighter_entry:",
    "xor ebp, ebp", // the outermost frame, as the ABI has it
    // From the first data that is relocated to the last that the file holds; the linker names both.
    "lea rdi, [rip + __init_array_start]",
    "and rdi, {page_mask}",
    "lea rsi, [rip + _edata]",
    "sub rsi, rdi",
    "mov edx, {populate_write}",
    "mov eax, {madvise}",
    // Changes rax, rcx and r11, of which `_start` needs none; it looks at the stack alone.
    "syscall",
    "jmp _start",
    ".size lighter_entry, . - lighter_entry",
    ".popsection",
    page_mask = const -4096,
    populate_write = const 23,
    madvise = const 28,
);
