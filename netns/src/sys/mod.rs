//! The only place of this crate where system calls without a safe wrapper are made. Any process.

pub(crate) mod netlink;
pub(crate) mod option;
