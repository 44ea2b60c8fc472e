//! Which files of the user's host a command line is about: those that it reads, and those that it writes.
//!
//! One table for both sides: on the user's host it lists the files, on the other it puts the places where they are there.
//! Paths of bind mounts are in no line of it: they are the other host's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::wire::{Project, Wanted};
use crate::args::Verb;
use crate::context::Invocation;
use crate::error::Failure;
use crate::verbs::build::context::Carried;
use crate::verbs::builder::BuilderVerb;
use crate::verbs::compose::ComposeVerb;
use crate::verbs::container::ContainerVerb;
use crate::verbs::image::ImageVerb;

/// What goes along with a command line.
#[derive(Default)]
pub(super) struct Luggage {
    pub(super) environment: BTreeMap<String, String>,
    /// Variables that are asked for by name.
    pub(super) asked: BTreeSet<String>,
    pub(super) carried: Vec<PathBuf>,
    /// Those of them that are contexts of builds.
    pub(super) contexts: BTreeMap<PathBuf, Carried>,
    pub(super) wanted: Vec<Wanted>,
    /// The project, and its text.
    pub(super) project: Option<(Project, String)>,
}

/// Whether a file is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    There,
    Back,
}

/// Something that is told of each file, and may put another place for it.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Way, &mut PathBuf) -> Result<(), Failure>;

/// Lists the files that a command line is about.
pub(super) fn list(verb: &mut Verb, invocation: &Invocation, luggage: &mut Luggage) -> Result<(), Failure> {
    visit(verb, &mut |way, path| {
        let path = absolute(&invocation.working_directory, path);
        match way {
            Way::There if !path.exists() => Err(Failure::text(format!("read `{}`: it is not there", path.display()))),
            Way::There => {
                luggage.carried.push(path);
                Ok(())
            }
            Way::Back => {
                luggage.wanted.push(Wanted { is_folder: path.is_dir(), path });
                Ok(())
            }
        }
    })?;
    let directory = &invocation.working_directory;
    if let Verb::Build(args) | Verb::Builder(BuilderVerb::Build(args)) | Verb::Image(ImageVerb::Build(args)) = verb
        && let Some((folder, file)) = args.folder(directory)
    {
        let file = file.map(|file| absolute(directory, &file));
        let folder = absolute(directory, &folder);
        luggage.contexts.insert(folder.clone(), Carried::of(&folder, file.as_deref())?);
    }
    Ok(())
}

/// Puts the places that files of the user's host have on this one.
pub(super) fn replace(
    verb: &mut Verb,
    working_directory: &Path,
    places: &BTreeMap<PathBuf, PathBuf>,
) -> Result<(), Failure> {
    visit(verb, &mut |_, path| {
        let place = places.get(&absolute(working_directory, path));
        *path = place.cloned().ok_or_else(|| Failure::text(format!("`{}` was not carried here", path.display())))?;
        Ok(())
    })
}

/// Variables that change what a verb does or how it shows it, whatever the command line says.
const ALWAYS: [&str; 9] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "COLUMNS",
    "TZ",
    "COMPOSE_PARALLEL_LIMIT",
    "COMPOSE_PROGRESS",
    "BUILDKIT_PROGRESS",
    "SOURCE_DATE_EPOCH",
];

/// Largest file that may be a list of variables, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// Adds the variables that the command line asks for: those that a word of it names, as `-e NAME` and `-eNAME` do, and those
/// that files of variables name without a value. No other leaves this host.
pub(super) fn environment(argv: &[OsString], invocation: &Invocation, luggage: &mut Luggage) {
    let words = argv.iter().filter_map(|word| word.to_str());
    let named = words.flat_map(|word| [word, word.strip_prefix("-e").unwrap_or(word)]);
    let named = named.flat_map(|word| word.rsplit('=').take(1)).map(str::to_owned);
    let is_list = |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_LIST);
    let files = luggage.carried.iter().filter(is_list).filter_map(|path| std::fs::read_to_string(path).ok());
    let lines = files.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>());
    let always = ALWAYS.iter().map(|name| (*name).to_owned());
    let asked: BTreeSet<String> = named.chain(lines).chain(always).chain(std::mem::take(&mut luggage.asked)).collect();
    let asked = asked.into_iter().filter(|name| !is_the_hosts(name));
    let found = asked.filter_map(|name| Some((name.clone(), invocation.environment.get(&name)?.clone())));
    luggage.environment.extend(found);
}

