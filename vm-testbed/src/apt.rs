//! Packages of the Debian archive, through apt with a configuration of its own.
//!
//! apt checks signatures, finds what depends on what and downloads; nothing is installed, and the host's lists, sources and
//! package states are neither used nor changed. One configuration a suite, so that no version is ever chosen between two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::command::{output, program, text};
use crate::tree::Tree;

/// Age at which the index of a suite is fetched again before packages are looked up in it.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The key that signs bookworm, which the test images are made of as well.
const FIRST_KEY: &str = include_str!("../../tests/images/files/debian-bookworm.asc");

/// The suite that [`FIRST_KEY`] is for.
const FIRST_SUITE: &str = "bookworm";

/// Where the package of all keys has them.
const KEYRING: &str = "usr/share/keyrings/debian-archive-keyring.gpg";

/// Where packages come from when the host's own apt knows no Debian.
const ARCHIVE: &str = "http://deb.debian.org/debian/";

/// apt, looking at one suite.
pub(crate) struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// Opens a suite; its index is fetched if it is not fresh.
    pub(crate) fn open(cache: &Cache, suite: &str) -> Result<Self> {
        let key = cache.path("bookworm.asc");
        fs::write(&key, FIRST_KEY)?;
        let first = Self::open_with(cache, FIRST_SUITE, &key)?;
        if suite == FIRST_SUITE {
            return Ok(first);
        }
        // What the host has of this package may be older than the suite, or it may be no Debian.
        let keys = cache.part("keyring", &[FIRST_KEY], |part| {
            first.download(&["debian-archive-keyring".to_owned()], part)?;
            Tree::create(part.join("tree"))?.unpack(part)
        })?;
        Self::open_with(cache, suite, &keys.join("tree").join(KEYRING))
    }

    fn open_with(cache: &Cache, suite: &str, key: &Path) -> Result<Self> {
        let apt = Self { directory: cache.path(&format!("apt-{suite}")) };
        for part in ["lists/partial", "archives/partial", "etc"] {
            fs::create_dir_all(apt.directory.join(part))?;
        }
        fs::write(apt.directory.join("status"), "")?;
        fs::write(apt.directory.join("sources.list"), sources(&mirror(), suite, key))?;
        fs::write(apt.directory.join("apt.conf"), configuration(&apt.directory, suite, check_valid_until()))?;
        let stamp = apt.directory.join("stamp");
        let age =
            fs::metadata(&stamp).and_then(|file| file.modified()).map(|time| SystemTime::now().duration_since(time));
        if matches!(age, Ok(Ok(age)) if age < FRESH) {
            return Ok(apt);
        }
        // Without that, apt ends well when nothing could be fetched.
        output(apt.command("apt-get").args(["-q", "--error-on=any", "update"]))
            .with_context(|| format!("fetch the index of `{suite}`"))?;
        fs::write(&stamp, "")?;
        Ok(apt)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command.env("APT_CONFIG", self.directory.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    /// Downloads `packages` and all they depend on to `target`.
    pub(crate) fn download_with_dependencies(&self, packages: &[&str], target: &Path) -> Result<()> {
        fs::create_dir_all(target.join("partial"))?;
        let archives = format!("Dir::Cache::archives={}", target.display());
        let mut command = self.command("apt-get");
        command.args(["-q", "--yes", "--download-only", "--option", &archives, "install"]).args(packages);
        output(&mut command).with_context(|| format!("download {}", packages.join(", ")))?;
        Ok(())
    }

    /// Downloads exactly `packages` to `target`.
    pub(crate) fn download(&self, packages: &[String], target: &Path) -> Result<()> {
        fs::create_dir_all(target)?;
        let mut command = self.command("apt-get");
        command.current_dir(target).args(["-q", "download"]).args(packages);
        output(&mut command).with_context(|| format!("download {}", packages.join(", ")))?;
        Ok(())
    }

    /// Returns the names in the field `Depends` of a package, the first of each alternative.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        let shown = text(self.command("apt-cache").args(["show", "--no-all-versions", package]))
            .with_context(|| format!("look up `{package}`"))?;
        Ok(depends(&shown))
    }
}

