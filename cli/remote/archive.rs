//! Files on their way between hosts: tar, each file or folder under its place in a list.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType};

use crate::verbs::build::context::{Carried, GENERAL};

/// Name of the project's file in an archive.
pub(super) const PROJECT: &str = "project.json";

/// Writes files and folders, called `0`, `1` …; `project` beside them. What is none of file, folder and link stays behind, and
/// what is left out of those that are contexts of builds.
pub(super) fn write(
    to: impl Write,
    (paths, contexts): (&[PathBuf], &BTreeMap<PathBuf, Carried>),
    project: Option<&str>,
) -> io::Result<()> {
    let mut archive = Builder::new(to);
    archive.follow_symlinks(false);
    for (number, path) in paths.iter().enumerate() {
        // what the user names may be a link: it is what it leads to that is meant
        let real = fs::canonicalize(path)?;
        let name = PathBuf::from(number.to_string());
        match contexts.get(path).filter(|_| real.is_dir()) {
            Some(context) => add_context(&mut archive, (&real, &name), Path::new(""), context)?,
            None => add(&mut archive, &real, &name)?,
        }
    }
    if let Some(text) = project {
        add_text(&mut archive, Path::new(PROJECT), text)?;
    }
    archive.into_inner()?.flush()
}

fn add_text(archive: &mut Builder<impl Write>, name: &Path, text: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, text.as_bytes())
}

/// Adds what is below `place` of a context, a folder and its name in the archive; that says there, too, what is left out.
fn add_context(
    archive: &mut Builder<impl Write>,
    (folder, name): (&Path, &Path),
    place: &Path,
    context: &Carried,
) -> io::Result<()> {
    let is_root = place.as_os_str().is_empty();
    if is_root || context.filter.has(&place.to_string_lossy()) {
        archive.append_dir(name.join(place), folder.join(place))?;
    }
    if is_root && !context.ignore.is_empty() {
        add_text(archive, &name.join(GENERAL), &context.ignore)?;
    }
    let mut entries = fs::read_dir(folder.join(place))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries.iter().filter(|entry| !is_root || entry.file_name() != GENERAL) {
        let place = place.join(entry.file_name());
        let text = place.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if context.filter.may_have_below(&text) {
                add_context(archive, (folder, name), &place, context)?;
            }
        } else if context.filter.has(&text) {
            add(archive, &entry.path(), &name.join(&place))?;
        }
    }
    Ok(())
}

/// As [`write`], of those that are there.
pub(super) fn write_some(to: impl Write, paths: &[PathBuf]) -> io::Result<()> {
    let mut archive = Builder::new(to);
    archive.follow_symlinks(false);
    for (number, path) in paths.iter().enumerate().filter(|(_, path)| path.exists()) {
        add(&mut archive, path, Path::new(&number.to_string()))?;
    }
    archive.into_inner()?.flush()
}

fn add(archive: &mut Builder<impl Write>, path: &Path, name: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_file() || kind.is_symlink() {
        return archive.append_path_with_name(path, name);
    }
    if !kind.is_dir() {
        return Ok(());
    }
    archive.append_dir(name, path)?;
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.iter().try_for_each(|entry| add(archive, &entry.path(), &name.join(entry.file_name())))
}

/// Unpacks all of an archive into `folder`.
pub(super) fn unpack(from: impl Read, folder: &Path) -> io::Result<()> {
    let mut archive = Archive::new(from);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.unpack(folder)?;
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
}