/// Returns whether a variable says how a host is set up: the other one has its own.
fn is_the_hosts(name: &str) -> bool {
    matches!(name, "PATH" | "HOME" | "SHELL" | "PWD" | "TMPDIR")
        || ["LIGHTER_", "XDG_", "DOCKER_", "LD_", "SSH_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether a verb needs the files of a project, and not just its name.
pub(super) fn needs_project(verb: &Verb) -> bool {
    match verb {
        Verb::Up(_) | Verb::Plan(_) | Verb::Scale(_) => true,
        Verb::Compose(args) => matches!(
            args.verb,
            ComposeVerb::Up(_)
                | ComposeVerb::Build(_)
                | ComposeVerb::Run(_)
                | ComposeVerb::Plan(_)
                | ComposeVerb::Create(_)
                | ComposeVerb::Scale(_)
                | ComposeVerb::Pull(_)
                | ComposeVerb::Push(_)
        ),
        _ => false,
    }
}

/// Returns a path without `.` and `..`, as both sides write it.
fn absolute(working_directory: &Path, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in working_directory.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = clean.pop(),
            part => clean.push(part),
        }
    }
    clean
}

/// Tells of every file.
fn visit(verb: &mut Verb, on: Visit<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Run(args) | Verb::Container(ContainerVerb::Run(args)) => args.files(on),
        Verb::Create(args) | Verb::Container(ContainerVerb::Create(args)) => args.files(on),
        Verb::Exec(args) | Verb::Container(ContainerVerb::Exec(args)) => {
            args.how.env_file.iter_mut().try_for_each(there(on))
        }
        Verb::Build(args) | Verb::Builder(BuilderVerb::Build(args)) | Verb::Image(ImageVerb::Build(args)) => {
            args.files(on)
        }
        Verb::Save(args) | Verb::Image(ImageVerb::Save(args)) => args.output.iter_mut().try_for_each(back(on)),
        Verb::Export(args) | Verb::Container(ContainerVerb::Export(args)) => {
            args.output.iter_mut().try_for_each(back(on))
        }
        Verb::Load(args) | Verb::Image(ImageVerb::Load(args)) => args.input.iter_mut().try_for_each(there(on)),
        Verb::Import(args) | Verb::Image(ImageVerb::Import(args)) => source_file(&mut args.file, on),
        Verb::Cp(args) | Verb::Container(ContainerVerb::Cp(args)) => args.flags.files(on),
        Verb::Plan(args) => args.output.iter_mut().try_for_each(back(on)),
        Verb::Apply(args) => on(Way::There, &mut args.plan),
        Verb::Compose(args) => match &mut args.verb {
            ComposeVerb::Plan(args) => args.output.iter_mut().try_for_each(back(on)),
            ComposeVerb::Export(args) => args.output.iter_mut().try_for_each(back(on)),
            ComposeVerb::Apply(args) => on(Way::There, &mut args.plan),
            ComposeVerb::Cp(args) => args.flags.files(on),
            ComposeVerb::Run(args) => args.env_from_file.iter_mut().try_for_each(there(on)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn there<'a>(on: Visit<'a>) -> impl FnMut(&mut PathBuf) -> Result<(), Failure> + 'a {
    move |path| on(Way::There, path)
}

fn back<'a>(on: Visit<'a>) -> impl FnMut(&mut PathBuf) -> Result<(), Failure> + 'a {
    move |path| on(Way::Back, path)
}

/// Tells of a word that is a file or folder to read, unless it means standard input or another host.
pub(crate) fn source_file(word: &mut String, on: Visit<'_>) -> Result<(), Failure> {
    if word == "-" || word.contains("://") { Ok(()) } else { word_file(word, Way::There, on) }
}

/// Tells of a word that is a file.
pub(crate) fn word_file(word: &mut String, way: Way, on: Visit<'_>) -> Result<(), Failure> {
    let mut path = PathBuf::from(&*word);
    on(way, &mut path)?;
    *word = path.into_os_string().into_string().map_err(|_| Failure::text("a place is no UTF-8"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_write_a_path_in_one_way() {
        let here = Path::new("/home/me");
        assert_eq!(absolute(here, Path::new("./a/../b/.")), Path::new("/home/me/b"));
        assert_eq!(absolute(here, Path::new("/x/../../y")), Path::new("/y"));
    }
}
