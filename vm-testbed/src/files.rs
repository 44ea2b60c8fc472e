//! What a guest is given of the host, at the same paths as here.
//!
//! Single files go together on one disk that is made for each run; a shared folder has a disk of its own, which is kept until
//! the folder changes. The guest mounts each at its path, read-only.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::command::{output, program, quoted, text};
use crate::disk;
use crate::tree::Tree;

/// What the guest's init starts; `guest/init.sh`, which mounts the disk these are on, belongs to the kernel.
const SETUP: &str = include_str!("../guest/setup.sh");
const RUN: &str = include_str!("../guest/run.sh");

/// First letter of the disks that hold shared folders: after root, modules, files, output and state.
const FIRST_SHARE: u8 = b'f';

/// A program to run inside, and what it needs.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    pub(crate) working_directory: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    /// A file behind a link stands here by both its paths.
    files: BTreeSet<PathBuf>,
    shares: Vec<Share>,
}

/// A folder to share.
#[derive(Debug)]
struct Share {
    folder: PathBuf,
    /// The path by which it was asked for, where a link leads to the folder.
    link: Option<PathBuf>,
}

impl Files {
    /// Adds a file; one that is reached by a link is seen by both its paths.
    pub(crate) fn add(&mut self, path: &Path) -> Result<()> {
        let file = path.canonicalize().with_context(|| format!("find `{}`", path.display()))?;
        if !file.is_file() {
            bail!("`{}` is no file; folders are shared as such", file.display());
        }
        self.files.extend([file, std::path::absolute(path)?]);
        Ok(())
    }

    /// Shares a folder; one that is reached by a link is seen by both its paths.
    pub(crate) fn share(&mut self, path: &Path) -> Result<()> {
        let folder = path.canonicalize().with_context(|| format!("find `{}`", path.display()))?;
        if !folder.is_dir() {
            bail!("`{}` is no folder", folder.display());
        }
        let link = Some(std::path::absolute(path)?).filter(|path| *path != folder);
        self.shares.push(Share { folder, link });
        Ok(())
    }

    /// Adds the program, and, of a test that cargo built, what cargo builds for tests to use: the programs and examples
    /// of the same build.
    pub(crate) fn add_program(&mut self, program: &str) -> Result<()> {
        let path = Path::new(program);
        self.add(path)?;
        if let Some(deps) = path.parent().filter(|parent| parent.ends_with("deps")) {
            let build = deps.parent().unwrap_or(deps);
            for folder in [build, &build.join("examples")] {
                for program in programs(folder) {
                    self.add(&program)?;
                }
            }
        }
        Ok(())
    }

    /// Returns a hash of what is in the single files, by their paths.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        Ok(cache::hash(&[&text(program("sha256sum").args(&self.files))?]))
    }

    /// Makes the disks: of files first, then of shared folders.
    pub(crate) fn disks(&self, cache: &Cache, tools: &Tree, work: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
        let stage = work.join("files");
        fs::create_dir_all(stage.join("tree"))?;
        self.files.iter().try_for_each(|file| put(file, &stage.join("tree")))?;
        fs::write(stage.join("places"), self.places())?;
        for (name, text) in [("setup.sh", SETUP), ("run.sh", RUN), ("command", &self.script())] {
            fs::write(stage.join(name), text)?;
            fs::set_permissions(stage.join(name), PermissionsExt::from_mode(0o755))?;
        }
        let image = work.join("files.disk");
        disk::from_folder(tools, &stage, &image, 0)?;
        cache::remove(&stage)?;
        let shares = self.shares.iter().map(|share| share.disk(cache, tools)).collect::<Result<_>>()?;
        Ok((image, shares))
    }

    /// Lines of a device and a path, read by `guest/run.sh`.
    fn places(&self) -> String {
        let files = self.files.iter().map(|file| format!("- {}\n", file.display()));
        let paths = |share: &'_ Share| std::iter::once(share.folder.clone()).chain(share.link.clone());
        let shares = self.shares.iter().zip(FIRST_SHARE..).flat_map(|(share, letter)| {
            paths(share).map(move |path| format!("vd{} {}\n", char::from(letter), path.display()))
        });
        files.chain(shares).collect()
    }

    fn script(&self) -> String {
        let directory = quoted(&self.working_directory.display().to_string());
        let mut script = format!("#!/bin/sh\nmkdir -p {directory}\ncd {directory} || exit 126\n");
        for (name, value) in &self.environment {
            script.push_str(&format!("export {name}={}\n", quoted(value)));
        }
        let words: Vec<_> = self.command.iter().map(|word| quoted(word)).collect();
        script.push_str(&format!("exec {}\n", words.join(" ")));
        script
    }
}

/// Puts a file below `tree`: once, and where it is behind a link, there as well.
fn put(file: &Path, tree: &Path) -> Result<()> {
    let source = file.canonicalize().with_context(|| format!("find `{}`", file.display()))?;
    let [copied, linked] = [&source, file].map(|path| tree.join(path.strip_prefix("/").unwrap_or(path)));
    for place in [&copied, &linked] {
        fs::create_dir_all(place.parent().unwrap_or(tree))?;
    }
    if !copied.exists() {
        copy(&source, &copied)?;
    }
    if !linked.exists() {
        fs::hard_link(&copied, &linked).with_context(|| format!("link `{}`", linked.display()))?;
    }
    Ok(())
}

