//! The grammar: `lighter VERB` follows `docker VERB`; `lighter compose VERB` follows `docker compose VERB`; Compose verbs
//! that docker lacks stand at the top too.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::remote::Where;
use crate::ui::progress::Style;
use crate::verbs;

/// Runs OCI images and Compose projects without any resident engine
#[derive(Parser)]
#[command(
    name = "lighter",
    version,
    about,
    arg_required_else_help = true,
    max_term_width = 100,
    args_override_self = true
)]
#[command(
    after_help = "Start here: `lighter up` in a folder with a compose.yaml, or `lighter run --rm IMAGE COMMAND`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Where this installation keeps its files
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Globals {
    /// Directory of images, containers and volumes [env: LIGHTER_ROOT] [default: /var/lib/lighter]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Global options")]
    pub(crate) root: Option<PathBuf>,
    /// Directory of what is gone after a reboot [env: LIGHTER_RUN] [default: /run/lighter]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Global options")]
    pub(crate) run: Option<PathBuf>,
    /// Folder of the logins at registries, config.json [env: DOCKER_CONFIG] [default: ~/.docker]
    #[arg(long, value_name = "DIR", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Docker's, for more in the log of its client: there is no log, and failures are told whole
    #[arg(short = 'D', long, hide = true)]
    debug: bool,
    /// As --debug
    #[arg(short, long, value_name = "LEVEL", hide = true, value_parser = ["debug", "info", "warn", "error", "fatal"])]
    log_level: Option<String>,
}

/// Which Compose project is meant
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct ProjectArgs {
    /// Compose file; repeat to lay one over the other, `-` for stdin
    #[arg(short, long, value_name = "FILE", help_heading = "Project options")]
    pub(crate) file: Vec<PathBuf>,
    /// Name of the project
    #[arg(short, long, value_name = "NAME", help_heading = "Project options")]
    pub(crate) project_name: Option<String>,
    /// Activate a profile
    #[arg(long, value_name = "PROFILE", help_heading = "Project options")]
    pub(crate) profile: Vec<String>,
    /// File with variables instead of .env
    #[arg(long, value_name = "FILE", help_heading = "Project options")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Folder that relative paths start from
    #[arg(long, alias = "workdir", value_name = "DIR", help_heading = "Project options")]
    pub(crate) project_directory: Option<PathBuf>,
}

/// How a command goes about its project
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Manner {
    /// How progress is shown, on standard error [env: COMPOSE_PROGRESS] [default: auto]
    #[arg(long, value_name = "STYLE", value_enum, help_heading = "Project options")]
    pub(crate) progress: Option<Style>,
    /// Colors: `auto`, `always` or `never`
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"], help_heading = "Project options")]
    pub(crate) ansi: Option<String>,
    /// Steps that run at once; -1 is no limit [env: COMPOSE_PARALLEL_LIMIT] [default: 4]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Project options")]
    pub(crate) parallel: Option<i64>,
    /// Show what would be done to containers, and why, and do nothing
    #[arg(long, help_heading = "Project options")]
    pub(crate) dry_run: bool,
}

impl Manner {
    /// `lighter --progress plain compose --parallel 1 up` means both; what stands nearer to the verb wins.
    pub(crate) fn joined(self, inner: Option<&Self>) -> Self {
        let Some(inner) = inner.cloned() else { return self };
        Self {
            progress: inner.progress.or(self.progress),
            ansi: inner.ansi.or(self.ansi),
            parallel: inner.parallel.or(self.parallel),
            dry_run: inner.dry_run || self.dry_run,
        }
    }
}

