//! Configs and secrets.

use std::path::PathBuf;

use super::reader::{Reader, flag, text};
use crate::model::{FileContent, FileGrant, FileObject};
use crate::source::Environment;
use crate::yaml::Node;

pub(super) fn read(key: &str, node: &Node, section: &str, variables: &Environment, reader: &mut Reader) -> FileObject {
    let content = if flag(node, "external") {
        let message = format!("`{section}.{key}.external` is not supported: lighter keeps no {section} of its own");
        reader.refuse_with(node, message, "give it as `file: PATH`, or as `environment: VARIABLE`");
        FileContent::External
    } else if let Some(file) = node.text("file") {
        FileContent::File(PathBuf::from(file))
    } else if let Some(name) = node.text("environment") {
        let value = variables.get(name).cloned();
        if value.is_none() {
            reader.refuse(
                node,
                format!("`{section}.{key}` takes its content from the variable `{name}`, which is not set"),
            );
        }
        FileContent::Variable { name: name.to_owned(), value }
    } else {
        FileContent::Inline(text(node, "content").unwrap_or_default())
    };
    FileObject { key: key.to_owned(), name: text(node, "name").unwrap_or_default(), content }
}

/// Reads the configs or secrets of a service; relative targets are below `folder`.
pub(super) fn grants(service: &Node, section: &str, folder: &str, path: &str, reader: &mut Reader) -> Vec<FileGrant> {
    let items = service.get(section).map_or(&[][..], Node::items);
    items.iter().map(|node| grant(node, folder, &format!("{path}.{section}"), reader)).collect()
}

fn grant(node: &Node, folder: &str, path: &str, reader: &mut Reader) -> FileGrant {
    let source = text(node, "source").unwrap_or_default();
    let target = node.text("target").unwrap_or(&source);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") };
    FileGrant {
        target,
        uid: reader.number(node.get("uid"), &format!("{path}.uid")),
        gid: reader.number(node.get("gid"), &format!("{path}.gid")),
        mode: reader.parse(node.get("mode"), &format!("{path}.mode"), "an octal mode", |text| {
            u32::from_str_radix(text, 8).ok()
        }),
        source,
    }
}
