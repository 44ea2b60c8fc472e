//! `commit`: an image of what a container has changed.
//!
//! Runs in the command. While the container's files are read its lock is held, so that it is neither removed nor started
//! meanwhile, and its processes are stopped unless that is not wanted.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use lighter_images::derive::{self, ChangeError, Changes, DeriveError, Description, Upper};
use lighter_images::reference::Reference;
use lighter_images::store::{Image, StoreError};
use serde_json::{Map, Value, json};

use crate::durable::FileError;
use crate::events::Event;
use crate::freeze::FreezeError;
use crate::runtime::defaults;
use crate::spec::{ContainerSpec, HealthCheck, Probe};
use crate::{Container, Engine};

/// Files that are mounted into every container.
const FILES: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// What a new image is to be like.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// Its name; `None` leaves it with its id.
    pub reference: Option<Reference>,
    /// Who made it.
    pub author: Option<String>,
    /// What was done.
    pub message: Option<String>,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// Whether the container's processes run on meanwhile.
    pub keeps_running: bool,
}

/// Why no image could be made of a container.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A change cannot be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The image it was made from is gone.
    #[error("image `{0}` is not in the store")]
    NoImage(String),
    /// It was made from no image.
    #[error("container `{0}` stands on a folder of the host, not on an image")]
    Folder(String),
    /// Its processes cannot be stopped.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// Its changes cannot be read, or the image not be made.
    #[error("read what container `{name}` has changed")]
    Derive {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: Box<DeriveError>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Images(#[from] StoreError),
    /// The image's files cannot be seen.
    #[error(transparent)]
    View(#[from] crate::ViewError),
    /// A record or the container's directory cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl CommitError {
    pub(crate) fn derive(container: &Container, source: DeriveError) -> Self {
        Self::Derive { name: container.spec.name.clone(), source: Box::new(source) }
    }
}

impl Engine {
    /// Makes an image of a container's image, its changes and its configuration, and returns it.
    ///
    /// What is in volumes is no part of it. Without changes the image has no new layer.
    ///
    /// # Errors
    /// [`CommitError`]; the store then lists what it listed before.
    pub fn commit(&self, container: &Container, options: &CommitOptions) -> Result<Image, CommitError> {
        let base = self.base_of(container)?;
        let mut changes = Changes::new(configuration(&self.images.raw_config(&base)?, &container.spec));
        options.changes.iter().try_for_each(|change| changes.apply(change))?;
        let description = Description {
            name: options.reference.clone(),
            config: changes.finish(),
            created: jiff::Timestamp::now().to_string(),
            created_by: container.spec.args.join(" "),
            author: options.author.clone(),
            comment: options.message.clone(),
        };
        let _lock = self.lock_container(&container.id)?;
        let _frozen = if options.keeps_running { None } else { self.freeze(container)? };
        let placeholders = placeholders();
        let upper = self.upper_of(container, &placeholders)?;
        let image = derive::commit(&self.images, &base, upper, &description);
        let image = image.map_err(|source| CommitError::derive(container, source))?;
        self.tell(Event::of_container("commit", &container.id, &container.spec).with("imageID", image.id.as_str()));
        Ok(image)
    }

    /// Returns the image a container was made from.
    pub(crate) fn base_of(&self, container: &Container) -> Result<Image, CommitError> {
        if container.spec.layers.is_some() {
            return Err(CommitError::Folder(container.spec.name.clone()));
        }
        let source = &container.spec.image;
        self.images.find(&source.id)?.ok_or_else(|| CommitError::NoImage(source.reference.clone()))
    }

    /// Opens the directory of what a container has changed.
    pub(crate) fn upper_of<'a>(
        &self,
        container: &Container,
        placeholders: &'a HashSet<Vec<u8>>,
    ) -> Result<Upper<'a>, CommitError> {
        let is_copy = container.paths.copy().exists();
        let path = if is_copy { container.paths.copy() } else { container.paths.upper() };
        let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(&path);
        Ok(Upper { directory: directory.map_err(FileError::io("open", &path))?.into(), is_copy, placeholders })
    }
}

