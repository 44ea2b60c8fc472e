//! Calls that neither std nor nix has.
#![expect(unsafe_code, reason = "raw system calls, one wrapper each")]

pub(super) mod xattr;
