//! `lighter compose logs`

use lighter_engine::{Container, Engine, LogQuery};

use super::follower::{Follower, News};
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
    /// Only the replica of this number, of the one service that is named
    #[arg(long, value_name = "N")]
    index: Option<u32>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &LogsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let services = select::services(&select::containers(&engine, &name, &[])?);
    let containers = match (args.index, &args.services[..]) {
        (None, services) => select::containers(&engine, &name, services)?,
        (Some(index), [service]) => vec![select::replica(&engine, &name, service, index)?],
        (Some(_), _) => return Err(Failure::text("--index is of one service: name it")),
    };
    let how = Shown {
        query: args.which.query()?,
        timestamps: args.which.timestamps,
        prefixes: Prefixes { names: !args.no_log_prefix, color: ctx.ui.color && !args.no_color, services },
    };
    if !how.query.follow {
        return all(&engine, &containers, &how);
    }
    let others = Others { project: &name, services: &args.services, index: args.index };
    follow(&engine, &containers, &how, Some(&others))
}

/// How lines are told apart.
#[derive(Debug, Clone)]
pub(crate) struct Prefixes {
    pub(crate) names: bool,
    pub(crate) color: bool,
    /// The services of the project, shown or not: the place among them gives the color, so that it is the same in every command.
    pub(crate) services: Vec<String>,
}

impl Prefixes {
    /// Returns the prefix of a container, whose name is one of `names`: the longest gives the width.
    pub(crate) fn of(&self, container: &Container, names: &[String]) -> LinePrefix {
        let name = select::display_name(container);
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let own = self.services.iter().position(|service| service == select::service_of(container));
        let place = own.or_else(|| names.iter().position(|other| other == name)).unwrap_or_default();
        if self.names { LinePrefix::name(name, width, place, self.color) } else { LinePrefix::none() }
    }
}

/// What is shown of the logs, and how.
struct Shown {
    query: LogQuery,
    timestamps: bool,
    prefixes: Prefixes,
}

/// Which containers that start later are shown too.
struct Others<'a> {
    project: &'a str,
    /// None is all.
    services: &'a [String],
    index: Option<u32>,
}

impl Others<'_> {
    fn mean(&self, container: &Container) -> bool {
        let is_meant = |service: &String| service == select::service_of(container);
        let by_index = self.index.is_none_or(|index| select::number_of(container) == index);
        by_index && (self.services.is_empty() || self.services.iter().any(is_meant))
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
    let prefixes = Prefixes { names, color: ctx.ui.color, services: Vec::new() };
    let how = Shown { query: query.clone(), timestamps, prefixes };
    if query.follow { follow(engine, containers, &how, None) } else { all(engine, containers, &how) }
}

/// Shows what there is, in the order in which it was written, whoever wrote it.
fn all(engine: &Engine, containers: &[Container], how: &Shown) -> Result<(), Failure> {
    let names: Vec<_> = containers.iter().map(|container| select::display_name(container).to_owned()).collect();
    let mut lines = Vec::new();
    for container in containers.iter().filter(|container| container.spec.log.is_kept()) {
        let prefix = how.prefixes.of(container, &names);
        let query = LogQuery { whole_lines: true, ..how.query.clone() };
        for entry in engine.logs(container, query)? {
            lines.push((prefix.clone(), entry?));
        }
    }
    lines.sort_by_key(|(_, entry)| entry.time);
    lines.iter().try_for_each(|(prefix, entry)| prefix.write(entry, how.timestamps))
}

/// Shows what comes until all containers have ended, those of `others` that have started meanwhile too.
fn follow(engine: &Engine, containers: &[Container], how: &Shown, others: Option<&Others<'_>>) -> Result<(), Failure> {
    let mut follower = Follower::new(engine, how.prefixes.clone(), containers);
    for container in containers {
        follower.add(container, Some(how.query.clone()))?;
    }
    if let Some(others) = others {
        follower.await_others(others.project, containers);
    }
    let is_over = |follower: &Follower| match others {
        Some(others) => follower.is_over(others.project, |container| others.mean(container)),
        None => follower.is_idle(),
    };
    while !is_over(&follower) {
        match follower.next() {
            Some(News::Line(id, entry)) => follower.write(&id, &entry, how.timestamps)?,
            Some(News::Began(container)) if others.is_some_and(|others| others.mean(&container)) => {
                let query = LogQuery { tail: None, since: container.state.started_at, ..how.query.clone() };
                follower.add(&container, Some(query))?;
            }
            Some(News::Began(_) | News::Ended(_)) | None => {}
        }
    }
    Ok(())
}
