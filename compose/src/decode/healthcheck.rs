//! `healthcheck`.

use super::reader::{Reader, duration, flag, texts};
use crate::model::{Healthcheck, Probe};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Option<Healthcheck> {
    let node = service.get("healthcheck")?;
    Some(Healthcheck {
        probe: probe(node, path, reader),
        interval: duration(node, "interval"),
        timeout: duration(node, "timeout"),
        retries: reader.number(node.get("retries"), &format!("{path}.healthcheck.retries")),
        start_period: duration(node, "start_period"),
        start_interval: duration(node, "start_interval"),
    })
}

fn probe(node: &Node, path: &str, reader: &mut Reader) -> Probe {
    if flag(node, "disable") {
        return Probe::Disabled;
    }
    let words = texts(node, "test");
    match words.split_first().map(|(kind, words)| (kind.as_str(), words)) {
        None => Probe::Inherit,
        Some(("NONE", _)) => Probe::Disabled,
        Some(("CMD-SHELL", [line])) => Probe::Shell(line.clone()),
        Some(("CMD", words)) if !words.is_empty() => Probe::Exec(words.to_vec()),
        Some((kind, _)) => {
            reader.refuse(node, format!("`{path}.healthcheck.test` has nothing to run after {kind}, or too much"));
            Probe::Disabled
        }
    }
}
