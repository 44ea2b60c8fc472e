//! COPY and ADD.
//!
//! Runs in the shell command's process, in a stage's thread. The key of a step is made from what is copied (content, modes,
//! owners; never times) and where it goes.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::stat::SFlag;

use super::checkout::Checkout;
use super::error::StepError;
use super::fault::Problem;
use super::fetch::{self, Download};
use super::git::is_git;
use super::graph::Origin;
use super::ignore::Ignore;
use super::instruction::Copy;
use super::key::Key;
use super::layer::tidy;
use super::mode::Chmod;
use super::packing::Packing;
use super::place::{Changes, Destination, Target};
use super::session::Report;
use super::stage::Stage;
use super::state::State;
use super::tree::{Found, Tree, open_root};
use super::{owner, path};
use crate::digest::Digest;
use crate::layer::{Attributes, Below, Reader, Timestamp, kind, unpack};
use crate::store::Staging;

/// Something that is put into the image.
enum Piece {
    /// Files of a tree.
    Files { tree: Arc<Tree>, found: Found, subfolder: String },
    /// What an archive holds.
    Unpacked { tree: Tree, found: Found, _staging: Staging },
    /// A here-document.
    Inline { name: String, content: String },
    /// A download.
    Download(Download),
    /// Files of a repository.
    Checkout(Checkout),
}

/// A COPY or ADD whose variables are expanded.
struct Plan<'a> {
    copy: &'a Copy,
    pieces: Vec<Piece>,
    /// Below the root.
    destination: String,
    /// What is written ends with `/`, or there is more than one source.
    is_folder: bool,
    changes: Changes,
}

impl Stage<'_, '_> {
    /// Carries out COPY or ADD; returns whether the cache had the result.
    pub(crate) fn copy_files(&mut self, copy: &Copy, report: &Report<'_>) -> Result<bool, StepError> {
        let plan = self.plan(copy, report)?;
        let title = self.copy_title(copy)?;
        // What is linked stands on nothing, so that it stays the same on another base.
        let below = match copy.is_link {
            true => State::new(self.state.config.clone(), Vec::new()),
            false => self.state.clone(),
        };
        let key = plan.key(&below.chain())?;
        let outcome = self.change(key, &title, &mut |staging| {
            let root = self.build.writable(&below, staging)?;
            let upper = open_root(&staging.path().join("fs")).map_err(StepError::io("open the writable layer"))?;
            plan.carry_out(Target::new(root), upper)?;
            tidy(staging)
        })?;
        Ok(self.finish(outcome, &title))
    }

    fn copy_title(&self, copy: &Copy) -> Result<String, StepError> {
        let mut words = vec![if copy.is_add { "ADD" } else { "COPY" }.to_owned()];
        words.extend(copy.from.iter().map(|from| format!("--from={from}")));
        for source in &copy.sources {
            words.push(self.expand(source)?);
        }
        words.extend(copy.inline.iter().map(|heredoc| format!("<<{}", heredoc.name)));
        words.push(self.expand(&copy.destination)?);
        Ok(words.join(" "))
    }

    fn plan<'c>(&self, copy: &'c Copy, report: &Report<'_>) -> Result<Plan<'c>, StepError> {
        let name = if copy.is_add { "ADD" } else { "COPY" };
        let written = self.expand(&copy.destination)?;
        let ends_as_folder = written.ends_with('/') || written == "." || written.ends_with("/.");
        let mut pieces = Vec::new();
        for source in &copy.sources {
            self.add_pieces(&mut pieces, copy, &self.expand(source)?, report)?;
        }
        for heredoc in &copy.inline {
            let content = match heredoc.is_expanded {
                true => self.expand_document(&heredoc.content)?,
                false => heredoc.content.clone(),
            };
            pieces.push(Piece::Inline { name: heredoc.name.clone(), content });
        }
        if pieces.len() > 1 && !ends_as_folder {
            let why = "with more than one source the destination must be a folder and end with `/`";
            return Err(Problem::arguments(name, why).into());
        }
        let resolved = path::resolve(&self.state.config.working_dir(), &written);
        Ok(Plan {
            copy,
            pieces,
            destination: path::below_root(&resolved),
            is_folder: ends_as_folder,
            changes: self.changes(copy, name)?,
        })
    }

    /// Expands a here-document, in which quotes mean nothing.
    fn expand_document(&self, text: &str) -> Result<String, StepError> {
        use super::expand::{Expander, Quotes};
        let variable = |name: &str| self.state.variable(name);
        let (escape, quotes) = (self.build.file.escape, Quotes::Ignored);
        Ok(Expander { escape, quotes, keeps_unset: false, variable: &variable }.text(text)?)
    }

