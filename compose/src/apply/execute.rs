//! One step.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use lighter_engine::netns::NetworkError;
use lighter_engine::{
    Container, ContainerSpec, ControlError, CreateError, DEFAULT_NETWORK, Engine, FindError, Ipc, Namespace,
    NetworkMode, RemoveError, RemoveOptions, StartError, StartOptions, VolumeError,
};

use super::{WaitError, content, wait};
use crate::names;
use crate::plan::{ContainerRef, Op, Plan, Step};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A volume.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A container was not made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A container did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A container did not start. That it was to start is the step's to say.
    #[error("{message}")]
    Launch {
        /// What failed, on what, why.
        message: String,
        /// The port of the host that could not be published, if that is why.
        port: Option<u16>,
    },
    /// A container was not stopped or signalled.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A container was not deleted.
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// A container is not there.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A file with the content of a config or secret.
    #[error("write `{}`", path.display())]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was waited for cannot come any more.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The plan has ended before the wait has.
    #[error("given up")]
    Cancelled,
}

/// How a step has ended that has not failed.
pub(super) enum Ended {
    /// As asked, but for what could not be had in full, one sentence each.
    Done(Vec<String>),
    /// Without effect, and the plan goes on: why.
    Passed(String),
}

/// Does one step of `plan`.
pub(super) fn execute(step: &Step, plan: &Plan, engine: &Engine, cancelled: &AtomicBool) -> Result<Ended, StepError> {
    let done = |()| Ended::Done(Vec::new());
    match &step.op {
        Op::CreateNetwork(spec) => match engine.create_network(spec) {
            // Made by another command in between: with its labels it is ours all the same.
            Err(NetworkError::AlreadyExists { .. }) | Ok(_) => Ok(done(())),
            Err(error) => Err(error.into()),
        },
        Op::DeleteNetwork { id, .. } => match engine.delete_network(id) {
            Err(error @ NetworkError::InUse { .. }) => Ok(Ended::Passed(error.to_string())),
            result => Ok(result.map(done)?),
        },
        Op::CreateVolume(spec) => Ok(engine.ensure_volume(spec).map(|_| done(()))?),
        Op::DeleteVolume { name } => match engine.remove_volume(name) {
            Err(error @ VolumeError::InUse { .. }) => Ok(Ended::Passed(error.to_string())),
            Err(VolumeError::NotFound(_)) => Ok(done(())),
            result => Ok(result.map(done)?),
        },
        Op::WriteFiles(files) => content::write(files).map(done),
        Op::DeleteFiles(folder) => content::delete(folder).map(done),
        Op::CreateContainer { spec, network_of } => create(spec, network_of.as_deref(), engine).map(done),
        Op::Start(container) => match engine.start(&expect(container, engine)?, StartOptions::default()) {
            Err(StartError::Launch { message, port, .. }) => Err(StepError::Launch { message, port }),
            started => Ok(Ended::Done(started?.warnings)),
        },
        Op::Wait { container, condition, required } => {
            let container = expect(container, engine)?;
            match wait::wait(&container, *condition, engine, cancelled) {
                Err(StepError::Wait(error)) if !required => Ok(Ended::Passed(format!("{error}; going on without it"))),
                result => result.map(done),
            }
        }
        Op::Stop { container, grace } => match find(container, engine)? {
            Some(there) if plan.deletes(container) => Ok(engine.stop_to_remove(&there, None, *grace).map(done)?),
            Some(there) => Ok(engine.stop(&there, None, *grace).map(done)?),
            None => Ok(done(())),
        },
        Op::Kill { container, signal } => match find(container, engine)? {
            Some(container) => Ok(engine.kill(&container, *signal).map(done)?),
            None => Ok(done(())),
        },
        Op::Delete { container, volumes } => match find(container, engine)? {
            // It was decided that it goes, whatever has started it again since.
            Some(container) => {
                let options = RemoveOptions { force: true, volumes: *volumes };
                Ok(engine.remove(&container, options).map(done)?)
            }
            None => Ok(done(())),
        },
    }
}

/// Returns the container, or [`None`] when it is gone.
fn find(container: &ContainerRef, engine: &Engine) -> Result<Option<Container>, StepError> {
    let found = match &container.id {
        Some(id) => engine.load(id).map_err(FindError::from)?,
        None => match engine.find(&container.name) {
            Err(FindError::NotFound(_)) => None,
            found => Some(found?),
        },
    };
    Ok(found)
}

fn expect(container: &ContainerRef, engine: &Engine) -> Result<Container, StepError> {
    find(container, engine)?.ok_or_else(|| FindError::NotFound(container.name.clone()).into())
}

/// A file names the containers whose namespaces it uses; the record keeps ids, which no later container can have.
///
/// # Errors
/// [`FindError`] when there is no such container.
pub fn name_by_id(spec: &mut ContainerSpec, engine: &Engine) -> Result<(), FindError> {
    if let NetworkMode::Container(name) = &spec.network {
        spec.network = NetworkMode::Container(engine.find(name)?.id);
    }
    if let Namespace::Container(name) = &spec.isolation.pid {
        spec.isolation.pid = Namespace::Container(engine.find(name)?.id);
    }
    if let Ipc::Container(name) = &spec.isolation.ipc {
        spec.isolation.ipc = Ipc::Container(engine.find(name)?.id);
    }
    Ok(())
}

fn create(spec: &ContainerSpec, network_of: Option<&str>, engine: &Engine) -> Result<(), StepError> {
    let mut spec = spec.clone();
    if let Some(lender) = network_of {
        spec.network = NetworkMode::Container(lender.to_owned());
    }
    name_by_id(&mut spec, engine)?;
    if let NetworkMode::Bridge(attachments) = &spec.network
        && attachments.iter().any(|attachment| attachment.network == DEFAULT_NETWORK)
    {
        engine.ensure_default_network()?;
    }
    match engine.create(spec.clone()) {
        // Two commands at once: what the other one made is as good, if it was made from the same configuration.
        Err(CreateError::NameTaken { .. }) if is_equal_there(&spec, engine) => Ok(()),
        result => Ok(result.map(|_| ())?),
    }
}

fn is_equal_there(spec: &ContainerSpec, engine: &Engine) -> bool {
    let same = |there: &Container, label: &str| there.label(label) == spec.labels.get(label).map(String::as_str);
    let labels = [names::PROJECT, names::SERVICE, names::CONFIG_HASH];
    engine.find(&spec.name).is_ok_and(|there| labels.iter().all(|label| same(&there, label)))
}
