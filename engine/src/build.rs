//! Steps of a build: each RUN in a container of its own, on the layers so far, with the rights of any other container.
//!
//! Runs in the command. A session holds a lock; the containers of a session whose lock is free belong to a build that was
//! killed, and the next command removes them. Secrets are files of the run directory, which is memory, and of this session
//! alone.

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lighter_images::build::{RunStep, StepMount, StepMountKind, StepNetwork, StepRunner};

use crate::durable::{self, FileError};
use crate::spec::{
    Attachment, BindPropagation, ContainerSpec, ImageSource, LayerStack, LogDriver, LogOptions, Mount, MountKind,
    NetworkMode, Ulimit,
};
use crate::{Container, DEFAULT_NETWORK, Engine, Frame, Lock, RemoveError, RemoveOptions, StartOptions};

/// Label with the session that a step's container belongs to.
const SESSION: &str = "io.lighter.build";

/// Beginning of the names of steps' containers.
const NAME: &str = "lighter-build-";

/// Host name of steps, as BuildKit's: one that is another each time would come to be in files.
const HOSTNAME: &str = "buildkitsandbox";

/// How often it is looked whether a build is given up.
const LOOK: Duration = Duration::from_millis(100);

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
#[error("begin a build")]
pub struct BuildSessionError(#[from] FileError);

/// A build's right to run steps.
#[derive(Debug)]
pub struct BuildSession {
    engine: Engine,
    id: String,
    /// Files of this session; in memory.
    directory: PathBuf,
    files: AtomicU32,
    lock: Option<Lock>,
}

impl Engine {
    /// Begins a build, after removing what killed ones have left.
    ///
    /// # Errors
    /// [`BuildSessionError`] if the lock or the directory cannot be made.
    pub fn begin_build(&self) -> Result<BuildSession, BuildSessionError> {
        self.recover_builds();
        let id = crate::random_name()[..16].to_owned();
        let lock = Lock::take(&self.layout().lock(&lock_name(&id)))?;
        let directory = self.sessions().join(&id);
        durable::create_dir(&directory)?;
        Ok(BuildSession { engine: self.clone(), id, directory, files: AtomicU32::new(0), lock: Some(lock) })
    }

    fn sessions(&self) -> PathBuf {
        self.layout().run().join("build")
    }

    /// Removes the containers and files of builds that were killed; what cannot be removed waits for the next command.
    pub(crate) fn recover_builds(&self) {
        for entry in fs::read_dir(self.sessions()).into_iter().flatten().flatten() {
            let session = entry.file_name().to_string_lossy().into_owned();
            let lock = self.layout().lock(&lock_name(&session));
            if let Ok(Some(_lock)) = Lock::try_take(&lock)
                && self.remove_containers_of(&session).is_ok()
            {
                let _ = fs::remove_dir_all(entry.path());
                let _ = fs::remove_file(&lock);
            }
        }
    }

    fn remove_containers_of(&self, session: &str) -> Result<(), RemoveError> {
        let names = fs::read_dir(self.layout().names()).into_iter().flatten().flatten();
        let names =
            names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with(NAME));
        let containers = names.filter_map(|name| self.find_whole(&name).ok());
        for container in containers.filter(|container| container.label(SESSION) == Some(session)) {
            self.remove(&container, RemoveOptions { force: true, volumes: true })?;
        }
        Ok(())
    }
}

fn lock_name(session: &str) -> String {
    format!("build-{session}")
}

impl Drop for BuildSession {
    fn drop(&mut self) {
        // else the next command's recovery does it
        if self.engine.remove_containers_of(&self.id).is_ok() {
            let _ = fs::remove_dir_all(&self.directory);
            let _ = fs::remove_file(self.engine.layout().lock(&lock_name(&self.id)));
        }
        self.lock = None;
    }
}

impl StepRunner for BuildSession {
    fn run(&self, step: &RunStep<'_>, output: &mut dyn FnMut(&[u8])) -> Result<i32, Box<dyn Error + Send + Sync>> {
        let container = self.engine.create_ephemeral(self.specification(step)?)?;
        let result = self.run_in(&container, step, output);
        let removed = self.engine.remove(&container, RemoveOptions { force: true, volumes: true });
        if result.is_err() {
            let _ = fs::remove_dir_all(step.changes);
        }
        let code = result?;
        removed?;
        Ok(code)
    }
}