    fn changes(&self, copy: &Copy, name: &'static str) -> Result<Changes, StepError> {
        let owner = match &copy.chown {
            None => None,
            Some(text) => {
                let text = self.expand(text)?;
                let is_numeric = owner::is_numeric(&text);
                let state =
                    if is_numeric { State::new(self.state.config.clone(), Vec::new()) } else { self.state.clone() };
                Some(owner::resolve(&text, &self.build.joined(&state)?)?)
            }
        };
        let mode = match &copy.chmod {
            None => None,
            Some(text) => {
                let text = self.expand(text)?;
                let parsed = Chmod::parse(&text);
                Some(parsed.ok_or_else(|| Problem::flag(name, "chmod", format!("`{text}` is no mode")))?)
            }
        };
        Ok(Changes { owner, mode })
    }

    fn add_pieces(
        &self,
        pieces: &mut Vec<Piece>,
        copy: &Copy,
        source: &str,
        report: &Report<'_>,
    ) -> Result<(), StepError> {
        if copy.is_add && is_git(source) {
            pieces.push(Piece::Checkout(self.check_out(copy, source, report)?));
            return Ok(());
        }
        if copy.keeps_git {
            return Err(Problem::flag("ADD", "keep-git-dir", "only git repositories have one").into());
        }
        if copy.is_add && fetch::is_url(source) {
            let download = self.download(copy, source, report)?;
            match copy.unpack {
                Some(true) => pieces.extend(self.unpacked(download.file, source)?),
                _ => pieces.push(Piece::Download(download)),
            }
            return Ok(());
        }
        if copy.checksum.is_some() {
            return Err(Problem::flag("ADD", "checksum", "only what is downloaded has one").into());
        }
        let origin = self.origin(copy.from.as_ref())?;
        let tree =
            self.build.tree(&origin)?.ok_or_else(|| StepError::Refused("a stage it needs has failed".to_owned()))?;
        let exclude = copy.exclude.iter().map(|text| self.expand(text)).collect::<Result<Vec<_>, _>>()?;
        let exclude = Ignore::of(exclude.iter().map(String::as_str))?;
        let all = tree.find(source, &exclude).map_err(StepError::io(format!("read `{source}`")))?;
        if all.is_empty() {
            return Err(StepError::NoSource { path: source.to_owned(), place: describe(&origin) });
        }
        for found in all {
            let is_file = kind(&found.items[0].stat) == SFlag::S_IFREG;
            if copy.is_add && is_file && copy.unpack != Some(false) {
                let file = tree.file(found.path.as_bytes()).map_err(StepError::io(format!("read `{source}`")))?;
                if let Some(piece) = self.unpacked(file, source)? {
                    pieces.push(piece);
                    continue;
                }
            }
            let subfolder = if copy.keeps_parents { subfolder(source, &found) } else { String::new() };
            pieces.push(Piece::Files { tree: Arc::clone(&tree), found, subfolder });
        }
        Ok(())
    }

    fn download(&self, copy: &Copy, url: &str, report: &Report<'_>) -> Result<Download, StepError> {
        let file = self.build.with.store.blobs().spool()?;
        let download = fetch::fetch(url, &self.build.request.pull_options.access, file)?;
        self.note(report, &format!("{} bytes from {url}", download.size));
        self.build.note(url, Some(("sha256", download.digest.hex())));
        if let Some(wanted) = &copy.checksum {
            let wanted = self.expand(wanted)?;
            if wanted != download.digest.to_string() {
                let digest = &download.digest;
                return Err(StepError::Refused(format!("ADD `{url}`: the digest is `{digest}`, not `{wanted}`")));
            }
        }
        Ok(download)
    }

    /// Unpacks an archive beside the store's layers; `None` if the file is none.
    fn unpacked(&self, mut file: File, name: &str) -> Result<Option<Piece>, StepError> {
        let read = |source| StepError::Io { act: format!("unpack `{name}`"), source };
        let Some(packing) = Packing::of(&mut file).map_err(read)? else { return Ok(None) };
        let staging = self.build.with.store.layer_directories().stage(self.build.lease.name())?;
        let plain = packing.reader(BufReader::new(file)).map_err(read)?;
        let mut archive = Reader::new(BufReader::with_capacity(128 * 1024, plain));
        unpack(&mut archive, staging.root()?, &|| Ok(Below::Nothing))
            .map_err(|error| read(std::io::Error::other(error.to_string())))?;
        let tree = Tree::whole(open_root(&staging.path().join("fs")).map_err(read)?);
        let found = tree.find("", &Ignore::default()).map_err(read)?.remove(0);
        Ok(Some(Piece::Unpacked { tree, found, _staging: staging }))
    }
}

fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Scratch => "the build context (perhaps `.dockerignore` leaves it out)".to_owned(),
        Origin::Stage(at) => format!("stage {at}"),
        Origin::Image(name) => format!("image `{name}`"),
        Origin::Named(name) => format!("context `{name}`"),
    }
}

/// Returns the folders of a source that `--parents` keeps: those after `/./`, else all.
fn subfolder(source: &str, found: &Found) -> String {
    let skipped = source.split_once("/./").map_or(0, |(before, _)| path::below_root(before).split('/').count());
    let parts: Vec<&str> = found.name.split('/').skip(skipped).collect();
    let kept = if found.is_directory() { &parts[..] } else { &parts[..parts.len().saturating_sub(1)] };
    kept.join("/")
}

