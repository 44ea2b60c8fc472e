//! What a service runs.

use super::reader::{duration, flag, pairs, text, texts};
use crate::model::Process;
use crate::yaml::Node;

pub(super) fn read(service: &Node) -> Process {
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
        stop_signal: text(service, "stop_signal"),
        stop_grace_period: duration(service, "stop_grace_period"),
    }
}
