//! RUN.
//!
//! Runs in the shell command's process, in a stage's thread; the command itself runs in a container of the engine's. Secrets
//! and agents reach that container only: neither they nor what is in them are part of a key, a layer, a record or the
//! history.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::copying::copy_aside;
use super::error::{BuildError, FailedRun, StepError};
use super::fault::Problem;
use super::graph::Origin;
use super::ignore::Ignore;
use super::instruction::{Command, Run, Step};
use super::key::Key;
use super::layer::tidy;
use super::mount::{Kind, MountSpec, Sharing};
use super::path;
use super::place::remove_mount_points;
use super::request::Secret;
use super::runner::{RunStep, StepMount, StepMountKind, StepNetwork, StepProcess};
use super::session::Report;
use super::stage::{Stage, failure};
use super::tree::{Found, Tree, open_root};
use crate::platform::Platform;
use crate::store::{Staging, files};

/// How much of a failed command's output the error has, in bytes.
const LONGEST_TAIL: usize = 4096;

/// Paths that every container has mounted, whether the image has them or not.
const USUAL_MOUNTS: [&str; 6] = ["proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Argument by which a build has caches of its own (Dockerfile reference, "BuildKit built-in build args").
const CACHE_NAMESPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// Permissions of a cache's directory, of a secret, and of a script, unless something else is said.
const CACHE_MODE: u32 = 0o755;
const SECRET_MODE: u32 = 0o400;
const SCRIPT_MODE: u32 = 0o755;

/// What a RUN needs besides its command.
#[derive(Default)]
struct Prepared {
    mounts: Vec<StepMount>,
    /// Variables that are no part of the key.
    env: Vec<String>,
    /// What of the mounts counts for the key.
    key: Vec<String>,
    /// Kept until the command has ended.
    held: Vec<Held>,
}

/// What a mount needs to stay.
enum Held {
    Directory { _staging: Staging },
    Lock { _lock: Flock<fs::File> },
}

impl Stage<'_, '_> {
    /// Carries out a RUN; returns whether the cache had the result.
    pub(crate) fn run_command(&mut self, step: &Step, run: &Run, report: &Report<'_>) -> Result<bool, BuildError> {
        let mut failed: Option<FailedRun> = None;
        let result = self.try_run(step, run, report, &mut failed);
        match (result, failed) {
            (_, Some(_)) if self.build.is_cancelled() => Err(BuildError::Cancelled),
            (_, Some(failed)) => Err(BuildError::Failed(Box::new(failed))),
            (Err(_), None) if self.build.is_cancelled() => Err(BuildError::Cancelled),
            (Err(source), None) => Err(failure(self.build, step.line, &step.text, source)),
            (Ok(is_cached), None) => Ok(is_cached),
        }
    }

    fn try_run(
        &mut self,
        step: &Step,
        run: &Run,
        report: &Report<'_>,
        failed: &mut Option<FailedRun>,
    ) -> Result<bool, StepError> {
        let (args, script) = self.command(run);
        let mut prepared = Prepared::default();
        for text in &run.mounts {
            let spec = MountSpec::parse(&self.expand(text)?, &self.state.config.working_dir())?;
            self.prepare(&mut prepared, spec, text)?;
        }
        if let Some((name, content)) = script {
            prepared.add_script(&name, &content);
        }
        let is_set = |name: &str| self.state.config.variable(name).is_some();
        let arguments = self.state.scope.pairs(&is_set);
        let network = self.network(run)?;
        let is_privileged = run.security.as_deref() == Some("insecure");
        if is_privileged && !self.build.request.allowed.insecure {
            return Err(not_allowed("security.insecure"));
        }
        let title = created_by(&args, &arguments);
        let key = Key::new("run").text(&self.state.chain());
        let key = key.texts(args.iter().map(String::as_str)).texts(arguments.iter().map(String::as_str));
        let environment = self.state.config.environment();
        let key = key.texts(environment.iter().map(String::as_str));
        let (working_dir, user) = (self.state.config.working_dir(), self.state.config.user());
        let key = key.texts([working_dir.as_str(), &user, &format!("{network:?}"), &is_privileged.to_string()]);
        let key = key.texts(self.build.request.run.hostname.iter().map(String::as_str));
        let key = key.texts(prepared.key.iter().map(String::as_str)).finish();

        let mut env = self.state.scope.undeclared(&self.build.globals);
        env.extend(arguments);
        env.extend(environment);
        env.extend(prepared.env.iter().cloned());
        let process = |lowers| StepProcess {
            lowers,
            root: self.state.root(),
            args: args.clone(),
            env: env.clone(),
            working_dir: working_dir.clone(),
            user: user.clone(),
            title: step.text.lines().next().unwrap_or_default().to_owned(),
        };
        let outcome = self.change(key, &title, &mut |staging| {
            let process = process(self.lowers(staging)?);
            let mut tail = Tail::default();
            let code = self.execute(&process, &prepared, (network.clone(), is_privileged), staging, &mut |bytes| {
                tail.push(bytes);
                report.output(bytes);
            })?;
            if code == 0 {
                return self.clean(&prepared, staging);
            }
            *failed = Some(FailedRun {
                place: self.place(step.line),
                step: step.text.clone(),
                command: args.join(" "),
                exit_code: code,
                output: tail.bytes,
                process,
            });
            Err(StepError::Refused(format!("exit code: {code}")))
        })?;
        Ok(self.finish(outcome, &title))
    }

    fn place(&self, line: usize) -> String {
        if line == 0 {
            "ONBUILD of the base image".to_owned()
        } else {
            format!("{}:{line}", self.build.request.file_name)
        }
    }

    /// Returns the layers to run on: at least one, for overlayfs.
    fn lowers(&self, staging: &Staging) -> Result<Vec<PathBuf>, StepError> {
        let mut lowers = self.state.lowers();
        if lowers.is_empty() {
            let empty = staging.path().join("empty");
            fs::create_dir(&empty).map_err(StepError::io("make an empty root"))?;
            lowers.push(empty);
        }
        Ok(lowers)
    }

    fn execute(
        &self,
        process: &StepProcess,
        prepared: &Prepared,
        (network, is_privileged): (StepNetwork, bool),
        staging: &Staging,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<i32, StepError> {
        let changes = staging.path().join("fs");
        // The runner moves its own directory here.
        fs::remove_dir(&changes).map_err(StepError::io("make room for the step's changes"))?;
        let step = RunStep {
            process: process.clone(),
            mounts: prepared.mounts.clone(),
            network,
            is_privileged,
            options: &self.build.request.run,
            changes: &changes,
            cancelled: self.build.with.cancelled,
        };
        self.build.with.runner.run(&step, output).map_err(|error| self.explain(error))
    }

    /// Says why programs of another platform do not run, when that is why.
    fn explain(&self, error: Box<dyn std::error::Error + Send + Sync>) -> StepError {
        let (platform, host) = (&self.state.config.platform, Platform::host());
        let is_foreign = platform.os != host.os || platform.architecture != host.architecture;
        match is_foreign {
            true => StepError::Refused(format!(
                "this host runs programs for {host} and none for {platform}, which is not emulated: {error}"
            )),
            false => StepError::Runner(error),
        }
    }

    /// Takes mount points out of the step's changes that were made for it alone.
    fn clean(&self, prepared: &Prepared, staging: &Staging) -> Result<(), StepError> {
        let targets = prepared.mounts.iter().map(|mount| path::below_root(&mount.target));
        let mut points: Vec<String> = Vec::new();
        for target in USUAL_MOUNTS.into_iter().map(str::to_owned).chain(targets) {
            points.extend(target.match_indices('/').map(|(at, _)| target[..at].to_owned()));
            points.push(target);
        }
        points.sort();
        points.dedup();
        let failed = |source| StepError::Io { act: "tidy up after the step".to_owned(), source };
        let upper = open_root(&staging.path().join("fs")).map_err(failed)?;
        remove_mount_points(&upper, &points, &|| self.build.joined(&self.state))?;
        tidy(staging)
    }

    /// Returns the program and its arguments, and a script to put at its place: a here-document that names its interpreter.
    fn command(&self, run: &Run) -> (Vec<String>, Option<(String, String)>) {
        let config = &self.state.config;
        let Command::Shell(line) = &run.command else { return (config.argv(&run.command), None) };
        match &run.heredocs[..] {
            [] => (config.argv(&run.command), None),
            [only] if is_mark_alone(line) => match only.content.starts_with("#!") {
                true => (vec![format!("/dev/pipes/{}", only.name)], Some((only.name.clone(), only.content.clone()))),
                false => (config.argv(&Command::Shell(only.content.clone())), None),
            },
            // The shell reads here-documents itself.
            all => {
                let documents = all.iter().map(|heredoc| format!("\n{}{}", heredoc.content, heredoc.name));
                (config.argv(&Command::Shell(line.clone() + &documents.collect::<String>())), None)
            }
        }
    }

    fn network(&self, run: &Run) -> Result<StepNetwork, StepError> {
        let network = match run.network.as_deref() {
            Some("none") => StepNetwork::None,
            Some("host") => StepNetwork::Host,
            _ => return Ok(self.build.request.run.network.clone()),
        };
        if network == StepNetwork::Host && !self.build.request.allowed.host_network {
            return Err(not_allowed("network.host"));
        }
        Ok(network)
    }

    fn prepare(&self, prepared: &mut Prepared, spec: MountSpec, text: &str) -> Result<(), StepError> {
        match spec.kind {
            Kind::Bind => self.bind(prepared, &spec),
            Kind::Cache => self.cache(prepared, &spec, text),
            Kind::Tmpfs => {
                prepared.key.push(format!("tmpfs {} {:?}", spec.target, spec.size));
                prepared.add(spec.target, spec.is_read_only, StepMountKind::Tmpfs(spec.size));
                Ok(())
            }
            Kind::Secret => self.secret(prepared, spec),
            Kind::Ssh => self.agent(prepared, spec),
        }
    }

    /// Finds what a mount shows of a stage, an image or a context.
    fn find(&self, spec: &MountSpec) -> Result<(std::sync::Arc<Tree>, Found, Origin), StepError> {
        let origin = self.origin(spec.from.as_ref())?;
        let tree =
            self.build.tree(&origin)?.ok_or_else(|| StepError::Refused("a stage it needs has failed".to_owned()))?;
        let read = format!("read `{}`", spec.source);
        // A name, not a pattern.
        let found = tree.find_one(&spec.source, &Ignore::default()).map_err(StepError::io(read))?;
        let missing = || StepError::NoSource { path: spec.source.clone(), place: "what is to be mounted".to_owned() };
        Ok((tree, found.ok_or_else(missing)?, origin))
    }

    fn bind(&self, prepared: &mut Prepared, spec: &MountSpec) -> Result<(), StepError> {
        let (tree, found, origin) = self.find(spec)?;
        let digest = tree.digest(&found).map_err(StepError::io(format!("read `{}`", spec.source)))?;
        prepared.key.push(format!("bind {} {digest} {}", spec.target, spec.is_read_only));
        let is_folder_of_host =
            matches!(&origin, Origin::Scratch | Origin::Named(_)) && self.build.request.context.is_some();
        let place =
            if is_folder_of_host && spec.is_read_only && !tree.is_filtered() { tree.place().ok() } else { None };
        let source = match place.filter(|place| place.as_os_str() != "/") {
            Some(place) => place.join(&found.path),
            None => {
                let staging = self.build.with.store.layer_directories().stage(self.build.lease.name())?;
                let copied = copy_aside(&tree, &found, &staging)?;
                prepared.held.push(Held::Directory { _staging: staging });
                copied
            }
        };
        prepared.add(spec.target.clone(), spec.is_read_only, StepMountKind::Bind(source));
        Ok(())
    }

    fn cache(&self, prepared: &mut Prepared, spec: &MountSpec, text: &str) -> Result<(), StepError> {
        prepared.key.push(format!("cache {text}"));
        let id = spec.id.clone().unwrap_or_else(|| spec.target.clone());
        let own = self.build.request.arguments.get(CACHE_NAMESPACE);
        let id = own.map_or(id.clone(), |namespace| format!("{namespace}/{id}"));
        let (directory, lock) = self.claim_mount(&id, spec.sharing)?;
        prepared.held.push(Held::Lock { _lock: lock });
        let files = directory.join("fs");
        if !files.exists() {
            self.seed(spec, &directory).map_err(|error| match error {
                StepError::Io { source, .. } => StepError::Io { act: format!("make the cache `{id}`"), source },
                other => other,
            })?;
        }
        prepared.add(spec.target.clone(), spec.is_read_only, StepMountKind::Bind(files));
        Ok(())
    }

    /// Locks a cache's directory as its sharing says.
    fn claim_mount(&self, id: &str, sharing: Sharing) -> Result<(PathBuf, Flock<fs::File>), StepError> {
        let mode = match sharing {
            Sharing::Shared => FlockArg::LockShared,
            Sharing::Locked => FlockArg::LockExclusive,
            Sharing::Private => FlockArg::LockExclusiveNonblock,
        };
        for number in 0.. {
            let directory = self.build.with.cache.mount(id, number)?;
            let file = files::open_lock_file(&directory.join("lock"))?;
            match Flock::lock(file, mode) {
                Ok(lock) => return Ok((directory, lock)),
                Err((_, Errno::EWOULDBLOCK)) => {}
                Err((_, errno)) => return Err(StepError::io(format!("lock the cache `{id}`"))(errno.into())),
            }
        }
        Err(StepError::Refused(format!("every copy of the cache `{id}` is in use")))
    }

    /// Makes a cache's directory, filled from where the mount says; it appears by rename.
    fn seed(&self, spec: &MountSpec, directory: &std::path::Path) -> Result<(), StepError> {
        let making = |source: io::Error| StepError::Io { act: "make the cache".to_owned(), source };
        let new = directory.join(format!(".new-{}", files::random_name()));
        let mut staging = None;
        if spec.from.is_some() {
            let (tree, found, _) = self.find(spec)?;
            let own = self.build.with.store.layer_directories().stage(self.build.lease.name())?;
            fs::rename(copy_aside(&tree, &found, &own)?, &new).map_err(making)?;
            staging = Some(own);
        } else {
            fs::create_dir(&new).map_err(making)?;
        }
        drop(staging);
        chown(&new, Some(spec.uid), Some(spec.gid)).map_err(making)?;
        let mode = fs::Permissions::from_mode(spec.mode.unwrap_or(CACHE_MODE));
        fs::set_permissions(&new, mode).map_err(making)?;
        match fs::rename(&new, directory.join("fs")) {
            // Somebody else, who shares it, was faster.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::ENOTEMPTY)) => {
                fs::remove_dir_all(&new).map_err(making)
            }
            result => result.map_err(making),
        }
    }

    fn secret(&self, prepared: &mut Prepared, spec: MountSpec) -> Result<(), StepError> {
        let id = spec.id.unwrap_or_default();
        prepared.key.push(format!("secret {id} {} {:?}", spec.target, spec.variable));
        let content = match self.build.request.secrets.get(&id) {
            Some(Secret::Value(value)) => value.clone(),
            Some(Secret::File(path)) => fs::read(path).map_err(StepError::io(format!("read secret `{id}`")))?,
            None if spec.is_required => {
                return Err(
                    Problem::flag("RUN", "mount", format!("secret `{id}` is required and was not given")).into()
                );
            }
            None => return Ok(()),
        };
        if let Some(name) = spec.variable {
            prepared.env.push(format!("{name}={}", String::from_utf8_lossy(&content)));
        }
        if !spec.target.is_empty() {
            let (mode, owner) = (spec.mode.unwrap_or(SECRET_MODE), (spec.uid, spec.gid));
            prepared.add(spec.target, true, StepMountKind::Secret { content, mode, owner });
        }
        Ok(())
    }

    fn agent(&self, prepared: &mut Prepared, spec: MountSpec) -> Result<(), StepError> {
        let id = spec.id.unwrap_or_else(|| "default".to_owned());
        if spec.mode.is_some() || (spec.uid, spec.gid) != (0, 0) {
            let why = "an agent's socket keeps its own owner and mode: `mode`, `uid` and `gid` are not supported";
            return Err(Problem::flag("RUN", "mount", why).into());
        }
        let number = prepared.env.iter().filter(|pair| pair.starts_with("SSH_AUTH_SOCK=")).count();
        let target = if spec.target.is_empty() { format!("/run/buildkit/ssh_agent.{number}") } else { spec.target };
        prepared.key.push(format!("ssh {id} {target}"));
        match self.build.request.agents.get(&id) {
            Some(socket) => {
                if number == 0 {
                    prepared.env.push(format!("SSH_AUTH_SOCK={target}"));
                }
                prepared.add(target, false, StepMountKind::Bind(socket.clone()));
                Ok(())
            }
            None if spec.is_required => {
                Err(Problem::flag("RUN", "mount", format!("agent `{id}` is required and was not given (--ssh)")).into())
            }
            None => Ok(()),
        }
    }
}

impl Prepared {
    fn add(&mut self, target: String, is_read_only: bool, kind: StepMountKind) {
        self.mounts.push(StepMount { target, is_read_only, kind });
    }

    /// Puts a script where only this step sees it; it is in the key through the command.
    fn add_script(&mut self, name: &str, content: &str) {
        self.key.push(content.to_owned());
        let kind = StepMountKind::Secret { content: content.as_bytes().to_vec(), mode: SCRIPT_MODE, owner: (0, 0) };
        self.add(format!("/dev/pipes/{name}"), true, kind);
    }
}

/// The end of what was written.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let surplus = self.bytes.len().saturating_sub(LONGEST_TAIL);
        self.bytes.drain(..surplus);
    }
}

