//! Limits of a service, from its own keys and from `deploy.resources`.

use std::collections::BTreeMap;

use lighter_engine::{DeviceWeight, Throttle, Throttled};

use super::reader::{Reader, flag, size, text};
use crate::model::{Blkio, NanoCpus, Resources, Ulimit};
use crate::yaml::{Entry, Node, Value};

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Resources {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    let group = |name| resources.and_then(|resources| resources.get(name));
    let (limits, reservations) = (group("limits"), group("reservations"));
    let either = |key: &str, group: Option<&Node>, deployed: &str| {
        size(service, key).or_else(|| group.and_then(|group| size(group, deployed)))
    };
    let cpus = service.get("cpus").or_else(|| limits.and_then(|limits| limits.get("cpus")));
    let pids = service.get("pids_limit").or_else(|| limits.and_then(|limits| limits.get("pids")));
    Resources {
        cpus: reader.parse(cpus, &format!("{path}.cpus"), "a number of processors", nano_cpus),
        cpu_shares: reader.number(service.get("cpu_shares"), &format!("{path}.cpu_shares")),
        cpu_quota: reader.number(service.get("cpu_quota"), &format!("{path}.cpu_quota")),
        cpu_period: reader.number(service.get("cpu_period"), &format!("{path}.cpu_period")),
        cpu_rt_period: reader.number(service.get("cpu_rt_period"), &format!("{path}.cpu_rt_period")),
        cpu_rt_runtime: reader.number(service.get("cpu_rt_runtime"), &format!("{path}.cpu_rt_runtime")),
        cpuset: text(service, "cpuset"),
        memory: either("mem_limit", limits, "memory"),
        memory_reservation: either("mem_reservation", reservations, "memory"),
        memory_swap: service.text("memswap_limit").and_then(|text| text.parse().ok()),
        memory_swappiness: size(service, "mem_swappiness"),
        blkio: service.get("blkio_config").map(|node| blkio(node, path, reader)).unwrap_or_default(),
        pids: reader.number(pids, &format!("{path}.pids_limit")),
        oom_score_adj: reader.number(service.get("oom_score_adj"), &format!("{path}.oom_score_adj")),
        oom_kill_disable: flag(service, "oom_kill_disable"),
        shm_size: size(service, "shm_size"),
        ulimits: ulimits(service, path, reader),
    }
}

/// The lists of limits at single devices, and what they limit.
const THROTTLES: [(&str, Throttled); 4] = [
    ("device_read_bps", Throttled::ReadBytes),
    ("device_write_bps", Throttled::WriteBytes),
    ("device_read_iops", Throttled::Reads),
    ("device_write_iops", Throttled::Writes),
];

fn blkio(node: &Node, path: &str, reader: &mut Reader) -> Blkio {
    let path = format!("{path}.blkio_config");
    let items = |key: &str| node.get(key).map_or(&[][..], Node::items);
    let throttle =
        |item: &Node, what| Some(Throttle { device: text(item, "path")?.into(), what, rate: size(item, "rate")? });
    let of_kind = |(key, what): (&str, Throttled)| items(key).iter().filter_map(move |item| throttle(item, what));
    let mut weight = |node: Option<&Node>| reader.number(node, &format!("{path}.weight"));
    Blkio {
        weight: weight(node.get("weight")),
        weight_devices: items("weight_device")
            .iter()
            .filter_map(|item| {
                Some(DeviceWeight { device: text(item, "path")?.into(), weight: weight(item.get("weight"))? })
            })
            .collect(),
        throttles: THROTTLES.into_iter().flat_map(of_kind).collect(),
    }
}

/// Reads `ulimits` of a service or of a build.
pub(super) fn ulimits(node: &Node, path: &str, reader: &mut Reader) -> BTreeMap<String, Ulimit> {
    let entries = node.get("ulimits").map_or(&[][..], Node::entries);
    entries.iter().filter_map(|entry| Some((entry.key.clone(), ulimit(entry, path, reader)?))).collect()
}

fn nano_cpus(text: &str) -> Option<NanoCpus> {
    let cpus: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within the range")]
    (0.0..1e9).contains(&cpus).then(|| NanoCpus((cpus * 1e9).round() as u64))
}

/// Reads one limit; -1 is unlimited.
fn ulimit(entry: &Entry, path: &str, reader: &mut Reader) -> Option<Ulimit> {
    let path = format!("{path}.ulimits.{}", entry.key);
    let limit = |text: &str| if text == "-1" { Some(None) } else { text.parse().ok().map(Some) };
    let mut read = |node: Option<&Node>| reader.parse(node, &path, "a number or -1", limit);
    match &entry.value.value {
        Value::Map(_) => Some(Ulimit { soft: read(entry.value.get("soft"))?, hard: read(entry.value.get("hard"))? }),
        _ => read(Some(&entry.value)).map(|both| Ulimit { soft: both, hard: both }),
    }
}
