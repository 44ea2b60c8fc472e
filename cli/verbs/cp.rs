//! `lighter cp`

use std::io;
use std::path::Path;

use lighter_engine::{Container, CopyOptions, Engine};

use super::{output, target};
use crate::context::Context;
use crate::error::Failure;
use crate::remote::{Visit, Way, source_file, word_file};

/// An archive on standard input or output.
const STREAM: &str = "-";

/// Copy files and folders between a container and the host
#[derive(clap::Args)]
pub(crate) struct CpArgs {
    #[command(flatten)]
    pub(crate) flags: CpFlags,
}

/// What is copied, and how
#[derive(clap::Args)]
pub(crate) struct CpFlags {
    /// What: CONTAINER:PATH, PATH, or `-` for an archive on standard input
    source: String,
    /// Where to: CONTAINER:PATH, PATH, or `-` for an archive on standard output
    destination: String,
    /// Keep owners (default: everything belongs to root)
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link leads to, not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing (lighter never does)
    #[arg(short, long)]
    quiet: bool,
}

impl CpFlags {
    /// Tells of the one that is on the host.
    pub(crate) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        match (split(&self.source), split(&self.destination)) {
            (None, Some(_)) => source_file(&mut self.source, on),
            (Some(_), None) if self.destination != "-" => word_file(&mut self.destination, Way::Back, on),
            _ => Ok(()),
        }
    }
}

pub(crate) fn run(ctx: &Context, args: &CpArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    copy(ctx, &engine, &args.flags, |name, _| Ok(vec![target::find_one(ctx, &engine, name)?]))
}

/// Copies; `find` finds the containers of a name, for reading from them (`false`) or for writing into them (`true`).
pub(crate) fn copy(
    ctx: &Context,
    engine: &Engine,
    flags: &CpFlags,
    find: impl Fn(&str, bool) -> Result<Vec<Container>, Failure>,
) -> Result<(), Failure> {
    let options = CopyOptions { archive: flags.archive, follow: flags.follow_link };
    let host = |path: &str| ctx.invocation.working_directory.join(path);
    match (split(&flags.source), split(&flags.destination)) {
        (Some(_), Some(_)) => Err(Failure::text("copying between containers is not supported")),
        (None, None) => Err(Failure::text("one of both must be in a container: CONTAINER:PATH")),
        (Some((name, path)), None) if flags.destination == STREAM => {
            let found = find(name, false)?;
            found.iter().take(1).try_for_each(|one| {
                output::write(None, |out| Ok(engine.copy_out_archive(one, Path::new(path), out, options)?))
            })
        }
        (Some((name, path)), None) => {
            let destination = host(&flags.destination);
            let found = find(name, false)?;
            found.iter().take(1).try_for_each(|one| Ok(engine.copy_out(one, Path::new(path), &destination, options)?))
        }
        (None, Some((name, path))) if flags.source == STREAM => match find(name, true)?.as_slice() {
            [one] => Ok(engine.copy_in_archive(one, io::stdin(), Path::new(path))?),
            several => Err(Failure::text(format!("`-` can be read once, and there are {} containers", several.len()))),
        },
        (None, Some((name, path))) => {
            let source = host(&flags.source);
            find(name, true)?.iter().try_for_each(|one| Ok(engine.copy_in(one, &source, Path::new(path), options)?))
        }
    }
}

/// `web:/etc` is in a container; `./a:b`, `/a:b` and `a` are on the host.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(name, _)| !name.is_empty() && !name.starts_with(['/', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths_with_colons() {
        assert_eq!(split("web:/etc"), Some(("web", "/etc")));
        assert_eq!([split("./a:b"), split("/a:b"), split("a"), split(":x")], [None; 4]);
    }
}
