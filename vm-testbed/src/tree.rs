//! Unpacked packages, and running their programs on the host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{output, program};

/// Directory of the libraries, below `usr/lib`.
const MULTIARCH: &str = "x86_64-linux-gnu";

/// A root directory made of packages.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes `root` with `/bin` and its like as links into `/usr`, which Debian's packages expect.
    pub(crate) fn create(root: PathBuf) -> Result<Self> {
        for name in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(root.join("usr").join(name))?;
            symlink(format!("usr/{name}"), root.join(name))?;
        }
        Ok(Self { root })
    }

    /// Unpacks every package in `archives`, without running its scripts.
    pub(crate) fn unpack(&self, archives: &Path) -> Result<()> {
        for entry in fs::read_dir(archives)? {
            let archive = entry?.path();
            if archive.extension().is_some_and(|extension| extension == "deb") {
                self.unpack_one(&archive).with_context(|| format!("unpack `{}`", archive.display()))?;
            }
        }
        Ok(())
    }

    fn unpack_one(&self, archive: &Path) -> Result<()> {
        let mut reader = program("dpkg-deb");
        let mut reader =
            reader.arg("--fsys-tarfile").arg(archive).stdout(Stdio::piped()).spawn().context("dpkg-deb")?;
        let stream = reader.stdout.take().context("dpkg-deb has an output")?;
        let mut writer = program("tar");
        output(writer.arg("-x").arg("--keep-directory-symlink").arg("-C").arg(&self.root).stdin(stream))?;
        ensure!(reader.wait()?.success(), "dpkg-deb failed");
        Ok(())
    }

    /// Returns a command that runs a program of this tree on the host, with the tree's own loader and libraries.
    ///
    /// `name` is what the program sees as its name, which decides what programs like kmod do.
    pub(crate) fn command(&self, name: &str, path: &str) -> Command {
        let mut command = program(self.loader());
        self.add_program(&mut command, name, path);
        command
    }

    /// Like [`Tree::command`], but the program is killed when the thread that starts it ends, however that comes about.
    pub(crate) fn bound_command(&self, name: &str, path: &str) -> Command {
        let mut command = program("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(self.loader());
        self.add_program(&mut command, name, path);
        command
    }

    fn add_program(&self, command: &mut Command, name: &str, path: &str) {
        let libraries = self.root.join("usr/lib").join(MULTIARCH);
        // systemd's programs have libraries of their own.
        let private = libraries.join("systemd");
        let all = format!("{}:{}", libraries.display(), private.display());
        command.args(["--argv0", name, "--library-path", &all]).arg(self.root.join(path));
    }

    /// The loader is named in full: the link that programs have inside would lead to the host's.
    fn loader(&self) -> PathBuf {
        self.root.join("usr/lib").join(MULTIARCH).join("ld-linux-x86-64.so.2")
    }
}
