//! From `run`'s flags to limits.

use lighter_engine::{DeviceWeight, Resources, Throttle, Throttled};

use super::flags::LimitFlags;
use super::parse;
use crate::error::Failure;

/// Weights of block I/O (docker-run(1), `--blkio-weight`).
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

/// Returns the limits.
pub(super) fn resources(flags: &LimitFlags) -> Result<Resources, Failure> {
    check(flags)?;
    let bytes = |text: &Option<String>| text.as_deref().map(parse::bytes).transpose();
    let memory_swap = match flags.memory_swap.as_deref() {
        Some("-1") => Some(-1),
        Some(text) => Some(i64::try_from(parse::bytes(text)?)?),
        None => None,
    };
    Ok(Resources {
        memory: bytes(&flags.memory)?,
        memory_swap,
        memory_reservation: bytes(&flags.memory_reservation)?,
        memory_swappiness: flags.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        nano_cpus: flags.cpus.map(|cpus| (cpus * 1e9) as u64),
        cpu_shares: flags.cpu_shares,
        cpu_period: flags.cpu_period,
        cpu_quota: flags.cpu_quota,
        cpu_rt_period: flags.cpu_rt_period,
        cpu_rt_runtime: flags.cpu_rt_runtime,
        cpuset_cpus: flags.cpuset_cpus.clone(),
        cpuset_mems: flags.cpuset_mems.clone(),
        pids: flags.pids_limit,
        blkio_weight: flags.blkio_weight.filter(|weight| *weight != 0),
        blkio_weight_devices: flags.blkio_weight_device.iter().map(weight).collect::<Result<_, _>>()?,
        blkio_throttles: throttles(flags)?,
        oom_kill_disable: flags.oom_kill_disable,
    })
}

/// Refuses what contradicts itself or is out of range, as docker does.
fn check(flags: &LimitFlags) -> Result<(), Failure> {
    let wrong = |why: &str| Err(Failure::text(why));
    if flags.memory_swap.is_some() && flags.memory.is_none() {
        return wrong("--memory-swap needs --memory");
    }
    if flags.cpus.is_some() && (flags.cpu_period.is_some() || flags.cpu_quota.is_some()) {
        return wrong("--cpus and --cpu-period or --cpu-quota contradict each other");
    }
    if flags.cpus.is_some_and(|cpus| !cpus.is_finite() || cpus < 0.0) {
        return wrong("--cpus: the number must not be negative");
    }
    if flags.memory_swappiness.is_some_and(|value| !(-1..=100).contains(&value)) {
        return wrong("--memory-swappiness: use 0 to 100, or -1 for the host's");
    }
    if flags.oom_score_adj.is_some_and(|value| !(-1000..=1000).contains(&value)) {
        return wrong("--oom-score-adj: use -1000 to 1000");
    }
    match flags.blkio_weight {
        Some(weight) if weight != 0 && !WEIGHTS.contains(&weight) => wrong("--blkio-weight: use 10 to 1000, or 0"),
        _ => Ok(()),
    }
}

fn weight(text: &String) -> Result<DeviceWeight, Failure> {
    let read = text.rsplit_once(':').and_then(|(device, weight)| Some((device, weight.parse().ok()?)));
    match read.filter(|(device, weight)| device.starts_with("/dev/") && WEIGHTS.contains(weight)) {
        Some((device, weight)) => Ok(DeviceWeight { device: device.into(), weight }),
        None => Err(Failure::text(format!("--blkio-weight-device `{text}`: use /dev/NAME:WEIGHT, 10 to 1000"))),
    }
}

fn throttles(flags: &LimitFlags) -> Result<Vec<Throttle>, Failure> {
    let kinds = [
        ("--device-read-bps", Throttled::ReadBytes, &flags.device_read_bps),
        ("--device-write-bps", Throttled::WriteBytes, &flags.device_write_bps),
        ("--device-read-iops", Throttled::Reads, &flags.device_read_iops),
        ("--device-write-iops", Throttled::Writes, &flags.device_write_iops),
    ];
    let all = kinds.iter().flat_map(|(flag, what, texts)| texts.iter().map(move |text| throttle(flag, *what, text)));
    all.collect()
}

fn throttle(flag: &str, what: Throttled, text: &str) -> Result<Throttle, Failure> {
    let wrong = || Failure::text(format!("{flag} `{text}`: use /dev/NAME:RATE"));
    let (device, rate) = text.rsplit_once(':').filter(|(device, _)| device.starts_with("/dev/")).ok_or_else(wrong)?;
    let rate = match what {
        Throttled::ReadBytes | Throttled::WriteBytes => parse::bytes(rate)?,
        Throttled::Reads | Throttled::Writes => rate.parse().map_err(|_| wrong())?,
    };
    Ok(Throttle { device: device.into(), what, rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_rates_and_weights() {
        let device = || "/dev/sda".into();
        let read = throttle("--device-read-bps", Throttled::ReadBytes, "/dev/sda:1mb").unwrap();
        assert_eq!(read, Throttle { device: device(), what: Throttled::ReadBytes, rate: 1 << 20 });
        assert_eq!(weight(&"/dev/sda:20".to_owned()).unwrap(), DeviceWeight { device: device(), weight: 20 });
        assert!(throttle("", Throttled::Reads, "/dev/sda:1mb").is_err());
        for wrong in ["/dev/sda", "sda:20", "/dev/sda:5", "/dev/sda:x"] {
            assert!(weight(&wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
