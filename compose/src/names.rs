//! The names and labels of what a project makes on the host, as Docker Compose writes them.
//!
//! Runs in the command. Scripts filter on these, so none of them may be changed.

/// Name of the project, on everything.
pub const PROJECT: &str = "com.docker.compose.project";
/// Name of the service.
pub const SERVICE: &str = "com.docker.compose.service";
/// Number of the replica, from 1.
pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
/// Hash of the configuration the object was made from.
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// `True` for a container of `run`, else `False`.
pub const ONEOFF: &str = "com.docker.compose.oneoff";
/// Base of relative paths.
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// The compose files, joined by commas.
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// The `--env-file`s, joined by commas.
pub const ENVIRONMENT_FILE: &str = "com.docker.compose.project.environment_file";
/// `name:condition:restart` of each dependency, joined by commas: the order without a file.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Digest of the image at creation.
pub const IMAGE: &str = "com.docker.compose.image";
/// Version of the tool.
pub const VERSION: &str = "com.docker.compose.version";
/// Key of a network.
pub const NETWORK: &str = "com.docker.compose.network";
/// Key of a volume.
pub const VOLUME: &str = "com.docker.compose.volume";

/// Returns the name of a container: `<project>-<service>-<number>`.
pub fn container(project: &str, service: &str, number: u32) -> String {
    format!("{project}-{service}-{number}")
}

/// Returns the name of the image that `build` without `image` makes.
pub fn built_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// Returns the name of a network, volume, config or secret: `<project>_<key>`.
pub fn object(project: &str, key: &str) -> String {
    format!("{project}_{key}")
}
