//! `lighter runtime restore`

use std::process::ExitCode;

use lighter_engine::runtime::oci::{CreateOptions, RestoreOptions};

use super::RuntimeContext;
use super::bundle::BundleArgs;
use super::checkpoint::{CriuArgs, without_criu};
use super::run::attend_and_delete;
use crate::error::Failure;

/// Make a container from the files of a checkpoint, and wait for its end
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    criu: CriuArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Return once it runs
    #[arg(short, long)]
    detach: bool,
    /// Do not adopt what processes of a shared pid namespace leave behind
    #[arg(long)]
    no_subreaper: bool,
    /// Security profile it runs under from now on
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// SELinux context of its mounts from now on
    #[arg(long, value_name = "CONTEXT")]
    lsm_mount_context: Option<String>,
    /// Name of the container, unique below --root
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &RestoreArgs) -> Result<ExitCode, Failure> {
    let options = RestoreOptions {
        criu: args.criu.options(),
        create: accepted(args.bundle.options(ctx)?)?,
        lsm_profile: args.lsm_profile.clone(),
        lsm_mount_context: args.lsm_mount_context.clone(),
    };
    if !args.no_subreaper && !args.detach {
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    let mut warnings = Vec::new();
    let running = ctx.root.restore(&args.id, &options, !args.detach, &mut warnings);
    ctx.warn_all(&warnings);
    let running = running.map_err(without_criu("restore", &args.id))?;
    if args.detach { Ok(ExitCode::SUCCESS) } else { attend_and_delete(ctx, &args.id, running) }
}

/// Refuses what criu has no means to do.
fn accepted(options: CreateOptions) -> Result<CreateOptions, Failure> {
    let refused = |why: &str| Err(Failure::text(format!("restore: {why}")));
    if options.preserve_fds > 0 {
        return refused("`--preserve-fds`: the processes have the descriptors that were saved, and no others");
    }
    if options.no_pivot {
        return refused("`--no-pivot`: `criu` always pivots");
    }
    if options.no_new_keyring {
        return refused("`--no-new-keyring`: `criu` does not choose among session keyrings");
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_criu_cannot_do_is_refused_by_name() {
        assert!(accepted(CreateOptions::default()).is_ok());
        for (options, flag) in [
            (CreateOptions { preserve_fds: 1, ..CreateOptions::default() }, "--preserve-fds"),
            (CreateOptions { no_pivot: true, ..CreateOptions::default() }, "--no-pivot"),
            (CreateOptions { no_new_keyring: true, ..CreateOptions::default() }, "--no-new-keyring"),
        ] {
            let failure = accepted(options).unwrap_err().to_string();
            assert!(failure.contains(flag), "{failure}");
        }
    }
}