/// Returns where every container has something mounted. An image without these places has them made in the container.
pub(crate) fn placeholders() -> HashSet<Vec<u8>> {
    let mounts = defaults::mounts().into_iter().map(|mount| mount.destination().display().to_string());
    let clean = mounts.map(|path| path.trim_start_matches('/').to_owned());
    clean.chain(FILES.map(str::to_owned)).map(String::into_bytes).collect()
}

/// Returns the image's configuration with what the container has instead, in Docker's words.
fn configuration(image: &Value, spec: &ContainerSpec) -> Map<String, Value> {
    let mut config = image["config"].as_object().cloned().unwrap_or_default();
    let (entrypoint, command) = spec.args.split_at(spec.entrypoint_len.min(spec.args.len()));
    let exposed: Map<String, Value> = spec.exposed_ports().map(|port| (port, json!({}))).collect();
    let fields = [
        ("Entrypoint", json!(entrypoint), entrypoint.is_empty()),
        ("Cmd", json!(command), command.is_empty()),
        ("Env", json!(spec.env), spec.env.is_empty()),
        ("User", json!(spec.user), spec.user.is_empty()),
        ("WorkingDir", json!(spec.working_dir), false),
        ("Labels", json!(spec.labels), spec.labels.is_empty()),
        ("ExposedPorts", json!(exposed), exposed.is_empty()),
        ("StopSignal", json!(spec.stop_signal), spec.stop_signal.is_none()),
    ];
    for (name, value, is_absent) in fields {
        if is_absent {
            config.remove(name)
        } else {
            config.insert(name.to_owned(), value)
        };
    }
    match (&spec.health, config.contains_key("Healthcheck")) {
        (Some(check), _) => _ = config.insert("Healthcheck".to_owned(), healthcheck(check)),
        (None, true) => _ = config.insert("Healthcheck".to_owned(), json!({"Test": ["NONE"]})),
        (None, false) => {}
    }
    config
}

/// Docker's form: durations in nanoseconds.
fn healthcheck(check: &HealthCheck) -> Value {
    let nanoseconds = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let test = match &check.probe {
        Probe::Exec(args) => [vec!["CMD".to_owned()], args.clone()].concat(),
        Probe::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    json!({
        "Test": test,
        "Interval": nanoseconds(check.interval),
        "Timeout": nanoseconds(check.timeout),
        "StartPeriod": nanoseconds(check.start_period),
        "StartInterval": check.start_interval.map_or(0, nanoseconds),
        "Retries": check.retries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ImageSource;

    #[test]
    fn an_image_has_the_containers_choices_and_what_nobody_chose() {
        let image = json!({"config": {"Cmd": ["old"], "Entrypoint": ["e"], "OnBuild": ["RUN x"], "User": "app"}});
        let source = ImageSource { reference: "x".into(), id: "sha256:0".into() };
        let mut spec = ContainerSpec::new("c".into(), source, vec!["new".into(), "arg".into()]);
        spec.env = vec!["A=1".into()];
        spec.exposed = vec!["80/tcp".into()];
        let published =
            json!([{"target": 80, "protocol": "tcp"}, {"target": 53, "protocol": "udp", "host_port": 5353}]);
        spec.ports = serde_json::from_value(published).unwrap();
        let expected = json!({
            "Cmd": ["new", "arg"],
            "Env": ["A=1"],
            "ExposedPorts": {"53/udp": {}, "80/tcp": {}},
            "OnBuild": ["RUN x"],
            "WorkingDir": "/",
        });
        assert_eq!(Value::Object(configuration(&image, &spec)), expected);
    }

    #[test]
    fn a_health_check_that_the_container_does_without_is_none_in_the_image() {
        let image = json!({"config": {"Healthcheck": {"Test": ["CMD", "true"]}}});
        let source = ImageSource { reference: "x".into(), id: "sha256:0".into() };
        let spec = ContainerSpec::new("c".into(), source, vec!["x".into()]);
        assert_eq!(configuration(&image, &spec)["Healthcheck"], json!({"Test": ["NONE"]}));
    }

    #[test]
    fn mount_points_are_paths_below_the_root() {
        let places = placeholders();
        assert!(
            places.contains(&b"proc"[..]) && places.contains(&b"dev/shm"[..]) && places.contains(&b"etc/hosts"[..])
        );
    }
}
