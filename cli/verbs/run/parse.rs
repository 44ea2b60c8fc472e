//! The small languages of `run`'s flags. Pure.

use std::time::Duration;

use lighter_engine::{Device, DeviceRequest, PublishedPort, Ulimit};

use crate::error::Failure;

/// Reads `64m`, `1.5g`, `1024`: bytes, units of 1024 as docker has them.
pub(crate) fn bytes(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::text(format!("`{text}` is no size: use a number with b, k, m, g or t"));
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match lower[digits.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    if !number.is_finite() || number < 0.0 || number * factor as f64 > u64::MAX as f64 / 2.0 {
        return Err(wrong());
    }
    Ok((number * factor as f64) as u64)
}

/// Reads `1m30s`, `500ms`, or a number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, Failure> {
    let wrong = || Failure::text(format!("`{text}` is no duration: use 30s, 1m30s or 500ms"));
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()).ok_or_else(wrong)
}

/// Reads `--device`: `/dev/x[:/dev/y[:rwm]]`.
pub(crate) fn device(text: &str) -> Device {
    let mut parts = text.split(':');
    let source = parts.next().unwrap_or_default();
    let (mut target, mut permissions) = (source, "rwm");
    for part in parts {
        if part.starts_with('/') { target = part } else { permissions = part }
    }
    Device { source: source.into(), target: target.to_owned(), permissions: permissions.to_owned() }
}

/// Reads `--gpus`: `all`, a number, or `device=0,1`, with `driver=` and `capabilities=` beside it; returns CDI names.
pub(crate) fn gpus(text: &str) -> Result<Vec<String>, Failure> {
    let wrong = |why: &str| Failure::text(format!("--gpus `{text}`: {why}"));
    let mut request = DeviceRequest::default();
    let mut is_all = false;
    let mut fields = text.trim_matches('"').split(',').peekable();
    while let Some(field) = fields.next() {
        match field.split_once('=').unwrap_or(("count", field)) {
            ("count", "all" | "-1") => is_all = true,
            ("count", number) if number.parse::<u16>().is_ok() => request.count = number.parse().ok(),
            ("device", first) => {
                request.ids.push(first.to_owned());
                // the list goes on until the next key
                request.ids.extend(std::iter::from_fn(|| {
                    fields
                        .next_if(|field| !field.contains('=') || lighter_engine::is_cdi_name(field))
                        .map(str::to_owned)
                }));
            }
            ("driver", driver) => request.driver = driver.to_owned(),
            ("capabilities" | "options", _) => {}
            _ => return Err(wrong("use all, a number, or device=NAME,…")),
        }
    }
    if !is_all && request.count.is_none() && request.ids.is_empty() {
        request.count = Some(0); // a driver alone asks for nothing
    }
    request.names().map_err(|error| wrong(&error.to_string()))
}

/// Reads `-p`: `[address:][host:]port[/protocol]`, ports or ranges of equal length, or a range of the host for one port, of
/// which the first free one is taken.
pub(crate) fn publish(text: &str) -> Result<Vec<PublishedPort>, Failure> {
    let wrong = |why: &str| Failure::text(format!("-p `{text}`: {why}"));
    let (rest, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong("the protocol is none of tcp, udp, sctp"));
    }
    let (rest, target) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (address, host) = match rest.rsplit_once(':') {
        Some((address, host)) => (address, host),
        None if rest.contains('.') => (rest, ""),
        None => ("", rest),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let host_ip = match address {
        "" => None,
        address => Some(address.parse().map_err(|_| wrong("the address is none"))?),
    };
    let to = |target, hosts: Option<(u16, u16)>| PublishedPort {
        host_ip,
        host_port: hosts.map(|(first, _)| first),
        last_host_port: hosts.map(|(_, last)| last),
        target,
        protocol: protocol.clone(),
    };
    let targets = range(target).ok_or_else(|| wrong("the port is none from 1 to 65535"))?;
    // any that is free
    if host.is_empty() || host == "0" {
        return Ok(targets.map(|target| to(target, None)).collect());
    }
    let hosts = range(host).ok_or_else(|| wrong("the host port is none from 1 to 65535"))?;
    if targets.len() == 1 {
        return Ok(targets.map(|target| to(target, Some((*hosts.start(), *hosts.end())))).collect());
    }
    if hosts.len() != targets.len() {
        return Err(wrong("the two ranges have different lengths"));
    }
    Ok(hosts.zip(targets).map(|(host, target)| to(target, Some((host, host)))).collect())
}

/// Reads `--expose`.
pub(crate) fn exposed(text: &str) -> String {
    if text.contains('/') { text.to_owned() } else { format!("{text}/tcp") }
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

/// Reads `--ulimit`: `nofile=1024[:2048]`, -1 = unlimited.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, Failure> {
    let wrong = || Failure::text(format!("--ulimit `{text}`: use NAME=SOFT[:HARD]"));
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let number = |text: &str| if text == "-1" { Ok(u64::MAX) } else { text.parse().map_err(|_| wrong()) };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    Ok(Ulimit { name: name.to_owned(), soft: number(soft)?, hard: number(hard)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(
            ["0", "64m", "1.5g", "10kb", "2GiB"].map(|text| bytes(text).unwrap()),
            [0, 64 << 20, 3 << 29, 10 << 10, 2 << 30]
        );
        assert!(bytes("m").is_err() && bytes("-1").is_err() && bytes("1x").is_err() && bytes("1e999").is_err());
    }

    #[test]
    fn gpus_are_names_of_devices() {
        assert_eq!(gpus("all").unwrap(), ["nvidia.com/gpu=all"]);
        assert_eq!(gpus("2").unwrap(), ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]);
        let wish = "\"device=0,GPU-3f,capabilities=utility\"";
        assert_eq!(gpus(wish).unwrap(), ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-3f"]);
        assert_eq!(gpus("driver=amd,count=1").unwrap(), ["amd.com/gpu=0"]);
        assert_eq!(gpus("driver=cdi,device=a.com/tpu=x,a.com/tpu=y").unwrap(), ["a.com/tpu=x", "a.com/tpu=y"]);
        assert!(gpus("some").is_err() && gpus("driver=x").is_err());
    }

    #[test]
    fn ports_are_read_in_all_their_forms() {
        let one = |text: &str| {
            let port = publish(text).unwrap().remove(0);
            (port.host_ip.map(|ip| ip.to_string()), port.host_port, port.target, port.protocol)
        };
        assert_eq!(one("80"), (None, None, 80, "tcp".into()));
        assert_eq!(one("8080:80/udp"), (None, Some(8080), 80, "udp".into()));
        assert_eq!(one("127.0.0.1:8080:80"), (Some("127.0.0.1".into()), Some(8080), 80, "tcp".into()));
        assert_eq!(one("127.0.0.1::80"), (Some("127.0.0.1".into()), None, 80, "tcp".into()));
        assert_eq!(one("[::1]:8080:80").0, Some("::1".into()));
        assert_eq!(publish("9000-9002:80-82").unwrap().len(), 3);
        let any = publish("9000-9002:80").unwrap();
        assert_eq!((any.len(), any[0].host_port, any[0].last_host_port), (1, Some(9000), Some(9002)));
        for bad in ["", "0", "x", "80-70", "1:2:3:4", "9000-9001:80-82", "80/icmp", "65536"] {
            assert!(publish(bad).is_err(), "{bad}");
        }
    }
}
