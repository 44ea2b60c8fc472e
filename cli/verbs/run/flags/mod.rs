//! The flags of `run` and `create`.

use std::path::PathBuf;

use lighter_engine::images::platform::Platform;
use lighter_engine::images::pull::PullPolicy;

use crate::error::Failure;
use crate::remote::{Visit, Way};
use crate::session::DetachKeys;

mod isolation;
mod life;
mod limits;
mod mounts;
mod network;
mod refused;

pub(super) use isolation::IsolationFlags;
pub(super) use life::LifeFlags;
pub(super) use limits::LimitFlags;
pub(super) use mounts::MountFlags;
pub(super) use network::NetworkFlags;
pub(super) use refused::RefusedFlags;

/// One of the container's three streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Stream {
    #[value(alias = "STDIN")]
    Stdin,
    #[value(alias = "STDOUT")]
    Stdout,
    #[value(alias = "STDERR")]
    Stderr,
}

/// What the container shall be
#[derive(clap::Args, Clone)]
pub(crate) struct RunFlags {
    /// Image, then the command and its arguments (default: the image's); with --rootfs the command alone
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE [COMMAND]")]
    words: Vec<String>,

    /// Name of the container (default: made up)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Remove it, and its anonymous volumes, when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// Keep stdin open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Replace the image's entrypoint
    #[arg(long)]
    pub(crate) entrypoint: Option<String>,
    /// Set a variable; a name alone takes our own value
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// File with variables, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// User, as `name`, `uid` or `user:group`
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Additional group
    #[arg(long, value_name = "GROUP")]
    pub(crate) group_add: Vec<String>,
    /// Working directory
    #[arg(short, long)]
    pub(crate) workdir: Option<String>,
    /// Label
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// File with labels, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) label_file: Vec<PathBuf>,
    /// Annotation for the OCI runtime
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// Keys that leave a container with a terminal alone, as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    /// Join only these of stdin, stdout and stderr
    #[arg(short, long, value_name = "STREAM")]
    pub(crate) attach: Vec<Stream>,
    /// When to pull the image: `always`, `missing`, `never`, `daily`, `weekly`, `every_12h`
    #[arg(long, value_name = "POLICY", default_value = "missing")]
    pub(crate) pull: PullPolicy,
    /// Platform of the image, as `linux/arm64`
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// No progress of the pull
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// A folder of the host instead of an image; what is written goes to the container, not to the folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["pull", "platform"])]
    pub(crate) rootfs: Option<PathBuf>,
    /// Write the container's id to this file, which must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,

    #[command(flatten)]
    pub(super) mounts: MountFlags,
    #[command(flatten)]
    pub(super) networking: NetworkFlags,
    #[command(flatten)]
    pub(super) limits: LimitFlags,
    #[command(flatten)]
    pub(super) isolation: IsolationFlags,
    #[command(flatten)]
    pub(super) life: LifeFlags,
    #[command(flatten)]
    pub(super) refused: RefusedFlags,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

impl RunFlags {
    /// Tells whether a command that stays is attached to one of the container's streams.
    pub(super) fn joins(&self, stream: Stream) -> bool {
        match (self.attach.is_empty(), stream) {
            (true, Stream::Stdin) => self.interactive,
            (true, _) => true,
            (false, _) => self.attach.contains(&stream),
        }
    }

    /// Tells of the files that are read and written for the container, none of which it sees.
    pub(crate) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        for path in self.env_file.iter_mut().chain(&mut self.label_file) {
            on(Way::There, path)?;
        }
        if let Some(path) = &mut self.cidfile {
            on(Way::Back, path)?;
        }
        for option in &mut self.isolation.security_opt {
            if let Some(path) = super::isolation::seccomp_file(option) {
                let mut path = path.to_owned();
                on(Way::There, &mut path)?;
                *option = format!("seccomp={}", path.display());
            }
        }
        Ok(())
    }

    /// Returns the image's name; with --rootfs there is none.
    pub(super) fn reference(&self) -> &str {
        self.words.first().filter(|_| self.rootfs.is_none()).map(String::as_str).unwrap_or_default()
    }

    /// Returns the command and its arguments.
    pub(super) fn command(&self) -> Vec<String> {
        self.words.iter().skip(usize::from(self.rootfs.is_none())).cloned().collect()
    }
}
