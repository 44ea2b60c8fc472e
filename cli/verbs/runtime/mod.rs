//! `lighter runtime …`, and all of lighter when it is called `runc` or `lighter-runc`: an OCI runtime by the command line
//! of runc, for engines that bring images, networks and supervision of their own.

mod bundle;
mod checkpoint;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod handed;
pub(crate) mod init;
mod kill;
mod list;
mod log;
mod pause;
mod process;
pub(in crate::verbs) mod ps;
mod restore;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;
mod words;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, Parser, Subcommand};
use lighter_engine::runtime::cgroup::Driver;
use lighter_engine::runtime::oci::{DEFAULT_ROOT, OciError, Root};
use lighter_engine::runtime::{sealed, trace};

use crate::error::{self, Failure};
use crate::grammar;
use log::{Log, LogFormat};

/// Verbs that make a process of a container, which must run from a sealed copy.
const CLONING: [&str; 3] = ["create", "run", "exec"];

/// Exit code of `exec` when the process could not be started at all, as runc has it.
const NOT_STARTED: u8 = 255;

/// Runs containers from OCI bundles, for engines that bring images and networks of their own
#[derive(Parser)]
#[command(name = "lighter-runc", arg_required_else_help = true, max_term_width = 100)]
#[command(version = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0"))]
struct RuntimeCli {
    #[command(flatten)]
    args: RuntimeArgs,
}

/// Run containers from OCI bundles by the command line of runc
#[derive(Debug, Args)]
pub(crate) struct RuntimeArgs {
    #[command(flatten)]
    options: RuntimeOptions,
    #[command(subcommand)]
    verb: RuntimeVerb,
}

/// Where containers are kept, and who is told what
#[derive(Debug, Args)]
struct RuntimeOptions {
    /// Directory of the containers' state
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ROOT, help_heading = "Runtime options")]
    root: PathBuf,
    /// File that errors and warnings are appended to, besides standard error
    #[arg(long, value_name = "FILE", help_heading = "Runtime options")]
    log: Option<PathBuf>,
    /// How they are written there
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Runtime options")]
    log_format: LogFormat,
    /// File that each step is appended to, with its time: a JSON object a line
    #[arg(long, value_name = "FILE", help_heading = "Runtime options")]
    trace: Option<PathBuf>,
    /// Write to the log as well what was called and how it ended
    #[arg(long, help_heading = "Runtime options")]
    debug: bool,
    /// Make cgroups by way of systemd; `cgroupsPath` is then `slice:prefix:name`
    #[arg(long, help_heading = "Runtime options")]
    systemd_cgroup: bool,
    /// Ignored: there is no rootless mode
    #[arg(long, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "false"], hide = true)]
    rootless: String,
    /// Ignored: `criu` is looked for in PATH
    #[arg(long, value_name = "FILE", hide = true)]
    criu: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum RuntimeVerb {
    Create(create::CreateArgs),
    Start(start::StartArgs),
    Run(run::RunArgs),
    Exec(Box<exec::ExecArgs>),
    State(state::StateArgs),
    Kill(kill::KillArgs),
    Delete(delete::DeleteArgs),
    List(list::ListArgs),
    Ps(ps::PsArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    Update(Box<update::UpdateArgs>),
    Events(events::EventsArgs),
    Spec(spec::SpecArgs),
    Features(features::FeaturesArgs),
    Checkpoint(Box<checkpoint::CheckpointArgs>),
    Restore(Box<restore::RestoreArgs>),
}

impl RuntimeVerb {
    fn needs_root(&self) -> bool {
        !matches!(self, Self::Spec(_) | Self::Features(_))
    }

    /// See [`CLONING`].
    fn clones(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Run(_) | Self::Exec(_))
    }
}

/// What every verb of the runtime starts from.
struct RuntimeContext {
    root: Root,
    driver: Driver,
    log: Log,
}

impl RuntimeContext {
    /// Tells the user, and the log, what could not be done in full.
    fn warn_all(&self, warnings: &[String]) {
        warnings.iter().for_each(|warning| self.log.warn(warning));
    }

    /// Writes to standard output.
    fn print(&self, text: &str) -> Result<(), Failure> {
        use std::io::Write;
        std::io::stdout().lock().write_all(text.as_bytes()).map_err(crate::ui::output_failure)
    }
}

