//! Where the output of a container goes.

use lighter_engine::LogOptions;

/// `logging`, as the engine has it; without it, the engine's own choice.
pub type Logging = LogOptions;
