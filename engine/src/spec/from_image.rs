//! What an image says about the containers made from it, and what a front end says instead.

use std::collections::BTreeMap;

use lighter_images::store::{Healthcheck, Image};

use super::{ContainerSpec, HealthCheck, ImageSource, Mount, MountKind, Probe};

/// How labels begin by which a project knows its containers. An image has them if Docker Compose has built it, or if it would like to
/// be taken for a service of somebody's project: it does not make its containers parts of one.
const OF_COMPOSE: &str = "com.docker.compose.";

/// What a front end says about the process; `None` = as the image has it.
#[derive(Debug, Clone, Default)]
pub struct ProcessChoice {
    /// Replaces the image's entrypoint; with it the image's command does not count. Empty = none.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment: `NAME=value`; a `NAME` alone removes it.
    pub env: Vec<String>,
    /// Replaces the image's user.
    pub user: Option<String>,
    /// Replaces the image's working directory.
    pub working_dir: Option<String>,
    /// Replaces the image's stop signal.
    pub stop_signal: Option<String>,
    /// Added to the image's labels.
    pub labels: BTreeMap<String, String>,
}

impl ContainerSpec {
    /// Returns the specification of a container of `image`, called `reference` by the user, with these choices.
    ///
    /// Mount points that the image declares (`VOLUME`) become anonymous volumes, unless something in `mounts` is there.
    pub fn from_image(
        name: String,
        reference: String,
        image: &Image,
        choice: ProcessChoice,
        mounts: Vec<Mount>,
    ) -> Self {
        let config = image.config.config().clone().unwrap_or_default();
        let image_command = config.cmd().clone().unwrap_or_default();
        let (entrypoint, command) = match (choice.entrypoint, choice.command) {
            (Some(entrypoint), command) => (entrypoint, command.unwrap_or_default()),
            (None, command) => (config.entrypoint().clone().unwrap_or_default(), command.unwrap_or(image_command)),
        };
        let entrypoint_len = entrypoint.len();
        let args = entrypoint.into_iter().chain(command).collect();
        let source = ImageSource { reference, id: image.id.to_string() };
        let mut spec = Self::new(name, source, args);
        spec.entrypoint_len = entrypoint_len;
        spec.env = merge_env(config.env().clone().unwrap_or_default(), choice.env);
        spec.user = choice.user.or(config.user().clone()).unwrap_or_default();
        spec.working_dir = choice.working_dir.or(config.working_dir().clone()).unwrap_or_default();
        if spec.working_dir.is_empty() {
            spec.working_dir = "/".to_owned();
        }
        spec.stop_signal = choice.stop_signal.or(config.stop_signal().clone());
        let labels = config.labels().clone().unwrap_or_default().into_iter();
        spec.labels = labels.filter(|(name, _)| !name.starts_with(OF_COMPOSE)).collect();
        spec.labels.extend(choice.labels);
        spec.exposed = config.exposed_ports().clone().unwrap_or_default();
        spec.exposed.sort();
        spec.mounts = mounts;
        let declared = config.volumes().clone().unwrap_or_default();
        spec.mounts.extend(anonymous(&declared, &spec.mounts));
        spec.health = image.healthcheck.as_ref().and_then(check);
        spec
    }
}

/// Joins environments; a later pair of the same name takes the earlier one's place.
pub(super) fn merge_env(base: Vec<String>, more: impl IntoIterator<Item = String>) -> Vec<String> {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let mut merged: Vec<String> = Vec::new();
    for pair in base.into_iter().chain(more) {
        let position = merged.iter().position(|old| name(old) == name(&pair));
        match (position, pair.contains('=')) {
            (Some(position), true) => merged[position] = pair,
            (Some(position), false) => _ = merged.remove(position),
            (None, true) => merged.push(pair),
            (None, false) => {}
        }
    }
    merged
}

fn anonymous(declared: &[String], mounts: &[Mount]) -> Vec<Mount> {
    let trimmed = |path: &str| path.trim_end_matches('/').to_owned();
    let free = declared.iter().filter(|path| !mounts.iter().any(|mount| trimmed(&mount.target) == trimmed(path)));
    let volume = |target: &String| Mount {
        target: target.clone(),
        read_only: false,
        kind: MountKind::Volume {
            name: String::new(), // each container gets its own
            anonymous: true,
            no_copy: false,
            subpath: None,
        },
    };
    free.map(volume).collect()
}

fn check(image: &Healthcheck) -> Option<HealthCheck> {
    let probe = match image.test.split_first()? {
        (kind, rest) if kind == "CMD" => Probe::Exec(rest.to_vec()),
        (kind, [line]) if kind == "CMD-SHELL" => Probe::Shell(line.clone()),
        _ => return None, // NONE
    };
    let base = HealthCheck::new(probe);
    Some(HealthCheck {
        interval: image.interval.unwrap_or(base.interval),
        timeout: image.timeout.unwrap_or(base.timeout),
        start_period: image.start_period.unwrap_or(base.start_period),
        start_interval: image.start_interval,
        retries: image.retries.unwrap_or(base.retries),
        probe: base.probe,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_later_variable_takes_the_place_of_an_earlier_one_and_a_bare_name_removes_it() {
        let merged = merge_env(texts(&["A=1", "B=2", "C=3"]), texts(&["B=x=y", "D=4", "A"]));
        assert_eq!(merged, ["B=x=y", "C=3", "D=4"]);
    }

    #[test]
    fn an_images_health_check_has_the_defaults_for_what_it_leaves_out() {
        let image = Healthcheck {
            test: texts(&["CMD-SHELL", "true"]),
            interval: Some(Duration::from_secs(1)),
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: Some(5),
        };
        let health = check(&image).unwrap();
        assert_eq!(health.probe, Probe::Shell("true".into()));
        assert_eq!((health.interval, health.timeout.as_secs(), health.retries), (Duration::from_secs(1), 30, 5));
        assert_eq!(check(&Healthcheck { test: texts(&["NONE"]), ..image }), None);
    }

    #[test]
    fn a_mount_of_the_users_takes_the_place_of_an_anonymous_volume() {
        let own = Mount {
            target: "/data/".into(),
            read_only: false,
            kind: MountKind::Tmpfs { size: None, mode: None, options: vec![] },
        };
        let volumes = anonymous(&texts(&["/data", "/other"]), &[own]);
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].target, "/other");
    }
}
