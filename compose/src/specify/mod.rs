//! A service, its image and a number: the container that shall be.
//!
//! Runs in the command; reads nothing but the image's configuration. The result is complete: whatever makes the container
//! looks nothing up and chooses nothing.

mod files;
mod hooks;
mod limits;
mod mounts;
mod network;

use std::collections::BTreeMap;
use std::path::Path;

use lighter_engine::images::store::Image;
use lighter_engine::{
    ContainerSpec, Engine, HealthCheck, ImageSource, Ipc, Isolation, Namespace, ProcessChoice, RestartPolicy,
};

pub use files::ContentFile;
#[cfg(test)]
pub(crate) use files::content_files;
pub use hooks::hook;
#[cfg(test)]
pub(crate) use mounts::mounts;

use crate::hash;
use crate::images::{self, Images};
use crate::model::{self, Healthcheck, Lender, PortRange, Probe, Project, Service, VolumesFrom};
use crate::names;
use crate::observe::{content_root, write_depends_on};

/// What every container of one service has, but for its name and number.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The specification, with the name of the first replica.
    pub spec: ContainerSpec,
    /// Hash of the configuration, as it stands in the label.
    pub config_hash: String,
    /// The service whose first container lends its network namespace, instead of `spec.network`.
    pub network_of: Option<String>,
    /// The service whose first container lends its processes (`pid`), instead of `spec.isolation.pid`.
    pub pid_of: Option<String>,
    /// The service whose first container lends its shared memory (`ipc`), instead of `spec.isolation.ipc`.
    pub ipc_of: Option<String>,
    /// Whose mounts each container gets too, beside those of `spec.mounts`.
    pub volumes_from: Vec<VolumesFrom>,
    /// Files with the content of configs and secrets, to be written before the container is made.
    pub files: Vec<ContentFile>,
    /// The fixed name of the only container.
    pub container_name: Option<String>,
    /// The host ports each entry of `spec.ports` may have; of a range, each replica takes its own.
    pub published: Vec<Option<PortRange>>,
}

impl Template {
    /// Returns the specification of the replica `number`.
    pub fn replica(&self, project: &str, service: &str, number: u32) -> ContainerSpec {
        let name = self.container_name.clone().unwrap_or_else(|| names::container(project, service, number));
        let mut spec = self.spec.clone();
        spec.name = name;
        spec.labels.insert(names::CONTAINER_NUMBER.to_owned(), number.to_string());
        for (port, range) in spec.ports.iter_mut().zip(&self.published) {
            let offset = u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX);
            port.host_port = range.map(|range| range.first.saturating_add(offset).min(range.last));
        }
        spec
    }
}

/// Returns the services of the project whose containers lend something to those of `service`: their network, mounts, processes or shared memory.
pub(crate) fn lenders(service: &Service) -> impl Iterator<Item = &str> {
    let of_network = match &service.networking.mode {
        model::NetworkMode::Service(name) => Some(name.as_str()),
        _ => None,
    };
    let of_mounts = service.volumes_from.iter().filter_map(|from| match &from.lender {
        Lender::Service(name) => Some(name.as_str()),
        Lender::Container(_) => None,
    });
    let isolation = &service.isolation;
    let of_namespaces = [&isolation.pid, &isolation.ipc].into_iter().filter_map(model::Namespace::lender);
    of_network.into_iter().chain(of_mounts).chain(of_namespaces)
}

/// Makes the templates of `services`, by name; those whose image is not known are left out.
pub fn templates(
    project: &Project,
    services: &[String],
    images: &Images,
    engine: &Engine,
) -> BTreeMap<String, Template> {
    let root = content_root(engine);
    let known = services.iter().filter_map(|name| Some((project.services.get(name)?, images.get(name)?)));
    let one = |(service, image): (&Service, &Image)| (service.name.clone(), template(project, service, image, &root));
    known.map(one).collect()
}

