//! `develop`.

use std::path::PathBuf;

use super::hook::hook;
use super::reader::{flag, text, texts};
use crate::model::{WatchAction, WatchRule};
use crate::yaml::Node;

pub(super) fn read(service: &Node) -> Vec<WatchRule> {
    let rules = service.get("develop").and_then(|develop| develop.get("watch")).map_or(&[][..], Node::items);
    rules.iter().filter_map(rule).collect()
}

fn rule(node: &Node) -> Option<WatchRule> {
    Some(WatchRule {
        action: node.text("action").and_then(WatchAction::from_word)?,
        path: PathBuf::from(node.text("path")?),
        target: text(node, "target"),
        ignore: texts(node, "ignore"),
        include: texts(node, "include"),
        initial_sync: flag(node, "initial_sync"),
        exec: node.get("exec").map(hook),
    })
}