/// Copies a file, a program without what debuggers want: runtimes copy themselves each time a container starts.
fn copy(file: &Path, place: &Path) -> Result<()> {
    let mut strip = program("strip");
    if output(strip.arg("-o").arg(place).arg(file)).is_err() {
        // No program, or a host without strip.
        fs::copy(file, place).with_context(|| format!("copy `{}`", file.display()))?;
    }
    Ok(())
}

/// Programs of a build's folder that have no hash in their name, those with one being what cargo works with, but for this one:
/// no guest needs it, and a test stays the same test when the testbed changes.
fn programs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_program = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let executable = entry.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        executable && !name.contains('.') && !has_hash(&name) && name != env!("CARGO_PKG_NAME")
    };
    entries.filter(is_program).map(|entry| entry.path()).collect()
}

/// `launch-8a55bbb4b7ee4d11`
fn has_hash(name: &str) -> bool {
    let is_hash = |text: &str| text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
    name.rsplit_once('-').is_some_and(|(_, hash)| is_hash(hash))
}

impl Share {
    fn disk(&self, cache: &Cache, tools: &Tree) -> Result<PathBuf> {
        let folder = &self.folder;
        let name = format!("share-{}", cache::hash(&[&folder.display().to_string()]));
        let fingerprint = disk::fingerprint(folder)?;
        let ingredients = [disk::FORM, &fingerprint];
        let part = cache.part(&name, &ingredients, |part| disk::from_folder(tools, folder, &part.join("disk"), 0))?;
        Ok(part.join("disk"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_test_of_cargo_brings_the_programs_it_was_built_with() {
        let target = tempfile::tempdir().unwrap();
        for folder in ["deps", "examples"] {
            fs::create_dir(target.path().join(folder)).unwrap();
        }
        let hash = "0123456789abcdef";
        for name in [
            &format!("deps/root-{hash}"),
            "deps/x.d",
            "examples/launch",
            &format!("examples/launch-{hash}"),
            "lighter",
            "vm-testbed",
        ] {
            touch(&target.path().join(name));
        }
        let mut files = Files::default();
        files.add_program(&target.path().join(format!("deps/root-{hash}")).display().to_string()).unwrap();
        let root = target.path().canonicalize().unwrap();
        let names: Vec<_> =
            files.files.iter().map(|file| file.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, [&format!("deps/root-{hash}"), "examples/launch", "lighter"]);
    }

    #[test]
    fn places_name_the_disk_and_the_path() {
        let folder = tempfile::tempdir().unwrap();
        touch(&folder.path().join("file"));
        let mut files = Files::default();
        files.add(&folder.path().join("file")).unwrap();
        files.share(folder.path()).unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(files.places(), format!("- {0}/file\nvdf {0}\n", root.display()));
    }

    #[test]
    fn a_folder_behind_a_link_is_seen_by_both_its_paths() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir(root.join("folder")).unwrap();
        std::os::unix::fs::symlink("folder", root.join("link")).unwrap();
        let mut files = Files::default();
        files.share(&root.join("link")).unwrap();
        assert_eq!(files.places(), format!("vdf {0}/folder\nvdf {0}/link\n", root.display()));
    }

    #[test]
    fn a_program_behind_a_link_is_seen_by_both_its_paths_and_copied_once() {
        use std::os::unix::fs::MetadataExt;
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("build/deps")).unwrap();
        std::os::unix::fs::symlink("build", root.join("target")).unwrap();
        for name in ["deps/root-0123456789abcdef", "lighter"] {
            touch(&root.join("build").join(name));
        }
        let mut files = Files::default();
        files.add_program(&root.join("target/deps/root-0123456789abcdef").display().to_string()).unwrap();
        let tree = root.join("tree");
        files.files.iter().for_each(|file| put(file, &tree).unwrap());
        let placed = |path: &str| fs::metadata(tree.join(root.join(path).strip_prefix("/").unwrap())).unwrap();
        for name in ["deps/root-0123456789abcdef", "lighter"] {
            let both = ["build", "target"].map(|folder| placed(&format!("{folder}/{name}")).ino());
            assert_eq!(both[0], both[1]);
        }
        assert_eq!(files.places().lines().count(), 4);
    }

    #[test]
    fn the_command_is_quoted_and_starts_where_it_would_here() {
        let files = Files {
            command: ["/bin/test", "--exact", "a b"].map(str::to_owned).into(),
            working_directory: "/work".into(),
            environment: vec![("X".into(), "$y".into())],
            ..Files::default()
        };
        let expected = "#!/bin/sh\nmkdir -p /work\ncd /work || exit 126\nexport X='$y'\nexec /bin/test --exact 'a b'\n";
        assert_eq!(files.script(), expected);
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let said = Files::default().add(Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(said.contains("/no/such/file"), "{said}");
    }
}
