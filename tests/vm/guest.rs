//! The guest a test runs in, and lighter in it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Returns a command without input.
#[expect(clippy::disallowed_methods, reason = "scenarios change the machine by the tools that administrators use")]
pub(crate) fn tool(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Asserts success and returns standard output without the white space around it.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout.trim().to_owned()
    }
}

/// Runs `command` to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("run {command:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

/// Runs a shell's script and asserts that it succeeds.
#[track_caller]
pub(crate) fn sh(script: &str) -> String {
    said(tool("sh").args(["-ec", script])).ok()
}

fn variable(name: &str) -> String {
    let value = std::env::var_os(name).unwrap_or_else(|| panic!("no ${name}: run this by vm-testbed"));
    value.into_string().expect("the testbed sets UTF-8")
}

/// Number of this boot, from 1.
pub(crate) fn boot() -> u32 {
    variable("LIGHTER_VM_BOOT").parse().expect("a number")
}

/// A directory on a disk of its own, which outlives crashes and reboots; its file system is ext4.
pub(crate) fn state() -> PathBuf {
    variable("LIGHTER_VM_STATE").into()
}

fn tell(message: &str) {
    let mut control = OpenOptions::new().write(true).open(variable("LIGHTER_VM_CONTROL")).expect("the control port");
    writeln!(control, "vm: {message}").expect("the host listens");
}

/// Ends the guest here and now, as if the plug were pulled: what is not on the disk is lost.
pub(crate) fn pull_the_plug() -> ! {
    tell("crash");
    wait_for_the_end()
}

/// Resets the machine after its file systems are on disk; no process is asked to end.
pub(crate) fn reboot() -> ! {
    tell("reboot");
    sh("sync; busybox reboot -f");
    wait_for_the_end()
}

/// Whether systemd is pid 1 (sd_booted(3)).
pub(crate) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// Has the guest's init take everything down, services first, and reboot.
pub(crate) fn reboot_by_init() -> ! {
    tell("reboot");
    sh(if has_systemd() { "systemctl reboot" } else { "busybox reboot" });
    wait_for_the_end()
}

fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}

/// Marks a test as not applicable to this guest, with the reason; the test returns then.
pub(crate) fn not_applicable(test: &str, why: &str) {
    tell(&format!("not-applicable {test}: {why}"));
}

/// lighter with a data root of its own.
pub(crate) struct Lighter {
    pub(crate) root: PathBuf,
    run: PathBuf,
    config: PathBuf,
}

impl Lighter {
    /// Keeps its data in `root`; images of `docker.io` come from the registry of [`crate::registry`].
    pub(crate) fn new(root: &Path) -> Self {
        let config = root.with_extension("toml");
        fs::create_dir_all(root).unwrap();
        fs::write(&config, "[registry.\"docker.io\"]\nmirrors = [\"http://127.0.0.1:5000\"]\n").unwrap();
        let name = root.file_name().expect("a directory below the root").to_string_lossy().into_owned();
        Self { root: root.to_owned(), run: Path::new("/run").join(format!("lighter-{name}")), config }
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_lighter"), arguments)
    }

    /// A command of the copy of lighter at `program`.
    pub(crate) fn command_of<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = tool(program);
        command.args(arguments);
        command.env("LIGHTER_ROOT", &self.root).env("LIGHTER_RUN", &self.run).env("LIGHTER_CONFIG", &self.config);
        command
    }

    pub(crate) fn said<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        said(&mut self.command(arguments))
    }
}
