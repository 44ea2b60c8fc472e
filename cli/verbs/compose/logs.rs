//! `lighter compose logs`

use std::sync::mpsc;
use std::thread;

use lighter_engine::{Container, Engine, LogEntry, LogQuery};

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::logs::LinePrefix;
use crate::verbs::logs::LogFlags;

/// Show what the project's containers wrote
#[derive(clap::Args)]
pub(crate) struct LogsArgs {
    /// Services (default: all)
    services: Vec<String>,
    #[command(flatten)]
    which: LogFlags,
    /// No container names before the lines
    #[arg(long)]
    no_log_prefix: bool,
    /// No colors
    #[arg(long)]
    no_color: bool,
    /// Only the replica of this number
    #[arg(long, value_name = "N")]
    index: Option<u32>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &LogsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let mut containers = select::containers(&engine, &name, &args.services)?;
    if let Some(index) = args.index {
        containers.retain(|container| select::number_of(container) == index);
    }
    containers.retain(|container| container.spec.log.is_kept());
    let prefixes = Prefixes { names: !args.no_log_prefix, color: ctx.ui.color && !args.no_color };
    stream(&engine, &containers, &args.which.query()?, args.which.timestamps, prefixes)
}

/// How lines are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefixes {
    pub(crate) names: bool,
    pub(crate) color: bool,
}

impl Prefixes {
    /// Returns the prefix of each of these containers.
    pub(crate) fn of(self, names: &[&str]) -> Vec<LinePrefix> {
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let one = |(index, name): (usize, &&str)| match self.names {
            true => LinePrefix::name(name, width, index, self.color),
            false => LinePrefix::none(),
        };
        names.iter().enumerate().map(one).collect()
    }
}

/// Shows logs of several containers, line by line as they come.
pub(crate) fn show(
    ctx: &Context,
    engine: &Engine,
    containers: &[Container],
    query: &LogQuery,
    timestamps: bool,
    names: bool,
) -> Result<(), Failure> {
    stream(engine, containers, query, timestamps, Prefixes { names, color: ctx.ui.color })
}

fn stream(
    engine: &Engine,
    containers: &[Container],
    query: &LogQuery,
    timestamps: bool,
    prefixes: Prefixes,
) -> Result<(), Failure> {
    let lines = LogLines::new(engine, containers, query, prefixes)?;
    for (prefix, entry) in lines.receiver {
        prefix.write(&entry, timestamps)?;
    }
    Ok(())
}

/// The lines of several logs, merged as they come.
struct LogLines {
    receiver: mpsc::Receiver<(LinePrefix, LogEntry)>,
}

impl LogLines {
    /// Starts a reader for each container; the channel closes when all have come to their ends.
    fn new(engine: &Engine, containers: &[Container], query: &LogQuery, prefixes: Prefixes) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::sync_channel(1024);
        let names: Vec<_> = containers.iter().map(select::display_name).collect();
        let mut readers = Vec::new();
        for (prefix, container) in prefixes.of(&names).into_iter().zip(containers) {
            let query = LogQuery { whole_lines: true, ..query.clone() };
            readers.push((prefix, engine.logs(container, query)?));
        }
        if !query.follow {
            // in the order in which they were written, whoever wrote them
            let mut all: Vec<_> = Vec::new();
            for (prefix, reader) in readers {
                for entry in reader {
                    all.push((prefix.clone(), entry?));
                }
            }
            all.sort_by_key(|(_, entry)| entry.time);
            thread::spawn(move || all.into_iter().try_for_each(|line| sender.send(line)));
            return Ok(Self { receiver });
        }
        for (prefix, reader) in readers {
            let sender = sender.clone();
            // a reader ends when its log does, or when nobody listens any more
            thread::spawn(move || {
                reader.map_while(Result::ok).try_for_each(|entry| sender.send((prefix.clone(), entry)))
            });
        }
        Ok(Self { receiver })
    }
}