fn not_allowed(what: &str) -> StepError {
    StepError::Refused(format!("it needs `--allow {what}`"))
}

/// Tells whether a command line is nothing but `<<NAME`.
fn is_mark_alone(line: &str) -> bool {
    !line.trim().contains(char::is_whitespace)
        || super::lexer::heredoc_marks(line, '\\').len() == 1 && {
            let (_, name) = line.trim().split_once("<<").unwrap_or_default();
            line.trim().starts_with("<<") && name.trim_matches(['-', '\'', '"', ' ']).split_whitespace().count() == 1
        }
}

/// Returns what the history says: `RUN |1 A=b /bin/sh -c …`, arguments first as Docker has them.
fn created_by(args: &[String], arguments: &[String]) -> String {
    let command = args.join(" ");
    match arguments.is_empty() {
        true => format!("RUN {command}"),
        false => format!("RUN |{} {} {command}", arguments.len(), arguments.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_output_is_kept() {
        let mut tail = Tail::default();
        tail.push(&[b'a'; LONGEST_TAIL]);
        tail.push(b"end");
        assert_eq!((tail.bytes.len(), &tail.bytes[LONGEST_TAIL - 3..]), (LONGEST_TAIL, &b"end"[..]));
    }

    #[test]
    fn a_mark_alone_is_the_script_itself() {
        for (line, expected) in [("<<EOF", true), ("<<-EOF", true), ("cat <<EOF", false), ("<<EOF cat", false)] {
            assert_eq!(is_mark_alone(line), expected, "{line}");
        }
    }
}
