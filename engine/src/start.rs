//! Starting a container: the command's side. The work is done by the monitor.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use crate::durable::FileError;
use crate::living::Living;
use crate::monitor::restart;
use crate::runtime::trace;
use crate::spawn::{self, LaunchRecord, Reply, SpawnError, Task};
use crate::state::{State, Status};
use crate::{AttachClient, Container, Engine, RemoveOptions, durable, spawner};

/// How a start shall go.
#[derive(Debug, Clone, Copy, Default)]
pub struct StartOptions {
    /// Be attached from the first byte of output on.
    pub attach: bool,
    /// Rows and columns that its terminal has from the beginning, if it has one; `None` = 24 and 80.
    pub terminal: Option<(u16, u16)>,
}

/// A container that was started.
#[derive(Debug)]
pub struct Started {
    /// The connection, if one was asked for and the container was not running already.
    pub attached: Option<AttachClient>,
    /// What could not be applied in full, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something on the way failed; all of it was undone.
    #[error("start `{name}`: {message}")]
    Launch {
        /// The container.
        name: String,
        /// What failed, on what, why.
        message: String,
        /// 127 command not found, 126 cannot be invoked, 125 the rest: docker-run(1).
        exit_code: i32,
        /// The port of the host that could not be published, if that is why.
        port: Option<u16>,
    },
    /// No monitor.
    #[error("start `{name}`")]
    Monitor {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: SpawnError,
    },
    /// It is paused.
    #[error("container `{0}` is paused: unpause it instead")]
    Paused(String),
    /// What an earlier run left could not be removed.
    #[error(transparent)]
    Leftovers(#[from] crate::RemoveError),
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl StartError {
    /// Returns the exit code of `run`: 127 command not found, 126 cannot be invoked, 125 the rest.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Launch { exit_code, .. } => *exit_code,
            _ => 125,
        }
    }
}

impl Engine {
    /// Starts a container and returns when it runs and its post_start hooks are done. One that runs already stays as it is.
    ///
    /// A hook that fails is an error, and the container goes on. Nobody who is attached waits for them: then the container's
    /// record says what failed.
    pub fn start(&self, container: &Container, options: StartOptions) -> Result<Started, StartError> {
        let name = &container.spec.name;
        let lock = self.lock_container(&container.id)?;
        let state = self.load_state(&container.id)?;
        match state.status {
            Status::Paused => return Err(StartError::Paused(name.clone())),
            Status::Running => return Ok(Started { attached: None, warnings: Vec::new() }),
            Status::Restarting if state.has_monitor() => {
                return Ok(Started { attached: None, warnings: Vec::new() });
            }
            _ => {}
        }
        if self.has_leftovers(&container.id) {
            self.settle(&container.id)?;
        }
        durable::remove_file(&container.paths.stop_request())?;
        let (ours, theirs) = if options.attach {
            let (ours, theirs) = UnixStream::pair().map_err(|error| monitor_error(name)(SpawnError::Spawn(error)))?;
            (Some(ours), Some(theirs))
        } else {
            (None, None)
        };
        let record = LaunchRecord {
            terminal: options.terminal,
            ..self.launch_record(&container.id, Task::Start, options.attach)
        };
        let reply = spawn::monitor(&record, theirs, Some(lock)).map_err(|error| {
            // made with the network, and nobody's without a monitor
            let _ = self.net.teardown_if_unused();
            monitor_error(name)(error)
        })?;
        match reply {
            Reply::Begun => Ok(Started { attached: None, warnings: Vec::new() }), // never the last one
            Reply::Started { warnings } => Ok(Started { attached: ours.map(AttachClient::new), warnings }),
            Reply::Failed { exit_code, message, port } => {
                if container.spec.auto_remove {
                    // it has ended without beginning; what cannot be deleted now stays visible
                    let _ = self.remove(container, RemoveOptions { force: false, volumes: true });
                }
                Err(StartError::Launch { name: name.clone(), message, exit_code, port })
            }
        }
    }

    /// Begins what a start needs, while the caller makes the container. For who starts one within a second.
    pub fn prepare_start(&self) {
        spawner::prepare();
    }

