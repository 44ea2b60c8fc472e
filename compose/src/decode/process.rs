//! What a service runs.

use super::reader::{Reader, duration, flag, pairs, text, texts};
use crate::model::Process;
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Process {
    let words = |key| service.get(key).filter(|node| !node.is_null()).map(|_| texts(service, key));
    let environment = service.get("environment").map_or(&[][..], Node::entries);
    Process {
        entrypoint: words("entrypoint"),
        command: words("command"),
        environment: pairs(service, "environment"),
        unset: environment.iter().filter(|entry| entry.value.is_null()).map(|entry| entry.key.clone()).collect(),
        working_dir: text(service, "working_dir"),
        user: text(service, "user"),
        group_add: texts(service, "group_add"),
        tty: flag(service, "tty"),
        stdin_open: flag(service, "stdin_open"),
        init: flag(service, "init"),
        stop_signal: reader.parse(service.get("stop_signal"), &format!("{path}.stop_signal"), "a signal", signal),
        stop_grace_period: duration(service, "stop_grace_period"),
    }
}

/// Returns the text of a signal that is one.
fn signal(text: &str) -> Option<String> {
    lighter_engine::signal::parse(text).is_ok().then(|| text.to_owned())
}
