//! Git repositories as sources: of ADD, and as contexts.
//!
//! Runs in the shell command's process; the host's own `git` talks to the server, with the user's settings, keys and logins
//! (adr/0031). What a name means is asked first, which costs one question; files are fetched only if nobody has them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::StepError;
use super::fetch::is_url;
use super::path;

/// Digits of a commit's full name: SHA-1, or SHA-256 (gitformat-hash).
const LENGTHS: [usize; 2] = [40, 64];

/// Fewest digits by which a checksum may name a commit; what git itself shows.
const SHORTEST_CHECKSUM: usize = 7;

/// Variables that would lead git to the repository of whoever called us, a hook for instance: `git rev-parse
/// --local-env-vars`.
const LOCAL: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// A repository, and what of it is meant: `REPOSITORY[#[REF][:FOLDER]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitSource {
    repository: String,
    /// A branch, a tag, a commit, or the full name of anything else; `None` is what the server has checked out.
    reference: Option<String>,
    /// Clean, below the repository's root; empty for that itself.
    folder: String,
}

/// What a reference means at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    id: String,
    /// The tag, if it is an object of its own.
    tag: Option<String>,
}

/// Tells whether a source is a git repository.
pub(crate) fn is_git(text: &str) -> bool {
    let repository = text.split('#').next().unwrap_or(text);
    let is_address = ["git@", "git://", "ssh://"].iter().any(|scheme| text.starts_with(scheme));
    is_address || (is_url(text) && repository.ends_with(".git"))
}

impl Commit {
    /// Returns its full name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Tells whether a checksum, perhaps shortened, names it or the tag that led to it.
    pub(crate) fn is_named_by(&self, checksum: &str) -> bool {
        let names = |object: &String| object.starts_with(checksum);
        checksum.len() >= SHORTEST_CHECKSUM && (names(&self.id) || self.tag.as_ref().is_some_and(names))
    }
}

impl GitSource {
    /// Reads a source that [`is_git`].
    ///
    /// # Errors
    /// A reference or a folder that git could take for an option.
    pub(crate) fn parse(text: &str) -> Result<GitSource, StepError> {
        let (repository, rest) = text.split_once('#').unwrap_or((text, ""));
        let (reference, folder) = rest.split_once(':').unwrap_or((rest, ""));
        let is_odd = |char: char| char.is_whitespace() || char.is_control();
        if reference.starts_with('-') || reference.contains(is_odd) || repository.contains(is_odd) {
            return Err(StepError::Refused(format!("`{text}` names no reference of a repository")));
        }
        let reference = Some(reference.to_owned()).filter(|reference| !reference.is_empty());
        Ok(GitSource { repository: repository.to_owned(), reference, folder: path::below_root(folder) })
    }

    /// Returns the folder that is meant; empty for the repository's root.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns the repository without the password that its URL may have.
    pub(crate) fn shown(&self) -> String {
        let Some((scheme, rest)) = self.repository.split_once("://") else { return self.repository.clone() };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}/{path}")
    }

    /// Asks the server which commit is meant.
    ///
    /// # Errors
    /// [`StepError::Refused`] with what git says, or if nothing has the name.
    pub(crate) fn resolve(&self) -> Result<Commit, StepError> {
        let name = self.reference.as_deref().unwrap_or("HEAD");
        if is_full(name) {
            return Ok(Commit { id: name.to_owned(), tag: None });
        }
        let candidates = candidates(name);
        let peeled: Vec<String> = candidates.iter().map(|name| format!("{name}^{{}}")).collect();
        let patterns = candidates.iter().chain(&peeled).map(String::as_str);
        let arguments: Vec<&str> = ["ls-remote", "--", &self.repository].into_iter().chain(patterns).collect();
        let listing = self.git(&arguments)?;
        find(&listing, &candidates).ok_or_else(|| {
            let what = "has no branch or tag `";
            StepError::Refused(format!("`{}` {what}{name}`; a commit is named by all its digits", self.shown()))
        })
    }

    /// Fetches a commit's files, and those of its submodules, into an empty directory; `keeps_git`: and git's own.
    ///
    /// # Errors
    /// As [`GitSource::resolve`].
    pub(crate) fn fetch(&self, commit: &Commit, directory: &Path, keeps_git: bool) -> Result<(), StepError> {
        let at = directory.to_string_lossy();
        // Without a template there are no hooks.
        self.git(&["init", "--quiet", "--template=", &at])?;
        let run = |arguments: &[&str]| self.git(&[&["-C", &at, "-c", "advice.detachedHead=false"], arguments].concat());
        run(&["remote", "add", "--", "origin", &self.repository])?;
        if run(&["fetch", "--quiet", "--no-tags", "--depth", "1", "origin", &commit.id]).is_err() {
            // A server that gives away nothing but what has a name, or one of mere files.
            run(&["fetch", "--quiet", "--tags", "origin"])?;
        }
        run(&["checkout", "--quiet", "--detach", &commit.id])?;
        if directory.join(".gitmodules").exists() {
            run(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1"])?;
        }
        settle(directory, keeps_git).map_err(StepError::io(format!("tidy up what was fetched from `{}`", self.shown())))
    }

    /// Runs git to its end; returns what it printed.
    #[expect(clippy::disallowed_methods, reason = "the user's own git: adr/0031")]
    fn git(&self, arguments: &[&str]) -> Result<String, StepError> {
        let mut command = Command::new("git");
        LOCAL.iter().for_each(|name| _ = command.env_remove(name));
        // Nobody is there to answer, and what it says is looked at.
        command.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").stdin(Stdio::null());
        let output = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                StepError::Refused(format!("`{}` is a git repository, and there is no program `git`", self.shown()))
            }
            _ => StepError::Io { act: "run `git`".to_owned(), source: error },
        })?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(StepError::Refused(format!("git: `{}`: {}", self.shown(), complaint(&output.stderr)))),
        }
    }
}