/// Takes the arguments of a call that is one of the runtime: by the program's name, or by its first word.
///
/// What it was called by is put in front of them; everything else of lighter is left alone, as engines call often.
pub(crate) fn arguments(argv: &[OsString]) -> Option<Vec<OsString>> {
    let name = argv.first().and_then(|path| Path::new(path).file_name()).unwrap_or_default();
    let (called, skipped) = if name == "runc" || name == "lighter-runc" {
        (name.to_owned(), 1)
    } else if argv.get(1).is_some_and(|verb| verb == "runtime") {
        (OsString::from("lighter runtime"), 2)
    } else {
        return None;
    };
    Some([called].into_iter().chain(argv.iter().skip(skipped).cloned()).collect())
}

/// Runs the runtime with its own arguments.
pub(crate) fn main(argv: Vec<OsString>) -> ExitCode {
    // Before anything is read that would have to be read again; what goes wrong is said by the verb, which tries again.
    if argv.iter().any(|word| CLONING.iter().any(|verb| word == verb)) && nix::unistd::geteuid().is_root() {
        let _tried_again = sealed::ensure();
    }
    match parse(argv) {
        Ok(args) => run(args),
        Err(error) => {
            let _ = error.print(); // nobody to tell that telling failed
            // as runc, not 2 as lighter itself
            ExitCode::from(if error.use_stderr() { error::FAILED } else { 0 })
        }
    }
}

/// Reads the command line: [word by word](words), else by the grammar of its verb alone, see [`grammar`](mod@crate::grammar).
fn parse(argv: Vec<OsString>) -> Result<RuntimeArgs, clap::Error> {
    if let Some(args) = words::read(&argv) {
        return Ok(args);
    }
    let verb = argv.iter().filter_map(|word| word.to_str()).find_map(of_verb);
    let options = || RuntimeOptions::augment_args(Command::new("lighter-runc"));
    match verb.and_then(|verb| grammar::fitting(options().subcommand(verb), &argv)) {
        Some(args) => Ok(args),
        None => RuntimeCli::try_parse_from(argv).map(|cli| cli.args),
    }
}

/// Returns the grammar of a verb that engines call for every container.
fn of_verb(verb: &str) -> Option<Command> {
    let command = Command::new(verb.to_owned());
    match verb {
        "create" => Some(create::CreateArgs::augment_args(command)),
        "start" => Some(start::StartArgs::augment_args(command)),
        "run" => Some(run::RunArgs::augment_args(command)),
        "exec" => Some(exec::ExecArgs::augment_args(command)),
        "state" => Some(state::StateArgs::augment_args(command)),
        "kill" => Some(kill::KillArgs::augment_args(command)),
        "delete" => Some(delete::DeleteArgs::augment_args(command)),
        _ => None,
    }
}

