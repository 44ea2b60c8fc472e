//! `post_start` and `pre_stop`, and the command of a watch.

use super::reader::{Reader, flag, pairs, text, texts};
use crate::model::{Hook, Hooks};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Hooks {
    let mut hooks = |key| {
        let items = service.get(key).map_or(&[][..], Node::items);
        items.iter().filter_map(|node| checked(node, &format!("{path}.{key}"), reader)).collect()
    };
    Hooks { post_start: hooks("post_start"), pre_stop: hooks("pre_stop") }
}

fn checked(node: &Node, path: &str, reader: &mut Reader) -> Option<Hook> {
    let hook = hook(node);
    if hook.command.is_empty() {
        reader.refuse(node, format!("`{path}` has a command without a word"));
        return None;
    }
    Some(hook)
}

pub(super) fn hook(node: &Node) -> Hook {
    Hook {
        command: texts(node, "command"),
        user: text(node, "user"),
        privileged: flag(node, "privileged"),
        working_dir: text(node, "working_dir"),
        environment: pairs(node, "environment"),
    }
}