/// Tells a full name of a commit.
fn is_full(name: &str) -> bool {
    LENGTHS.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Lists what a name may stand for, in the order of `git checkout`: a branch rather than a tag.
fn candidates(name: &str) -> Vec<String> {
    match name {
        "HEAD" => vec![name.to_owned()],
        name if name.starts_with("refs/") => vec![name.to_owned()],
        name => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/{name}")],
    }
}

/// Finds the first of the candidates in what `git ls-remote` prints: `OBJECT<tab>NAME`, a tag's commit as `NAME^{}`.
fn find(listing: &str, candidates: &[String]) -> Option<Commit> {
    let object = |wanted: &str| {
        let pairs = listing.lines().filter_map(|line| line.split_once('\t'));
        let mut objects = pairs.filter(|(object, name)| *name == wanted && is_full(object));
        objects.next().map(|(object, _)| object.to_owned())
    };
    candidates.iter().find_map(|name| {
        let own = object(name)?;
        Some(match object(&format!("{name}^{{}}")) {
            Some(id) => Commit { id, tag: Some(own) },
            None => Commit { id: own, tag: None },
        })
    })
}

/// Returns the line in which git says what is wrong.
fn complaint(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling =
        lines().find(|line| line.starts_with("fatal: ") || line.starts_with("error: ")).or(lines().next_back());
    let line = telling.unwrap_or("it failed without a word");
    line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned()
}

/// Gives files the two modes that git knows, whatever our umask has made of them, and takes git's own away.
fn settle(folder: &Path, keeps_git: bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name() == ".git" {
            // A submodule's is a file.
            match (keeps_git, kind.is_dir()) {
                (true, _) => {}
                (false, true) => fs::remove_dir_all(path)?,
                (false, false) => fs::remove_file(path)?,
            }
        } else if !kind.is_symlink() {
            let is_executable = kind.is_dir() || entry.metadata()?.permissions().mode() & 0o100 != 0;
            let mode = if is_executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            if kind.is_dir() {
                settle(&path, keeps_git)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn repositories_are_told_by_their_beginning_and_end() {
        for text in ["git@github.com:a/b", "https://h/a.git#v1:sub", "ssh://h/a", "git://h/a"] {
            assert!(is_git(text), "{text}");
        }
        assert!(!is_git("https://h/a.tar.gz") && !is_git("a.git") && !is_git("https://h/a#b.git"));
    }

    #[test]
    fn what_of_a_repository_is_meant_stands_behind_it() {
        let read = |text: &str| {
            let source = GitSource::parse(text).unwrap();
            (source.repository, source.reference.unwrap_or_default(), source.folder)
        };
        let triple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(read("https://h/a.git"), triple("https://h/a.git", "", ""));
        assert_eq!(read("https://h/a.git#v1:sub/x/"), triple("https://h/a.git", "v1", "sub/x"));
        assert_eq!(read("git@h:a/b#:../../etc"), triple("git@h:a/b", "", "etc"));
        assert!(GitSource::parse("https://h/a.git#--upload-pack=x").is_err());
        assert_eq!(GitSource::parse("https://me:secret@h:1/a.git").unwrap().shown(), "https://h:1/a.git");
    }

    #[test]
    fn a_branch_wins_over_a_tag_and_a_tag_leads_to_its_commit() {
        let tags = format!("{ONE}\trefs/tags/v\n{TWO}\trefs/tags/v^{{}}\n");
        let all = format!("{tags}{ONE}\trefs/heads/v\n{TWO}\trefs/heads/other/refs/heads/v\n");
        let found = find(&tags, &candidates("v")).unwrap();
        assert_eq!((found.id.as_str(), found.tag.as_deref()), (TWO, Some(ONE)));
        assert!(found.is_named_by(TWO) && found.is_named_by(&ONE[..7]) && !found.is_named_by("111111"));
        assert_eq!(find(&all, &candidates("v")).unwrap(), Commit { id: ONE.to_owned(), tag: None });
        assert_eq!(find(&all, &candidates("w")), None);
        assert_eq!(find(&format!("{ONE}\tHEAD"), &candidates("HEAD")).unwrap().id, ONE);
    }

    #[test]
    fn the_line_that_says_why_is_shown() {
        let said = b"warning: x\nfatal: repository 'y' not found\nhint: z\n";
        assert_eq!(complaint(said), "repository 'y' not found");
        assert_eq!(complaint(b"ssh: no route\n"), "ssh: no route");
        assert_eq!(complaint(b""), "it failed without a word");
    }

    proptest! {
        #[test]
        fn any_listing_is_read(listing in "([0-9a-f]{38,42}\t(HEAD|refs/(tags|heads)/[a-c^{}]{1,4})\n|\\PC{0,20}\n){0,6}") {
            for name in ["HEAD", "a", "refs/tags/b"] {
                let _ = find(&listing, &candidates(name));
            }
        }

        #[test]
        fn any_text_is_no_folder_outside(text in "\\PC{0,40}") {
            if let Ok(source) = GitSource::parse(&text) {
                prop_assert!(!source.folder.starts_with('/') && !source.folder.split('/').any(|part| part == ".."));
                let _ = source.shown();
            }
        }
    }
}