/// Packages in a directory, as `name_version`, in order of names.
pub(crate) fn versions(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(package) = name.strip_suffix(".deb") {
            // The third part is the architecture; a colon in a version is written `%3a`.
            let parts: Vec<_> = package.split('_').take(2).collect();
            found.push(parts.join(" ").replace("%3a", ":"));
        }
    }
    found.sort();
    Ok(found)
}

/// The mirror that the host's own apt uses for Debian.
fn mirror() -> String {
    let mut command = program("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]);
    text(&mut command).ok().and_then(|targets| mirror_among(&targets)).unwrap_or_else(|| ARCHIVE.to_owned())
}

/// Finds the archive's own mirror in lines `ORIGIN COMPONENT URI`; the security archive does not hold whole suites.
fn mirror_among(targets: &str) -> Option<String> {
    let lines = targets.lines().filter_map(|line| line.strip_prefix("Debian main "));
    lines.filter(|uri| !uri.contains("security")).map(str::to_owned).next()
}

/// Whether the host's apt insists on an index that has not expired; a frozen mirror needs it not to.
fn check_valid_until() -> bool {
    let dumped = text(program("apt-config").args(["dump", "Acquire::Check-Valid-Until"])).unwrap_or_default();
    !dumped.contains("\"false\"")
}

fn sources(mirror: &str, suite: &str, key: &Path) -> String {
    // Backports are built upon their release and may depend on it.
    let release = suite.strip_suffix("-backports");
    let line = |suite: &str| format!("deb [signed-by={} arch=amd64] {mirror} {suite} main\n", key.display());
    release.map(line).into_iter().chain([line(suite)]).collect()
}

fn configuration(directory: &Path, suite: &str, check_valid_until: bool) -> String {
    let here = directory.display();
    // Backports are passed over unless they are the release that is asked for.
    format!(
        "Dir::State \"{here}\";\nDir::State::status \"{here}/status\";\nDir::State::lists \"{here}/lists\";\n\
         Dir::Cache \"{here}\";\nDir::Etc \"{here}/etc\";\nDir::Etc::sourcelist \"{here}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\nDir::Etc::trustedparts \"/dev/null\";\n\
         APT::Default-Release \"{suite}\";\nAPT::Architecture \"amd64\";\n\
         APT::Architectures {{\"amd64\";}};\nAPT::Install-Recommends \"0\";\n\
         APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
         Acquire::Check-Valid-Until \"{check_valid_until}\";\n"
    )
}

fn depends(shown: &str) -> Vec<String> {
    let fields = shown.lines().filter_map(|line| line.strip_prefix("Depends: "));
    let alternatives = fields.flat_map(|field| field.split(", ")).filter_map(|each| each.split_whitespace().next());
    alternatives.map(|name| name.split(':').next().unwrap_or(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hosts_mirror_is_found_and_security_is_none() {
        let targets = "Debian main http://security.debian.org/debian-security/\nX main http://x/\n\
                       Debian contrib http://a/\nDebian main http://mirror.example/debian/\n";
        assert_eq!(mirror_among(targets).unwrap(), "http://mirror.example/debian/");
        assert_eq!(mirror_among("Ubuntu main http://archive.example/ubuntu/\n"), None);
    }

    #[test]
    fn backports_come_with_their_release() {
        let text = sources("http://m/", "trixie-backports", Path::new("/key"));
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("http://m/ trixie main") && text.contains("http://m/ trixie-backports main"));
        assert_eq!(sources("http://m/", "sid", Path::new("/key")).lines().count(), 1);
    }

    #[test]
    fn dependencies_are_names_without_versions_and_alternatives() {
        let shown =
            "Package: x\nDepends: linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1), kmod, a | b, perl:any\nSize: 1\n";
        assert_eq!(depends(shown), ["linux-image-6.1.0-1-cloud-amd64", "kmod", "a", "perl"]);
    }

    #[test]
    fn versions_are_read_from_names_of_archives() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["qemu_1%3a10.0_amd64.deb", "base_13_all.deb", "lock"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(versions(directory.path()).unwrap(), ["base 13", "qemu 1:10.0"]);
    }

    proptest! {
        #[test]
        fn any_description_has_some_dependencies(shown in ".{0,200}") {
            let _any = depends(&shown);
        }
    }
}
