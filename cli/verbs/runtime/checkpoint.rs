//! `lighter runtime checkpoint`

use std::path::PathBuf;

use lighter_engine::runtime::oci::{CgroupMode, CheckpointOptions, CriuError, CriuOptions, OciError, PageServer};

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Save a running container to files, and end it
#[derive(Debug, clap::Args)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    criu: CriuArgs,
    /// Directory of an earlier checkpoint, relative to --image-path: save only what changed since
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let it run on
    #[arg(long)]
    leave_running: bool,
    /// Save its memory only and let it run on: the checkpoint that follows takes less time
    #[arg(long)]
    pre_dump: bool,
    /// Pass over TCP connections that are being made
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Server of memory pages
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<PageServer>,
    /// Descriptor that gets a NUL once --lazy-pages are served
    #[arg(long, value_name = "FD", allow_negative_numbers = true)]
    status_fd: Option<i32>,
    /// Name of the container
    id: String,
}

/// What `checkpoint` and `restore` share
#[derive(Debug, clap::Args)]
pub(super) struct CriuArgs {
    /// Directory of the image files
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    image_path: PathBuf,
    /// Directory of logs [default: that of the image files]
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Carry established TCP connections over
    #[arg(long)]
    tcp_established: bool,
    /// Allow unix sockets that are connected to processes outside
    #[arg(long)]
    ext_unix_sk: bool,
    /// Allow processes of a session or terminal outside
    #[arg(long)]
    shell_job: bool,
    /// Leave memory where it is until it is needed
    #[arg(long)]
    lazy_pages: bool,
    /// Carry file locks over
    #[arg(long)]
    file_locks: bool,
    /// What is done about cgroups
    #[arg(long, value_name = "MODE", value_enum, default_value = "soft", hide_default_value = true)]
    manage_cgroups_mode: CgroupModeArg,
    /// Leave a namespace's contents to others; that of the network is in any case
    #[arg(long, value_name = "NAMESPACE", value_parser = ["network"])]
    empty_ns: Vec<String>,
    /// Free what later images make superfluous
    #[arg(long)]
    auto_dedup: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CgroupModeArg {
    Soft,
    Full,
    Strict,
    Ignore,
}

impl CriuArgs {
    pub(super) fn options(&self) -> CriuOptions {
        CriuOptions {
            image_path: self.image_path.clone(),
            work_path: self.work_path.clone(),
            tcp_established: self.tcp_established,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            auto_dedup: self.auto_dedup,
            lazy_pages: self.lazy_pages,
            cgroups: match self.manage_cgroups_mode {
                CgroupModeArg::Soft => CgroupMode::Soft,
                CgroupModeArg::Full => CgroupMode::Full,
                CgroupModeArg::Strict => CgroupMode::Strict,
                CgroupModeArg::Ignore => CgroupMode::Ignore,
            },
        }
    }
}

pub(super) fn run(ctx: &RuntimeContext, args: &CheckpointArgs) -> Result<(), Failure> {
    let options = CheckpointOptions {
        criu: args.criu.options(),
        parent_path: args.parent_path.clone(),
        leave_running: args.leave_running,
        pre_dump: args.pre_dump,
        tcp_skip_in_flight: args.tcp_skip_in_flight,
        page_server: args.page_server.clone(),
        // runc's -1 means none
        status_fd: args.status_fd.filter(|fd| *fd >= 0),
    };
    ctx.warn_all(&ctx.root.checkpoint(&args.id, &options).map_err(without_criu("checkpoint", &args.id))?);
    Ok(())
}

/// As [`failed`], with what may be done about a criu that is not there.
pub(super) fn without_criu(act: &'static str, id: &str) -> impl Fn(OciError) -> Failure {
    let failed = failed(act, id);
    move |error| match &error {
        OciError::Criu(CriuError::Missing { .. }) => {
            failed(error).hint("install `criu`: distributions have it as a package of that name")
        }
        _ => failed(error),
    }
}

fn page_server(text: &str) -> Result<PageServer, String> {
    let wrong = || "it is not ADDRESS:PORT".to_owned();
    let (address, port) = text.rsplit_once(':').filter(|(address, _)| !address.is_empty()).ok_or_else(wrong)?;
    let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(PageServer { address, port: port.parse().map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_server_has_an_address_and_a_port() {
        let server = |address: &str| Ok(PageServer { address: address.to_owned(), port: 9876 });
        assert_eq!(page_server("10.0.0.1:9876"), server("10.0.0.1"));
        assert_eq!(page_server("[::1]:9876"), server("::1"));
        for wrong in ["", "host", ":1", "host:", "host:x", "host:70000"] {
            assert!(page_server(wrong).is_err(), "{wrong}");
        }
    }
}