/// Makes the template of a service whose image is not here, for a plan that is only looked at: what the image says is missing.
#[must_use]
pub fn provisional(project: &Project, service: &Service, engine: &Engine) -> Template {
    let files = files::content_files(project, service, &content_root(engine));
    let source = ImageSource { reference: images::name_of(project, service), id: NOT_HERE.to_owned() };
    let args = [&service.process.entrypoint, &service.process.command].into_iter().flatten().flatten().cloned();
    let mut spec = ContainerSpec::new(names::container(&project.name, &service.name, 1), source, args.collect());
    spec.mounts = mounts::mounts(project, service, &files);
    complete(project, service, spec, files)
}

/// Stands for the id of an image that is still to be pulled or built.
const NOT_HERE: &str = "not here yet";

/// Makes the template of `service` of `project` from `image`; `content_root` is the folder for the content of configs and
/// secrets.
fn template(project: &Project, service: &Service, image: &Image, content_root: &Path) -> Template {
    let files = files::content_files(project, service, content_root);
    let mounts = mounts::mounts(project, service, &files);
    let reference = images::name_of(project, service);
    let name = names::container(&project.name, &service.name, 1);
    let spec = ContainerSpec::from_image(name, reference, image, choice(service), mounts);
    complete(project, service, spec, files)
}

/// Adds to `spec`, which has what the image and the process say, everything else.
pub(crate) fn complete(
    project: &Project,
    service: &Service,
    mut spec: ContainerSpec,
    files: Vec<ContentFile>,
) -> Template {
    let config_hash = hash::service_hash(service, &files);
    let image = spec.image.id.clone();
    spec.labels.extend(labels(project, service, &config_hash, &image));
    fill(&mut spec, project, service);
    Template {
        spec,
        config_hash,
        network_of: network::lender(service),
        pid_of: service.isolation.pid.lender().map(str::to_owned),
        ipc_of: service.isolation.ipc.lender().map(str::to_owned),
        volumes_from: service.volumes_from.clone(),
        files,
        container_name: service.container_name.clone(),
        published: service.ports.iter().map(|port| port.published).collect(),
    }
}

fn choice(service: &Service) -> ProcessChoice {
    let process = &service.process;
    let pairs = process.environment.iter().map(|(name, value)| format!("{name}={value}"));
    ProcessChoice {
        entrypoint: process.entrypoint.clone(),
        command: process.command.clone(),
        // A name alone takes the variable away from what the image sets.
        env: pairs.chain(process.unset.iter().cloned()).collect(),
        user: process.user.clone(),
        working_dir: process.working_dir.clone(),
        stop_signal: process.stop_signal.clone(),
        labels: service.labels.clone(),
    }
}

