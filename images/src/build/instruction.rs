//! Instructions as they are written: split and checked, variables not yet expanded.
//!
//! Runs in the shell command's process; pure.

use std::time::Duration;

use super::lexer::Heredoc;

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// Takes a character's meaning away.
    pub(crate) escape: char,
    /// `# check=`.
    pub(crate) check: Option<String>,
    /// What stands before the first FROM.
    pub(crate) globals: Vec<Step>,
    /// The stages, in order; at least one.
    pub(crate) stages: Vec<Stage>,
}

/// Everything from one FROM to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Line of the FROM.
    pub(crate) line: usize,
    /// The FROM as it is written.
    pub(crate) text: String,
    /// What it starts from, not yet expanded.
    pub(crate) base: String,
    /// `--platform`, not yet expanded.
    pub(crate) platform: Option<String>,
    /// `AS name`, lower case.
    pub(crate) name: Option<String>,
    /// The instructions.
    pub(crate) steps: Vec<Step>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// First line in the file, from 1; 0 for one that a base image brings along (ONBUILD).
    pub(crate) line: usize,
    /// As it is written, on one line.
    pub(crate) text: String,
    /// What it says.
    pub(crate) instruction: Instruction,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instruction {
    Copy(Copy),
    Run(Run),
    Cmd(Command),
    Entrypoint(Command),
    Label(Vec<(String, String)>),
    Env(Vec<(String, String)>),
    Arg(Vec<(String, Option<String>)>),
    Expose(Vec<String>),
    Volume(Vec<String>),
    Healthcheck(Healthcheck),
    Shell(Vec<String>),
    Maintainer(String),
    User(String),
    Workdir(String),
    StopSignal(String),
    /// The instruction, for whoever builds on the image.
    OnBuild(String),
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// A JSON list: the program and its arguments.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

/// COPY or ADD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Copy {
    /// It is ADD: URLs and archives mean something.
    pub(crate) is_add: bool,
    pub(crate) sources: Vec<String>,
    /// Here-documents, which are files too.
    pub(crate) inline: Vec<Heredoc>,
    pub(crate) destination: String,
    /// `--from`: stage, image or named context; `None` is the build context.
    pub(crate) from: Option<String>,
    pub(crate) chown: Option<String>,
    pub(crate) chmod: Option<String>,
    pub(crate) is_link: bool,
    pub(crate) keeps_parents: bool,
    pub(crate) exclude: Vec<String>,
    pub(crate) checksum: Option<String>,
    pub(crate) keeps_git: bool,
    /// `--unpack`: archives are unpacked, or not, whatever the source is.
    pub(crate) unpack: Option<bool>,
}

/// RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) command: Command,
    pub(crate) heredocs: Vec<Heredoc>,
    /// `--mount`, as written.
    pub(crate) mounts: Vec<String>,
    pub(crate) network: Option<String>,
    pub(crate) security: Option<String>,
}

/// HEALTHCHECK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Healthcheck {
    /// NONE: not even the base's.
    None,
    /// CMD.
    Command {
        command: Command,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        start_period: Option<Duration>,
        start_interval: Option<Duration>,
        retries: Option<u32>,
    },
}

impl Instruction {
    /// Returns the name, as the reference spells it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Instruction::Copy(copy) if copy.is_add => "ADD",
            Instruction::Copy(_) => "COPY",
            Instruction::Run(_) => "RUN",
            Instruction::Cmd(_) => "CMD",
            Instruction::Entrypoint(_) => "ENTRYPOINT",
            Instruction::Label(_) => "LABEL",
            Instruction::Env(_) => "ENV",
            Instruction::Arg(_) => "ARG",
            Instruction::Expose(_) => "EXPOSE",
            Instruction::Volume(_) => "VOLUME",
            Instruction::Healthcheck(_) => "HEALTHCHECK",
            Instruction::Shell(_) => "SHELL",
            Instruction::Maintainer(_) => "MAINTAINER",
            Instruction::User(_) => "USER",
            Instruction::Workdir(_) => "WORKDIR",
            Instruction::StopSignal(_) => "STOPSIGNAL",
            Instruction::OnBuild(_) => "ONBUILD",
        }
    }

    /// Returns what other stages, images or contexts it takes files from.
    pub(crate) fn sources(&self) -> Vec<String> {
        match self {
            Instruction::Copy(copy) => copy.from.clone().into_iter().collect(),
            Instruction::Run(run) => run.mounts.iter().filter_map(|mount| super::mount::source_of(mount)).collect(),
            _ => Vec::new(),
        }
    }
}