    /// Gives every container whose monitor has died another one, so that its output, health and end are seen again.
    ///
    /// Containers that died with their monitor, or with the host, become exited ones and leave nothing behind.
    ///
    /// Returns why one or the other could not be put right: that is no reason to do nothing for the rest.
    ///
    /// # Errors
    /// Nothing can be learned of any.
    pub fn recover(&self) -> Result<Vec<StartError>, StartError> {
        let mut failures = Vec::new();
        failures.extend(self.thaw_abandoned().err().map(StartError::from));
        failures.extend(self.forget_lost().err().map(StartError::from));
        // every command comes here: what is asked of each container costs all of them
        let (ids, mut living, mut on_host) = (self.container_ids()?, Living::new(&self.layout), 0);
        for id in &ids {
            if living.has(id) {
                on_host += 1;
                continue;
            }
            let paths = self.layout.container(id);
            let is_on_host = paths.run().exists();
            on_host += u64::from(is_on_host);
            let recovered = match State::read(&paths.state()) {
                Ok(Some(state)) if (state.status.is_active() || is_on_host) && !state.has_monitor() => {
                    self.recover_one(id)
                }
                read => read.map(drop).map_err(StartError::from),
            };
            failures.extend(recovered.err());
        }
        failures.extend(self.recover_strays(on_host).err().map(StartError::from));
        let _ = self.net.resume_teardown(); // why it has failed is kept, for `check`
        self.recover_builds();
        Ok(failures)
    }

    fn recover_one(&self, id: &str) -> Result<(), StartError> {
        // a command that is starting it right now holds the lock and looks after it
        let Some(lock) = crate::Lock::try_take(&self.layout.container_lock(id))? else {
            return Ok(());
        };
        let path = self.layout.container(id).state();
        let Some(state) = State::read(&path)? else { return Ok(()) };
        if state.has_monitor() {
            return Ok(());
        }
        if state.status.is_active() && state.has_init() {
            let record = self.launch_record(id, Task::Adopt, false);
            spawn::monitor(&record, None, Some(lock)).map_err(monitor_error(id))?;
            return Ok(());
        }
        if self.goes_on(id, &state)? {
            // the record stays as it is until the new monitor has written its own: killed in between, the next command
            // comes here again
            self.tear_down(id)?;
            let record = self.launch_record(id, Task::Restart, false);
            spawn::monitor(&record, None, Some(lock)).map_err(monitor_error(id))?;
            return Ok(());
        }
        Ok(self.settle(id)?)
    }

    /// Returns whether a container whose monitor has died, and that has ended since, starts again by its policy.
    ///
    /// After a reboot it does not, until `boot` says so.
    fn goes_on(&self, id: &str, state: &crate::State) -> Result<bool, FileError> {
        let paths = self.layout.container(id);
        let spec = match durable::read_json::<crate::ContainerSpec>(&paths.spec()) {
            Err(FileError::Damaged { .. }) => None,
            spec => spec?,
        };
        let Some(spec) = spec.filter(|_| state.status.is_active() && state.is_of_this_boot()) else { return Ok(false) };
        let exit_code = state.exit_code.unwrap_or(crate::EXIT_CODE_UNKNOWN);
        Ok(restart::wanted(spec.restart, exit_code, state.restart_count, self.is_to_stop(&paths)))
    }

    pub(crate) fn launch_record(&self, id: &str, task: Task, attached: bool) -> LaunchRecord {
        LaunchRecord {
            root: self.layout.root().to_owned(),
            run: self.layout.run().to_owned(),
            network: self.net.settings().clone(),
            runtimes: self.runtimes.clone(),
            id: id.to_owned(),
            task,
            attached,
            terminal: None,
            traced: task == Task::Start && trace::is_on(),
            commands: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Removes what is plugged in or mounted for containers whose records are gone; failures wait for the next command.
    ///
    /// The directory of a run is made before all else of it, and removed after it. How many there are says whether there is one
    /// without a record, as long as nobody comes or goes.
    fn recover_strays(&self, on_host: u64) -> Result<(), FileError> {
        let path = self.layout.run().join("containers");
        // of itself, in its parent and of each directory in it: where the file system counts them
        if fs::metadata(&path).is_ok_and(|runs| runs.nlink() == on_host + 2) {
            return Ok(());
        }
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(FileError::io("list", &path))?.flatten(),
        };
        for id in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
            if !self.layout.container(&id).dir().exists()
                && let Ok(Some(_lock)) = crate::Lock::try_take(&self.layout.container_lock(&id))
            {
                let _ = self.tear_down(&id);
            }
        }
        Ok(())
    }
}

fn monitor_error(name: &str) -> impl FnOnce(SpawnError) -> StartError {
    let name = name.to_owned();
    move |source| StartError::Monitor { name, source }
}