/// What is to be done
#[derive(Subcommand)]
pub(crate) enum Verb {
    Up(verbs::compose::up::UpArgs),
    Down(verbs::compose::down::DownArgs),
    Plan(Box<verbs::compose::plan::PlanArgs>),
    Apply(verbs::compose::apply::ApplyArgs),
    Config(verbs::compose::config::ConfigArgs),
    Ls(verbs::compose::ls::LsArgs),
    Scale(verbs::compose::scale::ScaleArgs),
    Watch(verbs::compose::watch::WatchArgs),
    Run(Box<verbs::run::RunArgs>),
    Create(Box<verbs::create::CreateArgs>),
    Ps(verbs::ps::PsArgs),
    Logs(verbs::logs::LogsArgs),
    Exec(verbs::exec::ExecArgs),
    Attach(verbs::attach::AttachArgs),
    Start(verbs::start::StartArgs),
    Stop(verbs::stop::StopArgs),
    Restart(verbs::restart::RestartArgs),
    Kill(verbs::kill::KillArgs),
    Cp(verbs::cp::CpArgs),
    Pause(verbs::pause::PauseArgs),
    Unpause(verbs::unpause::UnpauseArgs),
    Top(verbs::top::TopArgs),
    Stats(verbs::stats::StatsArgs),
    Wait(verbs::wait::WaitArgs),
    Rename(verbs::rename::RenameArgs),
    Update(verbs::update::UpdateArgs),
    Rm(verbs::rm::RmArgs),
    Diff(verbs::diff::DiffArgs),
    Inspect(verbs::inspect::InspectArgs),
    Port(verbs::port::PortArgs),
    Build(Box<verbs::build::BuildArgs>),
    #[command(subcommand, alias = "buildx")]
    Builder(verbs::builder::BuilderVerb),
    Pull(verbs::pull::PullArgs),
    Push(verbs::push::PushArgs),
    Search(verbs::search::SearchArgs),
    Login(verbs::login::LoginArgs),
    Logout(verbs::logout::LogoutArgs),
    Images(verbs::images::ImagesArgs),
    Rmi(verbs::rmi::RmiArgs),
    Tag(verbs::tag::TagArgs),
    History(verbs::history::HistoryArgs),
    Save(verbs::save::SaveArgs),
    Load(verbs::load::LoadArgs),
    Import(verbs::import::ImportArgs),
    Export(verbs::export::ExportArgs),
    Commit(verbs::commit::CommitArgs),
    #[command(subcommand)]
    Container(verbs::container::ContainerVerb),
    #[command(subcommand)]
    Image(verbs::image::ImageVerb),
    #[command(subcommand)]
    System(verbs::system::SystemVerb),
    Events(verbs::system::events::EventsArgs),
    Info(verbs::system::info::InfoArgs),
    Version(verbs::system::version::VersionArgs),
    #[command(subcommand)]
    Volume(verbs::volume::VolumeVerb),
    #[command(subcommand)]
    Network(verbs::network::NetworkVerb),
    Boot(verbs::boot::BootArgs),
    #[command(subcommand)]
    Registry(verbs::registry::RegistryVerb),
    Compose(verbs::compose::ComposeArgs),
    Runtime(verbs::runtime::RuntimeArgs),
    #[command(subcommand)]
    Context(verbs::context::ContextVerb),
    #[command(subcommand)]
    Machine(verbs::machine::MachineVerb),
    Completion(verbs::completion::CompletionArgs),
    Man(verbs::man::ManArgs),
    #[command(hide = true)]
    Swarm(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Node(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Service(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Stack(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Secret(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Plugin(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Trust(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Manifest(verbs::elsewhere::ElsewhereArgs),
    #[command(hide = true)]
    Checkpoint(verbs::elsewhere::ElsewhereArgs),
}

impl Verb {
    /// Returns whether the verb is about the user and this host, whichever other host is meant.
    pub(crate) fn stays_here(&self) -> bool {
        use verbs::compose::ComposeVerb;
        match self {
            Self::Context(_) | Self::Machine(_) | Self::Completion(_) | Self::Man(_) | Self::Config(_) => true,
            Self::Compose(args) => matches!(args.verb, ComposeVerb::Config(_) | ComposeVerb::Version(_)),
            _ => false,
        }
    }

    /// Returns whether the verb touches containers, images or the network.
    pub(crate) fn needs_root(&self) -> bool {
        match self {
            Self::Config(_) | Self::Login(_) | Self::Logout(_) => false,
            verb if verb.stays_here() => false,
            Self::Version(_) | Self::Search(_) => false,
            Self::Swarm(_) | Self::Node(_) | Self::Service(_) | Self::Stack(_) | Self::Secret(_) => false,
            Self::Plugin(_) | Self::Trust(_) | Self::Manifest(_) | Self::Checkpoint(_) => false,
            // Some of its verbs do, and say so themselves.
            Self::Runtime(_) => false,
            _ => true,
        }
    }
}

impl Verb {
    /// Returns whether the verb knows of dry runs, or has verbs of its own that do.
    pub(crate) fn knows_dry_run(&self) -> bool {
        use Verb::{Compose, Config, Down, Ls, Plan, Scale, Up};
        matches!(self, Up(_) | Down(_) | Plan(_) | Config(_) | Ls(_) | Scale(_) | Compose(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_before_the_verb_is_a_compose_file_and_after_logs_it_means_follow() {
        let cli = Cli::try_parse_from(["lighter", "-f", "a.yaml", "logs", "-f", "web"]).unwrap();
        assert_eq!(cli.project.file, [PathBuf::from("a.yaml")]);
    }
}