impl BuildSession {
    fn specification(&self, step: &RunStep<'_>) -> Result<ContainerSpec, Box<dyn Error + Send + Sync>> {
        let process = &step.process;
        let name = format!("{NAME}{}", &crate::random_name()[..12]);
        let image = ImageSource { reference: process.title.clone(), id: String::new() };
        let mut spec = ContainerSpec::new(name, image, process.args.clone());
        spec.layers =
            Some(LayerStack { lowers: process.lowers.clone(), root: process.root.clone(), is_volatile: true });
        spec.env = process.env.clone();
        spec.working_dir = process.working_dir.clone();
        spec.user = process.user.clone();
        spec.labels.insert(SESSION.to_owned(), self.id.clone());
        spec.log = LogOptions { driver: LogDriver::None, ..LogOptions::default() };
        spec.network = self.network(&step.network)?;
        spec.mounts = step.mounts.iter().map(|mount| self.mount(mount)).collect::<io::Result<_>>()?;
        spec.isolation.privileged = step.is_privileged;
        let ulimit = |(name, soft, hard): &(String, u64, u64)| Ulimit { name: name.clone(), soft: *soft, hard: *hard };
        spec.isolation.ulimits = step.options.ulimits.iter().map(ulimit).collect();
        spec.hostname = Some(step.options.hostname.clone().unwrap_or_else(|| HOSTNAME.to_owned()));
        spec.extra_hosts = step.options.extra_hosts.clone();
        spec.shm_size = step.options.shm_size.unwrap_or(spec.shm_size);
        spec.resources.memory = step.options.memory;
        spec.cgroup_parent = step.options.cgroup_parent.clone();
        Ok(spec)
    }

    fn network(&self, network: &StepNetwork) -> Result<NetworkMode, Box<dyn Error + Send + Sync>> {
        let name = match network {
            StepNetwork::None => return Ok(NetworkMode::None),
            StepNetwork::Host => return Ok(NetworkMode::Host),
            StepNetwork::Named(name) => name.clone(),
            StepNetwork::Default => {
                self.engine.ensure_default_network()?;
                DEFAULT_NETWORK.to_owned()
            }
        };
        Ok(NetworkMode::Bridge(vec![Attachment::to(name)]))
    }

    fn mount(&self, mount: &StepMount) -> io::Result<Mount> {
        let bind = |source| MountKind::Bind { source, create: false, propagation: BindPropagation::default() };
        let kind = match &mount.kind {
            StepMountKind::Bind(source) => bind(source.clone()),
            StepMountKind::Tmpfs(size) => MountKind::Tmpfs { size: *size, mode: None, options: Vec::new() },
            StepMountKind::Secret { content, mode, owner } => bind(self.file(content, *mode, *owner)?),
        };
        Ok(Mount { target: mount.target.clone(), read_only: mount.is_read_only, kind })
    }

    fn file(&self, content: &[u8], mode: u32, (uid, gid): (u32, u32)) -> io::Result<PathBuf> {
        let path = self.directory.join(self.files.fetch_add(1, Ordering::Relaxed).to_string());
        fs::write(&path, content)?;
        chown(&path, Some(uid), Some(gid))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// Runs the container to its end and moves its writable layer to where the step's changes go.
    fn run_in(
        &self,
        container: &Container,
        step: &RunStep<'_>,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<i32, Box<dyn Error + Send + Sync>> {
        let started = self.engine.start(container, StartOptions { attach: true, terminal: None })?;
        for warning in &started.warnings {
            output(format!("{warning}\n").as_bytes());
        }
        let ended = Ended::default();
        thread::scope(|scope| {
            let watching = scope.spawn(|| self.kill_if_cancelled(container, step, &ended));
            let result = started.attached.map_or(Ok(()), |client| copy_output(client, output));
            ended.set();
            let _ = watching.join();
            result
        })?;
        let code = match self.engine.wait(container, None)? {
            Some(code) => code,
            None => return Err("the container has not ended".into()),
        };
        if step.cancelled.load(Ordering::SeqCst) {
            return Err("the build was cancelled".into());
        }
        move_changes(&container.paths().upper(), step.changes)?;
        Ok(code)
    }

    fn kill_if_cancelled(&self, container: &Container, step: &RunStep<'_>, ended: &Ended) {
        while !ended.wait(LOOK) {
            if step.cancelled.load(Ordering::SeqCst) {
                // one that has just ended cannot be killed, and need not
                let _ = self.engine.kill(container, libc::SIGKILL);
                return;
            }
        }
    }
}

fn copy_output(mut client: crate::AttachClient, output: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    while let Some(frame) = client.receive()? {
        if let Frame::Output(_, bytes) = frame {
            output(&bytes);
        }
    }
    Ok(())
}

fn move_changes(upper: &Path, changes: &Path) -> Result<(), FileError> {
    fs::rename(upper, changes).map_err(FileError::io("take over the changes in", upper))
}

/// Says that the output has ended.
#[derive(Default)]
struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    fn set(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for so long; returns whether it has ended.
    fn wait(&self, limit: Duration) -> bool {
        let flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(flag, limit, |ended| !*ended);
        let (flag, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *flag
    }
}
