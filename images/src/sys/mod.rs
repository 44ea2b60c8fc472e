//! System calls that nix does not wrap; the only module of this crate with `unsafe`.

#![expect(unsafe_code, reason = "raw system calls, one function each, with the argument why each is sound")]

pub(crate) mod overlay;
pub(crate) mod xattr;
