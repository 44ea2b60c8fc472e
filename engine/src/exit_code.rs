//! Exit codes that say who failed, as docker-run(1) defines them.

/// Failure of lighter itself, before the container's command ran.
pub const OURS: i32 = 125;
/// The command is there but cannot be invoked.
pub const NOT_INVOCABLE: i32 = 126;
/// The command is not there.
pub const NOT_FOUND: i32 = 127;
