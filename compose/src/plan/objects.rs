//! Networks and volumes of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lighter_engine::VolumeSpec;
use lighter_engine::netns::{Families, NetworkSpec, RangeSpec};

use super::up::PlanError;
use super::{ContainerRef, Op, Plan, StepId, Why};
use crate::diagnostic::Diagnostic;
use crate::hash;
use crate::model::{Network, Project, Range, Volume};
use crate::names;
use crate::observe::{Observed, ObservedNetwork};

/// The steps that make each network, by name: what containers on it come after.
pub(super) type Made = BTreeMap<String, StepId>;

/// Networks that are there and differ from the file: their containers go first.
pub(super) fn changed_networks<'a>(project: &Project, observed: &'a Observed) -> Vec<&'a ObservedNetwork> {
    let changed = |network: &Network| {
        let there = observed.networks.get(&network.name).filter(|_| !network.external)?;
        let ours = there.project.as_deref() == Some(project.name.as_str());
        let differs = there.config_hash.as_ref().is_some_and(|hash| *hash != hash::network_hash(network));
        (ours && differs).then_some(there)
    };
    project.networks.values().filter_map(changed).collect()
}

/// Adds the steps for networks used by `services`. `gone` are the steps after which a changed network is free.
pub(super) fn networks(
    project: &Project,
    services: &[String],
    observed: &Observed,
    gone: &BTreeMap<String, Vec<StepId>>,
    plan: &mut Plan,
) -> Result<Made, PlanError> {
    let mut made = Made::new();
    for network in used_networks(project, services) {
        let there = observed.networks.get(&network.name);
        match (there, network.external) {
            (None, true) => return Err(missing_external(project, "networks", &network.key, &network.name)),
            (Some(_), true) => {}
            (None, false) => {
                let step = plan.push(Op::CreateNetwork(network_spec(project, network)), Why::Missing, Vec::new());
                made.insert(network.name.clone(), step);
            }
            (Some(there), false) => {
                warn_of_foreign(there.project.as_deref(), project, "network", &network.name, plan);
                if let Some(after) = gone.get(&network.name) {
                    let why = Why::Changed(vec![format!("networks.{} differs", network.key)]);
                    let delete = Op::DeleteNetwork { name: there.name.clone(), id: there.id.clone() };
                    let deleted = plan.push(delete, why.clone(), after.clone());
                    let step = plan.push(Op::CreateNetwork(network_spec(project, network)), why, vec![deleted]);
                    made.insert(network.name.clone(), step);
                }
            }
        }
    }
    Ok(made)
}

fn used_networks<'a>(project: &'a Project, services: &[String]) -> Vec<&'a Network> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    let keys: BTreeSet<&str> =
        services.flat_map(|service| service.networking.attachments()).map(|(key, _)| key).collect();
    keys.into_iter().filter_map(|key| project.networks.get(key)).collect()
}

fn network_spec(project: &Project, network: &Network) -> NetworkSpec {
    let mut labels = network.labels.clone();
    labels.extend(object_labels(project, names::NETWORK, &network.key, hash::network_hash(network)));
    let fixed = fixed_addresses(project, &network.key);
    let range = |range: &Range| RangeSpec {
        subnet: range.subnet,
        gateway: range.gateway,
        pool: range.pool,
        reserved: {
            let own = fixed.iter().filter(|(_, address)| range.subnet.contains(*address));
            own.chain(&range.reserved).map(|(name, address)| (name.clone(), *address)).collect()
        },
    };
    NetworkSpec {
        name: network.name.clone(),
        driver: network.driver,
        // Neither is refused where the file is read.
        families: Families::of(network.ipv4, network.ipv6).unwrap_or_default(),
        ranges: network.ranges.iter().map(range).collect(),
        internal: network.internal,
        labels,
        options: network.options.clone(),
        ..NetworkSpec::default()
    }
}

