//! Where the static binary begins: in front of the C library's `_start`.
//!
//! Runs in every process of ours, before it is relocated: nothing here may need a relocation.
//!
//! A static binary that can be loaded anywhere relocates itself, and so writes to each page that holds an address: a page
//! fault and a copy each, most of what a short command takes. The kernel makes all those pages at once when it is asked to
//! (madvise(2), `MADV_POPULATE_WRITE`, Linux 5.14; an older one refuses, and they are made one by one as ever). The packed
//! relocations are done here, as the C library looks at each bit of them, which takes it 0.1 ms; it finds none left. Then
//! whoever is about to enter a container begins anew, see [`sealed`](super::sealed).
#![expect(unsafe_code, reason = "in assembler: what the compiler makes may need to be relocated first")]

use std::arch::global_asm;

global_asm!(
    ".pushsection .text.lighter_entry, \"ax\", @progbits",
    ".globl lighter_entry",
    ".hidden lighter_entry",
    ".hidden _DYNAMIC",
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
    "syscall",
    // Where the packed relocations are (ELF gABI, "Relative Relocation Table"): rsi to rdx; r8: where their size is written.
    "lea rax, [rip + __ehdr_start]", // what is to be added to each address: the binary is linked to 0
    "lea rcx, [rip + _DYNAMIC]",
    "xor esi, esi",
    "xor r8d, r8d",
    "10: mov rdx, [rcx]",
    "test rdx, rdx",
    "jz 20f",
    "cmp rdx, {relr}",
    "jne 11f",
    "mov rsi, [rcx + 8]",
    "11: cmp rdx, {relr_size}",
    "jne 12f",
    "lea r8, [rcx + 8]",
    "12: add rcx, 16",
    "jmp 10b",
    "20: test r8, r8",
    "jz 50f",
    "add rsi, rax",
    "mov rdx, [r8]",
    "add rdx, rsi",
    "mov qword ptr [r8], 0", // none is left
    "30: cmp rsi, rdx",
    "jae 50f",
    "mov rcx, [rsi]",
    "add rsi, 8",
    "shr rcx, 1",
    "jc 40f",
    // An even entry is the address of a word to relocate; rdi: the word behind.
    "lea rdi, [rax + rcx * 2 + 8]",
    "add [rdi - 8], rax",
    "jmp 30b",
    // An odd one has a bit for each of the 63 words from there on.
    "40: bsf r9, rcx",
    "jz 41f",
    "add [rdi + r9 * 8], rax",
    "lea r9, [rcx - 1]",
    "and rcx, r9",
    "jmp 40b",
    "41: add rdi, 63 * 8",
    "jmp 30b",
    "50: mov rdi, rsp", // argc, argv, envp
    "call {begin_sealed}",
    "jmp _start", // looks at the stack alone
    ".size lighter_entry, . - lighter_entry",
    ".popsection",
    begin_sealed = sym super::sealed::begin_sealed,
    page_mask = const -4096,
    populate_write = const 23,
    madvise = const 28,
    relr = const 36,
    relr_size = const 35,
);
