//! Limits.

use lighter_engine::{Resources, Ulimit};

use crate::model::Service;

pub(super) fn resources(service: &Service) -> Resources {
    let resources = &service.resources;
    Resources {
        memory: resources.memory,
        memory_swap: resources.memory_swap,
        memory_reservation: resources.memory_reservation,
        nano_cpus: resources.cpus.map(|cpus| cpus.0).filter(|cpus| *cpus > 0),
        cpu_shares: resources.cpu_shares,
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpuset_cpus: resources.cpuset.clone(),
        pids: resources.pids,
        oom_kill_disable: resources.oom_kill_disable,
        cpuset_mems: None,
        cpu_rt_period: resources.cpu_rt_period,
        cpu_rt_runtime: resources.cpu_rt_runtime,
        memory_swappiness: resources.memory_swappiness,
        blkio_weight: resources.blkio.weight,
        blkio_weight_devices: resources.blkio.weight_devices.clone(),
        blkio_throttles: resources.blkio.throttles.clone(),
    }
}

pub(super) fn ulimits(service: &Service) -> Vec<Ulimit> {
    let limits = service.resources.ulimits.iter();
    let value = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    limits
        .map(|(name, limit)| Ulimit { name: name.clone(), soft: value(limit.soft), hard: value(limit.hard) })
        .collect()
}
