//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::accelerator::Accelerator;
use crate::files::Files;
use crate::guest::Wanted;
use crate::images::Cgroups;
use crate::matrix::Selection;

/// Variables of ours that test programs know about.
const PASSED_ON: [&str; 3] = ["RUST_BACKTRACE", "RUST_TEST_THREADS", "TERM"];

/// Seconds that a guest has where nothing is said.
const DEFAULT_LIMIT: u64 = 900;

/// Boots stock Debian kernels in QEMU and runs programs inside
#[derive(clap::Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Run a program in a guest as root; ends with its status (124: timed out, 125: the guest died)
    Run(RunArgs),
    /// Run the test programs of images.toml in the guests it names; ends with 1 unless all has passed
    Matrix(MatrixArgs),
    /// Work in a guest
    Shell(GuestArgs),
    /// Fill the cache for a guest, and list its packages with their versions
    Prepare(GuestArgs),
    /// Say how guests are run here, and why
    Doctor(GuestArgs),
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Word to add at the end of the arguments: with Rust's tests, run those whose name contains it
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// The program and its arguments; a path is copied into the guest, a bare name is the guest's own
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) program: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct MatrixArgs {
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Only the subset marked `ci`
    #[arg(long)]
    ci: bool,
    /// Only this program, by its name in images.toml
    #[arg(long)]
    program: Option<String>,
    /// Only guests with this kernel
    #[arg(long)]
    only_kernel: Option<String>,
    /// Only guests whose name in the report contains this, as `6.1 hybrid` or `systemd`
    #[arg(long, value_name = "PART")]
    guest: Option<String>,
    /// Only tests whose name contains this; several: any of them
    #[arg(long, value_name = "PART")]
    filter: Vec<String>,
    /// Go on from the report that is there: run what has not passed, or did so as another build or on another kernel
    #[arg(long)]
    pub(crate) resume: bool,
}

impl MatrixArgs {
    pub(crate) fn selection(&self) -> Selection {
        let (program, kernel, guest) = (self.program.clone(), self.only_kernel.clone(), self.guest.clone());
        Selection { ci: self.ci, program, kernel, guest, filter: self.filter.clone() }
    }
}

/// What is the same for all guests of a matrix.
#[derive(clap::Args)]
pub(crate) struct MachineArgs {
    /// Set of packages to add to the guest, by its name in images.toml
    #[arg(long, value_name = "SET")]
    with: Vec<String>,
    /// Processors
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Memory, in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// How to run the guest's instructions (default: kvm if a kernel starts under it)
    #[arg(long, value_enum)]
    accel: Option<Accelerator>,
    /// Folder for logs and for what the program leaves in /out
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

impl MachineArgs {
    /// Returns such a guest with the kernel `kernel`, and all else as it is where nothing is said.
    pub(crate) fn wanted(&self, kernel: &str) -> Wanted {
        Wanted {
            kernel: kernel.to_owned(),
            cgroups: Cgroups::default(),
            systemd: false,
            sets: self.with.clone(),
            cpus: self.cpus,
            memory: self.memory,
            limit: Duration::from_secs(DEFAULT_LIMIT),
            accelerator: self.accel,
            keeps_root: false,
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct GuestArgs {
    /// Kernel, by its name in images.toml
    #[arg(long, default_value = "6.1")]
    kernel: String,
    /// Cgroup hierarchies of the guest
    #[arg(long, value_enum, default_value_t)]
    cgroup: Cgroups,
    /// Have systemd as pid 1, not busybox
    #[arg(long)]
    systemd: bool,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Seconds after which the guest is killed (default: 900; of `shell`: none)
    #[arg(long)]
    timeout: Option<u64>,
    /// Folder that the guest sees at the same path, read-only
    #[arg(long, value_name = "DIR")]
    share: Vec<PathBuf>,
    /// File that the guest sees at the same path, read-only
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Variable of the program's environment
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Keep the guest's root over a crash or reboot, not only /state
    #[arg(long)]
    keep_root: bool,
}

impl GuestArgs {
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            cgroups: self.cgroup,
            systemd: self.systemd,
            limit: Duration::from_secs(self.timeout.unwrap_or(DEFAULT_LIMIT)),
            keeps_root: self.keep_root,
            ..self.machine.wanted(&self.kernel)
        }
    }

    /// The same for somebody who works in the guest, as long as he likes.
    pub(crate) fn wanted_by_a_person(&self) -> Wanted {
        const FOR_EVER: u64 = 365 * 24 * 60 * 60;
        Wanted { limit: Duration::from_secs(self.timeout.unwrap_or(FOR_EVER)), ..self.wanted() }
    }

    /// Returns what the guest is given, without a program.
    pub(crate) fn files(&self) -> Result<Files> {
        let mut files = Files::default();
        files.working_directory = std::env::current_dir()?;
        for file in &self.file {
            files.add(file)?;
        }
        for folder in &self.share {
            files.share(folder)?;
        }
        let own =
            PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?.into_string().ok()?)));
        files.environment.extend(own);
        for pair in &self.env {
            let (name, value) = pair.split_once('=').with_context(|| format!("`{pair}` is not NAME=VALUE"))?;
            files.environment.push((name.to_owned(), value.to_owned()));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::Parser;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_of_the_program_are_its_own() {
        let cli = Cli::parse_from(["vm-testbed", "run", "--cgroup", "hybrid", "--", "/bin/t", "--ignored", "--kernel"]);
        let Verb::Run(run) = cli.verb else { panic!("another verb") };
        assert_eq!(run.program, ["/bin/t", "--ignored", "--kernel"]);
        assert_eq!(run.guest.cgroup, Cgroups::Hybrid);
        assert!(
            Cli::try_parse_from(["vm-testbed", "matrix", "--systemd"]).is_err(),
            "images.toml says where systemd is"
        );
        // As cargo calls a runner.
        let cli = Cli::parse_from(["vm-testbed", "run", "--", "/target/deps/root-1", "name"]);
        assert!(matches!(cli.verb, Verb::Run(run) if run.program.len() == 2));
    }
}