/// Does what was asked.
pub(crate) fn run(args: RuntimeArgs) -> ExitCode {
    let RuntimeArgs { options, verb } = args;
    let log = Log::new(options.log, options.log_format, options.debug);
    log.debug(&format!("called as {:?}", std::env::args_os().collect::<Vec<_>>()));
    let driver = if options.systemd_cgroup { Driver::Systemd } else { Driver::Cgroupfs };
    let context = RuntimeContext { root: Root::new(&options.root), driver, log };
    match dispatch(&context, verb, options.trace.as_deref()) {
        Ok(code) => {
            context.log.debug("done");
            code
        }
        Err(failure) => {
            context.log.fail(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(ctx: &RuntimeContext, verb: RuntimeVerb, trace: Option<&Path>) -> Result<ExitCode, Failure> {
    if verb.needs_root() && !nix::unistd::geteuid().is_root() {
        return Err(crate::context::not_root());
    }
    if verb.clones() {
        sealed::ensure()?;
    }
    if let Some(path) = trace {
        record_to(path)?;
    }
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match verb {
        RuntimeVerb::Create(args) => done(create::run(ctx, &args)),
        RuntimeVerb::Start(args) => done(start::run(ctx, &args)),
        RuntimeVerb::Run(args) => run::run(ctx, &args),
        RuntimeVerb::Exec(args) => exec::run(ctx, &args),
        RuntimeVerb::State(args) => done(state::run(ctx, &args)),
        RuntimeVerb::Kill(args) => done(kill::run(ctx, &args)),
        RuntimeVerb::Delete(args) => done(delete::run(ctx, &args)),
        RuntimeVerb::List(args) => done(list::run(ctx, &args)),
        RuntimeVerb::Ps(args) => done(ps::run(ctx, &args)),
        RuntimeVerb::Pause(args) => done(pause::run(ctx, &args)),
        RuntimeVerb::Resume(args) => done(resume::run(ctx, &args)),
        RuntimeVerb::Update(args) => done(update::run(ctx, &args)),
        RuntimeVerb::Events(args) => done(events::run(ctx, &args)),
        RuntimeVerb::Spec(args) => done(spec::run(ctx, &args)),
        RuntimeVerb::Features(args) => done(features::run(ctx, &args)),
        RuntimeVerb::Checkpoint(args) => done(checkpoint::run(ctx, &args)),
        RuntimeVerb::Restore(args) => restore::run(ctx, &args),
    }
}

/// Records the steps of this call, and of the processes it makes, at the end of a file only root can read.
fn record_to(path: &Path) -> Result<(), Failure> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let file = opened.map_err(|error| Failure::text(format!("open the trace file `{}`: {error}", path.display())))?;
    trace::to(file);
    Ok(())
}

/// A failed operation on a container, named by act and id.
fn failed(act: &str, id: &str) -> impl Fn(OciError) -> Failure {
    let act = format!("{act} `{id}`");
    move |error| {
        let why = error::chain(&error);
        let why = if error.exit_code().is_some() { in_lower_case(&why) } else { why };
        Failure::text(format!("{act}: {why}"))
    }
}

/// Writes the kernel's reason at the end of a message as Go programs do.
///
/// That is where engines take their exit codes 126 and 127 from: docker's client looks for `permission denied` and
/// `no such file or directory`, in lower case.
fn in_lower_case(message: &str) -> String {
    match message.rsplit_once(": ") {
        Some((act, reason)) if reason.contains("(os error ") => {
            let (first, rest) = reason.split_at(reason.chars().next().map_or(0, char::len_utf8));
            format!("{act}: {}{rest}", first.to_lowercase())
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        RuntimeCli::command().debug_assert();
    }

    #[test]
    fn a_reason_of_the_kernel_is_in_lower_case() {
        let text = "execute `/Bin`: Permission denied (os error 13)";
        assert_eq!(in_lower_case(text), "execute `/Bin`: permission denied (os error 13)");
        assert_eq!(in_lower_case("execute `a`: Not of the kernel"), "execute `a`: Not of the kernel");
        assert_eq!(in_lower_case(": (os error "), ": (os error ");
    }

    #[test]
    fn the_short_way_and_the_whole_grammar_read_the_same() {
        let argv = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in [
            "lighter-runc --root /r --log /l --log-format json create --bundle /b --pid-file /p box",
            "lighter-runc --systemd-cgroup kill --all box 9",
            "lighter-runc --root create delete --force box",
            "lighter-runc exec --env A=b box run --all",
        ] {
            let short = parse(argv(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            let whole = RuntimeCli::try_parse_from(argv(line)).unwrap_or_else(|error| panic!("{line}: {error}")).args;
            assert_eq!((short.options.root, short.options.log), (whole.options.root, whole.options.log), "{line}");
            assert_eq!(std::mem::discriminant(&short.verb), std::mem::discriminant(&whole.verb), "{line}");
        }
        for line in ["lighter-runc", "lighter-runc start", "lighter-runc state box more", "lighter-runc create --help"]
        {
            assert!(parse(argv(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn a_call_of_the_runtime_is_known_by_name_or_first_word() {
        let argv = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let read = |called: &str| Some(argv(&[called, "state", "box"]));
        assert_eq!(arguments(&argv(&["/usr/bin/runc", "state", "box"])), read("runc"));
        assert_eq!(arguments(&argv(&["lighter-runc", "state", "box"])), read("lighter-runc"));
        assert_eq!(arguments(&argv(&["lighter", "runtime", "state", "box"])), read("lighter runtime"));
        assert_eq!(arguments(&argv(&["lighter", "run", "runtime"])), None);
        assert_eq!(arguments(&[]), None);
    }
}