/// Returns the labels that make a container one of the project; they win over labels of the user.
fn labels(project: &Project, service: &Service, config_hash: &str, image: &str) -> BTreeMap<String, String> {
    let paths = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
    };
    let mut labels = BTreeMap::from([
        (names::PROJECT.to_owned(), project.name.clone()),
        (names::SERVICE.to_owned(), service.name.clone()),
        (names::ONEOFF.to_owned(), "False".to_owned()),
        (names::CONFIG_HASH.to_owned(), config_hash.to_owned()),
        (names::WORKING_DIR.to_owned(), project.working_directory.display().to_string()),
        (names::CONFIG_FILES.to_owned(), paths(&project.files)),
        (names::DEPENDS_ON.to_owned(), write_depends_on(&service.depends_on)),
        (names::IMAGE.to_owned(), image.to_owned()),
        (names::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if !project.env_files.is_empty() {
        labels.insert(names::ENVIRONMENT_FILE.to_owned(), paths(&project.env_files));
    }
    labels
}

/// Sets everything that does not come from the image.
fn fill(spec: &mut ContainerSpec, project: &Project, service: &Service) {
    spec.group_add = service.process.group_add.clone();
    spec.tty = service.process.tty;
    spec.open_stdin = service.process.stdin_open;
    spec.init = service.process.init;
    spec.stop_grace = service.process.stop_grace_period;
    spec.annotations = service.annotations.clone();
    spec.cgroup_parent = service.isolation.cgroup_parent.clone().or_else(|| Some(project.name.clone()));
    network::fill(spec, project, service);
    spec.devices = mounts::devices(service);
    spec.cdi_devices = service.isolation.cdi_devices.clone();
    spec.resources = limits::resources(service);
    spec.isolation = isolation(service);
    spec.runtime = service.isolation.runtime.clone();
    spec.shm_size = service.resources.shm_size.unwrap_or(spec.shm_size);
    spec.hooks = hooks::hooks(service);
    spec.restart = restart(service.restart);
    spec.log = service.logging.clone();
    if let Some(check) = &service.healthcheck {
        spec.health = health(check, spec.health.take());
    }
}

fn isolation(service: &Service) -> Isolation {
    let isolation = &service.isolation;
    Isolation {
        privileged: isolation.privileged,
        cap_add: isolation.cap_add.clone(),
        cap_drop: isolation.cap_drop.clone(),
        no_new_privileges: isolation.no_new_privileges,
        seccomp_unconfined: isolation.seccomp_unconfined,
        paths_unconfined: isolation.paths_unconfined,
        read_only: isolation.read_only,
        ulimits: limits::ulimits(service),
        sysctls: isolation.sysctls.clone(),
        apparmor: isolation.apparmor.clone(),
        writable_cgroups: isolation.writable_cgroups,
        device_rules: isolation.device_rules.clone(),
        pid: namespace(&isolation.pid),
        ipc: ipc(&isolation.ipc),
        uts: namespace(&isolation.uts),
        own_users: isolation.own_users,
        host_cgroup: isolation.cgroup == model::Namespace::Host,
        oom_score_adj: service.resources.oom_score_adj,
        ..Isolation::default()
    }
}

/// That of a service's container is filled in when it is there; of a container, the name becomes an id then.
fn namespace(namespace: &model::Namespace) -> Namespace {
    match namespace {
        model::Namespace::Host => Namespace::Host,
        model::Namespace::Container(name) => Namespace::Container(name.clone()),
        _ => Namespace::Private,
    }
}

/// As [`namespace`].
fn ipc(namespace: &model::Namespace) -> Ipc {
    match namespace {
        model::Namespace::Host => Ipc::Host,
        model::Namespace::Shareable => Ipc::Shareable,
        model::Namespace::None => Ipc::None,
        model::Namespace::Container(name) => Ipc::Container(name.clone()),
        model::Namespace::Private | model::Namespace::Service(_) => Ipc::Private,
    }
}

fn restart(policy: model::RestartPolicy) -> RestartPolicy {
    match policy {
        model::RestartPolicy::No => RestartPolicy::No,
        model::RestartPolicy::Always => RestartPolicy::Always,
        model::RestartPolicy::OnFailure(max) => RestartPolicy::OnFailure { max },
        model::RestartPolicy::UnlessStopped => RestartPolicy::UnlessStopped,
    }
}

/// Lays the service's check over the image's.
fn health(check: &Healthcheck, image: Option<HealthCheck>) -> Option<HealthCheck> {
    let base = match &check.probe {
        Probe::Disabled => return None,
        Probe::Inherit => image?,
        Probe::Exec(words) => over(image, lighter_engine::Probe::Exec(words.clone())),
        Probe::Shell(line) => over(image, lighter_engine::Probe::Shell(line.clone())),
    };
    Some(HealthCheck {
        interval: check.interval.unwrap_or(base.interval),
        timeout: check.timeout.unwrap_or(base.timeout),
        retries: check.retries.filter(|retries| *retries > 0).unwrap_or(base.retries),
        start_period: check.start_period.unwrap_or(base.start_period),
        start_interval: check.start_interval.or(base.start_interval),
        probe: base.probe,
    })
}

fn over(image: Option<HealthCheck>, probe: lighter_engine::Probe) -> HealthCheck {
    match image {
        Some(image) => HealthCheck { probe, ..image },
        None => HealthCheck::new(probe),
    }
}