impl Plan<'_> {
    fn key(&self, chain: &str) -> Result<Digest, StepError> {
        let owner = self.changes.owner.map(|(uid, gid)| format!("{uid}:{gid}")).unwrap_or_default();
        let mode = self.changes.mode.as_ref().map(|mode| format!("{mode:?}")).unwrap_or_default();
        let mut key = Key::new("copy").texts([chain, &self.destination, &owner, &mode]);
        key = key.texts([self.is_folder.to_string().as_str(), &self.copy.keeps_parents.to_string()]);
        for piece in &self.pieces {
            key = match piece {
                Piece::Files { tree, found, subfolder } => {
                    let digest = tree.digest(found).map_err(StepError::io(format!("read `{}`", found.name)))?;
                    let name = if found.is_directory() { "" } else { path::last(&found.name) };
                    key.texts(["files", digest.as_str(), name, subfolder])
                }
                Piece::Unpacked { tree, found, .. } => {
                    let digest = tree.digest(found).map_err(StepError::io("read what was unpacked"))?;
                    key.texts(["unpacked", digest.as_str()])
                }
                Piece::Inline { name, content } => key.texts(["inline", name, content]),
                Piece::Download(download) => key.texts(["download", download.digest.as_str(), &download.name]),
                Piece::Checkout(checkout) => key.text("git").texts(checkout.key().iter().map(String::as_str)),
            };
        }
        Ok(key.finish())
    }

    fn carry_out(&self, target: Target, upper: OwnedFd) -> Result<(), StepError> {
        let Some((last, others)) = self.pieces.split_last() else { return Ok(()) };
        others.iter().try_for_each(|piece| self.place(&target, piece))?;
        self.place(&target.last(upper), last)
    }

    fn place(&self, target: &Target, piece: &Piece) -> Result<(), StepError> {
        let to = format!("/{}", self.destination);
        match piece {
            Piece::Files { tree, found, subfolder } => {
                let folder = path::below_root(&format!("{}/{subfolder}", self.destination));
                let to_folder = (self.is_folder || self.copy.keeps_parents) && !found.is_directory();
                let destination = if to_folder { Destination::Into(&folder) } else { Destination::At(&folder) };
                let act = format!("copy `{}` to `{to}`", found.name);
                target.copy(tree, found, destination, &self.changes).map_err(StepError::io(act))
            }
            Piece::Unpacked { tree, found, .. } => {
                let folder = Destination::At(&self.destination);
                target.copy(tree, found, folder, &self.changes).map_err(StepError::io(format!("unpack to `{to}`")))
            }
            Piece::Checkout(checkout) => checkout.place(target, &self.destination, &self.changes),
            Piece::Inline { name, content } => {
                let now = jiff::Timestamp::now();
                let mtime = Timestamp { seconds: now.as_second(), nanoseconds: 0 };
                self.write(target, name, &mut content.as_bytes(), 0o644, mtime)
            }
            Piece::Download(download) => {
                let mtime = Timestamp { seconds: download.modified, nanoseconds: 0 };
                let mut file = download.file.try_clone().map_err(StepError::io("read the download"))?;
                file.seek(SeekFrom::Start(0)).map_err(StepError::io("read the download"))?;
                self.write(target, &download.name, &mut file, 0o600, mtime)
            }
        }
    }

    /// Writes one file that no tree has.
    fn write(
        &self,
        target: &Target,
        name: &str,
        content: &mut dyn Read,
        mode: u32,
        mtime: Timestamp,
    ) -> Result<(), StepError> {
        let into_folder = self.is_folder || target.is_folder(&self.destination);
        let to = if into_folder { format!("{}/{name}", self.destination) } else { self.destination.clone() };
        if into_folder && name.is_empty() {
            let why = "the URL has no file name: give the destination one";
            return Err(Problem::arguments("ADD", why).into());
        }
        let (uid, gid) = self.changes.owner.unwrap_or((0, 0));
        let mode = self.changes.mode.as_ref().map_or(mode, |change| change.apply(mode, false));
        let like = Attributes { uid, gid, mode, mtime, xattrs: &[] };
        target.write(to.trim_start_matches('/'), content, &like).map_err(StepError::io(format!("write `/{to}`")))
    }
}

/// Copies what was found into a directory of its own, for a RUN to be mounted; returns the name it has there.
pub(crate) fn copy_aside(tree: &Tree, found: &Found, staging: &Staging) -> Result<std::path::PathBuf, StepError> {
    let root = staging.root()?;
    let copied = Target::new(root).copy(tree, found, Destination::At("mounted"), &Changes::default());
    copied.map_err(StepError::io(format!("copy `{}` for a mount", found.name)))?;
    Ok(staging.path().join("fs").join("mounted"))
}
