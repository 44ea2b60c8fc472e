//! Giving a container another name. Runs in the command.
//!
//! 1 the new name leads to it; 2 the specification says so; 3 the old name is free. Killed between two of them, a command leaves
//! a container that both names lead to; the next that makes a container takes away the one that the specification does not have.

use crate::durable::{self, FileError};
use crate::events::Event;
use crate::spec::ContainerSpec;
use crate::{Container, Engine, ephemeral, id, netns};

/// Why a container keeps its name.
#[derive(Debug, thiserror::Error)]
pub enum RenameError {
    /// Not a name.
    #[error("`{0}` is no container name: letters, digits, `_`, `.` and `-` only, a letter or digit first")]
    Name(String),
    /// It has that name.
    #[error("rename container `{0}`: that is its name")]
    Same(String),
    /// Another container has the name.
    #[error("the container name `{name}` is in use by container {holder}")]
    Taken {
        /// The name.
        name: String,
        /// Short id of its owner.
        holder: String,
    },
    /// It has been removed meanwhile.
    #[error("no such container `{0}`")]
    Gone(String),
    /// Its names on networks could not be changed.
    #[error(transparent)]
    Network(#[from] netns::NetworkError),
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Gives a container another name, on its networks too.
    ///
    /// # Errors
    /// [`RenameError`].
    pub fn rename(&self, container: &Container, name: &str) -> Result<(), RenameError> {
        if !id::is_name(name) {
            return Err(RenameError::Name(name.to_owned()));
        }
        let _lock = self.lock_container(&container.id)?;
        let names = self.lock_containers()?;
        let were_whole = names.are_whole();
        let path = container.paths.spec();
        let gone = || RenameError::Gone(container.spec.name.clone());
        let mut spec = durable::read_json::<ContainerSpec>(&path)?.ok_or_else(gone)?;
        if spec.name == name {
            return Err(RenameError::Same(name.to_owned()));
        }
        if let Some(holder) = self.id_of_name(name)?.filter(|holder| *holder != container.id) {
            return Err(RenameError::Taken { name: name.to_owned(), holder: id::short(&holder).to_owned() });
        }
        names.begin()?;
        self.claim_name(name, &container.id)?;
        let old = std::mem::replace(&mut spec.name, name.to_owned());
        ephemeral::rewrite(&container.paths, &spec)?;
        durable::remove_file(&self.layout.name(&old))?;
        if were_whole {
            names.finish();
        }
        drop(names);
        self.net.rename(&container.id, &old, name)?;
        // a monitor that cannot be told now reads it at the next signal
        let _ = self.tell_monitor(container, &self.load_state(&container.id)?);
        self.tell(Event::of_container("rename", &container.id, &spec).with("oldName", format!("/{old}")));
        Ok(())
    }

    /// Returns whether a name leads to a container that has another: a rename was cut short.
    pub(crate) fn is_stale_name(&self, name: &str, id: &str) -> Result<bool, FileError> {
        match durable::read_json::<ContainerSpec>(&self.layout.container(id).spec()) {
            Ok(spec) => Ok(spec.is_some_and(|spec| spec.name != name)),
            // nobody knows its name but by this
            Err(FileError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
