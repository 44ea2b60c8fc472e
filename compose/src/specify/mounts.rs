//! Mounts and devices.

use lighter_engine::{BindPropagation, Device, Mount, MountKind};

use super::ContentFile;
use crate::model::{self, FileContent, FileGrant, FileObject, Project, Service};

/// Returns the mounts of a service: volumes and tmpfs, then configs and secrets.
pub(crate) fn mounts(project: &Project, service: &Service, files: &[ContentFile]) -> Vec<Mount> {
    let own = service.mounts.iter().map(|mount| Mount {
        target: mount.target.clone(),
        read_only: mount.read_only,
        kind: kind(project, mount),
    });
    let configs = service.configs.iter().map(|grant| (grant, project.configs.get(&grant.source)));
    let secrets = service.secrets.iter().map(|grant| (grant, project.secrets.get(&grant.source)));
    let is_written = |grant: &FileGrant| files.iter().any(|file| file.target == grant.target);
    let of_host = configs.chain(secrets).filter(|(grant, _)| !is_written(grant));
    let of_host = of_host.filter_map(|(grant, object)| self::of_host(grant, object?));
    let written = files.iter().map(|file| read_only(&file.target, file.path.clone()));
    own.chain(of_host).chain(written).collect()
}

fn kind(project: &Project, mount: &model::Mount) -> MountKind {
    match &mount.kind {
        model::MountKind::Bind(bind) => MountKind::Bind {
            source: bind.source.clone(),
            create: bind.create_host_path,
            propagation: propagation(bind.propagation),
        },
        model::MountKind::Volume(volume) => MountKind::Volume {
            name: volume_name(project, volume),
            anonymous: volume.key.is_none(),
            no_copy: volume.no_copy,
            subpath: volume.subpath.clone(),
        },
        model::MountKind::Tmpfs(tmpfs) => {
            MountKind::Tmpfs { size: tmpfs.size, mode: tmpfs.mode, options: tmpfs.options.clone() }
        }
        model::MountKind::Image(image) => MountKind::Image {
            reference: image.reference.clone(),
            id: String::new(), // looked up when a container is made
            subpath: image.subpath.clone(),
        },
    }
}

/// Returns the name of a volume on the host. An anonymous one gets its name when a container is made; until then the place
/// is marked by an empty name.
fn volume_name(project: &Project, volume: &model::VolumeMount) -> String {
    let declared = volume.key.as_ref().and_then(|key| project.volumes.get(key));
    declared.map(|volume| volume.name.clone()).unwrap_or_default()
}

/// A config or secret that is a file of the host.
fn of_host(grant: &FileGrant, object: &FileObject) -> Option<Mount> {
    match &object.content {
        FileContent::File(path) => Some(read_only(&grant.target, path.clone())),
        _ => None,
    }
}

fn read_only(target: &str, source: std::path::PathBuf) -> Mount {
    let kind = MountKind::Bind { source, create: false, propagation: BindPropagation::default() };
    Mount { target: target.to_owned(), read_only: true, kind }
}

fn propagation(propagation: model::Propagation) -> BindPropagation {
    match propagation {
        model::Propagation::Rprivate => BindPropagation::Rprivate,
        model::Propagation::Private => BindPropagation::Private,
        model::Propagation::Rshared => BindPropagation::Rshared,
        model::Propagation::Shared => BindPropagation::Shared,
        model::Propagation::Rslave => BindPropagation::Rslave,
        model::Propagation::Slave => BindPropagation::Slave,
    }
}

pub(super) fn devices(service: &Service) -> Vec<Device> {
    let devices = service.isolation.devices.iter();
    let device = |device: &model::Device| Device {
        source: device.source.clone(),
        target: device.target.clone(),
        permissions: device.permissions.clone(),
    };
    devices.map(device).collect()
}