/// Returns the fixed addresses of services on a network: no other container is given one, not even before the service's own
/// is made.
fn fixed_addresses(project: &Project, key: &str) -> BTreeMap<String, IpAddr> {
    let fixed = project.services.values().flat_map(|service| {
        let plugs = service.networking.attachments().into_iter().filter(|(network, _)| *network == key);
        plugs.flat_map(|(_, endpoint)| {
            let addresses = [endpoint.ipv4_address.map(IpAddr::V4), endpoint.ipv6_address.map(IpAddr::V6)];
            addresses.into_iter().flatten().map(|address| {
                let family = if address.is_ipv4() { "" } else { " (IPv6)" };
                (format!("{}{family}", service.name), address)
            })
        })
    });
    fixed.collect()
}

/// Adds the steps for volumes used by `services`.
pub(super) fn volumes(
    project: &Project,
    services: &[String],
    observed: &Observed,
    plan: &mut Plan,
) -> Result<Made, PlanError> {
    let mut made = Made::new();
    for volume in used_volumes(project, services) {
        let there = observed.volumes.get(&volume.name);
        match (there, volume.external) {
            (None, true) => return Err(missing_external(project, "volumes", &volume.key, &volume.name)),
            (Some(_), true) => {}
            (None, false) => {
                let mut labels = volume.labels.clone();
                labels.extend(object_labels(project, names::VOLUME, &volume.key, hash::volume_hash(volume)));
                let (name, options) = (volume.name.clone(), volume.options.clone());
                let create = Op::CreateVolume(VolumeSpec { name, labels, options });
                made.insert(volume.name.clone(), plan.push(create, Why::Missing, Vec::new()));
            }
            (Some(there), false) => {
                warn_of_foreign(there.project.as_deref(), project, "volume", &volume.name, plan);
                let ours = there.project.as_deref() == Some(project.name.as_str());
                let differs = there.config_hash.as_ref().is_some_and(|hash| *hash != hash::volume_hash(volume));
                if ours && differs {
                    // Its content is worth more than its options.
                    let warning = format!("volume `{}` differs from the file and stays as it is", volume.name);
                    plan.warnings.push(warning);
                }
            }
        }
    }
    Ok(made)
}

fn used_volumes<'a>(project: &'a Project, services: &[String]) -> Vec<&'a Volume> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    let key = |mount: &crate::model::Mount| match &mount.kind {
        crate::model::MountKind::Volume(volume) => volume.key.clone(),
        _ => None,
    };
    let keys: BTreeSet<String> = services.flat_map(|service| service.mounts.iter().filter_map(key)).collect();
    keys.iter().filter_map(|key| project.volumes.get(key)).collect()
}

fn object_labels(project: &Project, kind: &str, key: &str, hash: String) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::PROJECT.to_owned(), project.name.clone()),
        (kind.to_owned(), key.to_owned()),
        (names::CONFIG_HASH.to_owned(), hash),
        (names::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ])
}

fn warn_of_foreign(owner: Option<&str>, project: &Project, kind: &str, name: &str, plan: &mut Plan) {
    if owner == Some(project.name.as_str()) {
        return;
    }
    let belongs = owner.map_or("was not made by a project".to_owned(), |owner| format!("belongs to project `{owner}`"));
    plan.warnings.push(format!("{kind} `{name}` {belongs}; set `external: true` to use it as it is"));
}

fn missing_external(project: &Project, section: &str, key: &str, name: &str) -> PlanError {
    let kind = section.trim_end_matches('s');
    let fault = Diagnostic::error(format!("external {kind} `{name}` does not exist"));
    let fault = fault.hint(format!("make it with `lighter {kind} create {name}`, or drop `external`"));
    PlanError::Invalid(Box::new(match project.span(&[section, key]) {
        Some(span) => fault.at(&span),
        None => fault,
    }))
}

/// Returns the reference to a container that is there.
pub(super) fn reference(container: &crate::observe::ObservedContainer) -> ContainerRef {
    ContainerRef { name: container.name.clone(), id: Some(container.id.clone()) }
}