/// Puts what has come back where it was wanted; whatever else the other host sends is refused.
///
/// A file appears whole: under another name first.
pub(super) fn put_back(from: impl Read, wanted: &[PathBuf]) -> io::Result<()> {
    let mut archive = Archive::new(from);
    archive.set_preserve_permissions(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let (target, rest) = place(&name, wanted).ok_or_else(|| {
            let text = format!("the other host sends `{}`, which nobody asked for", name.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        match (rest.as_os_str().is_empty(), entry.header().entry_type()) {
            (true, EntryType::Directory) => fs::create_dir_all(target)?,
            // A pipe or a device is written to as it is; it cannot be replaced.
            (true, _) if target.exists() && !target.is_file() => {
                io::copy(&mut entry, &mut File::options().write(true).open(target)?)?;
            }
            (true, _) => {
                let part = target.with_extension(format!("part-{}", std::process::id()));
                let written = entry.unpack(&part).and_then(|_| fs::rename(&part, target));
                written.inspect_err(|_| _ = fs::remove_file(&part))?;
            }
            (false, _) => unpack_below(&mut entry, target, &rest)?,
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
}

/// Unpacks an entry into a folder; no link in it leads the way.
fn unpack_below(entry: &mut tar::Entry<'_, impl Read>, target: &Path, rest: &Path) -> io::Result<()> {
    let path = target.join(rest);
    let through = path.ancestors().skip(1).take_while(|above| *above != target);
    if through.into_iter().any(|above| fs::symlink_metadata(above).is_ok_and(|found| found.is_symlink())) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{}` leads through a link", path.display())));
    }
    entry.unpack(&path).map(drop)
}

/// Returns what an entry belongs to, and the rest of its name.
fn place<'a>(name: &Path, wanted: &'a [PathBuf]) -> Option<(&'a Path, PathBuf)> {
    let mut parts = name.components();
    let Some(Component::Normal(number)) = parts.next() else { return None };
    let target = wanted.get(number.to_str()?.parse::<usize>().ok()?)?;
    let rest = parts.as_path();
    rest.components().all(|part| matches!(part, Component::Normal(_))).then(|| (target.as_path(), rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_context_leaves_out_stays_here() {
        let scratch = tempfile::tempdir().unwrap();
        let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
        fs::create_dir_all(here.join("docker")).unwrap();
        fs::create_dir_all(here.join("big")).unwrap();
        for (name, text) in [
            ("docker/Dockerfile", "FROM x"),
            ("docker/Dockerfile.dockerignore", "docker\nbig\n!big/one\n"),
            (".dockerignore", "*"),
            ("a", ""),
            ("big/one", ""),
            ("big/two", ""),
        ] {
            fs::write(here.join(name), text).unwrap();
        }
        let context = Carried::of(&here, Some(&here.join("docker/Dockerfile"))).unwrap();
        let contexts = BTreeMap::from([(here.clone(), context)]);
        let mut bytes = Vec::new();
        write(&mut bytes, (&[here], &contexts), None).unwrap();
        unpack(bytes.as_slice(), &there).unwrap();
        let has = |name: &str| there.join("0").join(name).exists();
        assert!(has("a") && has("big/one") && has("docker/Dockerfile"));
        assert!(!has("big/two") && !has("docker/Dockerfile.dockerignore"));
        assert!(fs::read_to_string(there.join("0/.dockerignore")).unwrap().starts_with("docker\n"));
    }

    #[test]
    fn files_and_folders_come_through_with_modes_and_links() {
        let scratch = tempfile::tempdir().unwrap();
        let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
        fs::create_dir_all(here.join("sub")).unwrap();
        fs::write(here.join("sub/a file"), "text").unwrap();
        std::os::unix::fs::symlink("a file", here.join("sub/link")).unwrap();
        let mut bytes = Vec::new();
        write(&mut bytes, (&[here.join("sub/a file"), here], &BTreeMap::new()), Some("{}")).unwrap();
        unpack(bytes.as_slice(), &there).unwrap();
        assert_eq!(fs::read_to_string(there.join("0")).unwrap(), "text");
        assert_eq!(fs::read_to_string(there.join("1/sub/link")).unwrap(), "text");
        assert_eq!(fs::read_to_string(there.join(PROJECT)).unwrap(), "{}");
    }

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                archive.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                archive.append(&header, content.as_bytes()).unwrap();
            }
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn nothing_comes_back_but_what_was_asked_for_and_only_there() {
        let scratch = tempfile::tempdir().unwrap();
        let wanted = [scratch.path().join("out.tar"), scratch.path().join("folder")];
        fs::create_dir(&wanted[1]).unwrap();
        let good = [("0", EntryType::Regular, "bytes"), ("1/x", EntryType::Regular, "more")];
        put_back(archive(&good).as_slice(), &wanted).unwrap();
        assert_eq!(fs::read_to_string(&wanted[0]).unwrap(), "bytes");
        assert_eq!(fs::read_to_string(wanted[1].join("x")).unwrap(), "more");
        for name in ["2", "x", "../x", "/x", "1/../../x"] {
            let hostile = archive(&[(name, EntryType::Regular, "evil")]);
            assert!(put_back(hostile.as_slice(), &wanted).is_err(), "{name}");
        }
        let led = [("1/l", EntryType::Symlink, "/"), ("1/l/evil", EntryType::Regular, "evil")];
        assert!(put_back(archive(&led).as_slice(), &wanted).is_err());
        assert!(!Path::new("/evil").exists());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let scratch = tempfile::tempdir().unwrap();
            let _ = put_back(bytes.as_slice(), &[scratch.path().join("x")]);
        }
    }
}
