//! `lighter runtime checkpoint` and `restore`

use super::RuntimeContext;
use crate::error::Failure;

/// Refused: freezing a container to files is not supported
#[derive(clap::Args)]
pub(super) struct CheckpointArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

/// Refused: restoring a container from files is not supported
#[derive(clap::Args)]
pub(super) struct RestoreArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

pub(super) fn checkpoint(_: &RuntimeContext, _: &CheckpointArgs) -> Result<(), Failure> {
    Err(Failure::text("checkpoint: not supported"))
}

pub(super) fn restore(_: &RuntimeContext, _: &RestoreArgs) -> Result<(), Failure> {
    Err(Failure::text("restore: not supported"))
}
