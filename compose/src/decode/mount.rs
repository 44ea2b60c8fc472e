//! `volumes` and `tmpfs` of a service.

use std::path::PathBuf;

use super::reader::{Reader, flag, size, text};
use crate::model::{
    BindMount, ImageMount, Lender, Mount, MountKind, Propagation, TmpfsMount, VolumeMount, VolumesFrom,
};
use crate::units;
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Vec<Mount> {
    let volumes = service.get("volumes").map_or(&[][..], Node::items);
    let tmpfs = service.get("tmpfs").map_or(&[][..], Node::items);
    let mut mounts: Vec<_> = volumes.iter().filter_map(|node| mount(node, path, reader)).collect();
    mounts.extend(tmpfs.iter().filter_map(|node| short_tmpfs(node, path, reader)));
    mounts
}

fn mount(node: &Node, path: &str, reader: &mut Reader) -> Option<Mount> {
    let target = target(node, node.text("target")?, path, reader)?;
    let kind = match node.text("type")? {
        "bind" => MountKind::Bind(bind(node, path, reader)),
        "volume" => MountKind::Volume(volume(node)),
        "tmpfs" => MountKind::Tmpfs(tmpfs(node)),
        "image" => MountKind::Image(image(node, path, reader)?),
        other => {
            reader.refuse(node, format!("`{path}.volumes` of type `{other}` is not supported by lighter yet"));
            return None;
        }
    };
    Some(Mount { target, read_only: flag(node, "read_only"), kind })
}

fn target(node: &Node, target: &str, path: &str, reader: &mut Reader) -> Option<String> {
    if target.starts_with('/') && target != "/" {
        return Some(target.to_owned());
    }
    let message = format!("`{path}` mounts at `{target}`, which is no absolute path below the root");
    reader.refuse(node, message);
    // `v:/data` reads as a Windows path: the colon after one letter separates nothing.
    if target.get(1..2) == Some(":")
        && let Some(refusal) = reader.refusals.pop()
    {
        reader.refusals.push(refusal.hint("a volume name of one letter reads as a drive: use the long form"));
    }
    None
}

fn bind(node: &Node, path: &str, reader: &mut Reader) -> BindMount {
    let bind = node.get("bind");
    let field = |key| bind.and_then(|bind| bind.get(key));
    // `enabled` is what is done anyway: mounts below the source come along, read-only ones as read-only as can be.
    if let Some(recursive) = field("recursive").filter(|word| word.as_text() != Some("enabled")) {
        let word = recursive.as_text().unwrap_or_default();
        reader.refuse(recursive, format!("`{path}.volumes.bind.recursive` `{word}` is not supported by lighter yet"));
    }
    let expected = "[r]private, [r]shared or [r]slave";
    let propagation =
        reader.parse(field("propagation"), &format!("{path}.volumes.bind.propagation"), expected, propagation);
    BindMount {
        source: PathBuf::from(node.text("source").unwrap_or_default()),
        create_host_path: field("create_host_path").and_then(Node::as_bool).unwrap_or(true),
        propagation: propagation.unwrap_or_default(),
    }
}

fn propagation(word: &str) -> Option<Propagation> {
    match word {
        "rprivate" => Some(Propagation::Rprivate),
        "private" => Some(Propagation::Private),
        "rshared" => Some(Propagation::Rshared),
        "shared" => Some(Propagation::Shared),
        "rslave" => Some(Propagation::Rslave),
        "slave" => Some(Propagation::Slave),
        _ => None,
    }
}

fn volume(node: &Node) -> VolumeMount {
    let options = node.get("volume");
    VolumeMount {
        key: text(node, "source"),
        no_copy: options.is_some_and(|options| flag(options, "nocopy")),
        subpath: options.and_then(|options| text(options, "subpath")),
    }
}

fn image(node: &Node, path: &str, reader: &mut Reader) -> Option<ImageMount> {
    let Some(reference) = text(node, "source").filter(|source| !source.is_empty()) else {
        reader.refuse(node, format!("`{path}.volumes` of type `image` needs a `source`: the name of the image"));
        return None;
    };
    Some(ImageMount { reference, subpath: node.get("image").and_then(|image| text(image, "subpath")) })
}

/// Reads `volumes_from`: `SERVICE[:MODE]` or `container:NAME[:MODE]`.
pub(super) fn lenders(service: &Node, path: &str, reader: &mut Reader) -> Vec<VolumesFrom> {
    let items = service.get("volumes_from").map_or(&[][..], Node::items);
    let path = format!("{path}.volumes_from");
    let expected = "SERVICE or container:NAME, with `:ro` or `:rw` after it if need be";
    items.iter().filter_map(|node| reader.parse(Some(node), &path, expected, lender)).collect()
}

fn lender(text: &str) -> Option<VolumesFrom> {
    let (name, is_container) = match text.strip_prefix("container:") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let lighter_engine::VolumesFrom { container: name, read_only } = lighter_engine::VolumesFrom::parse(name)?;
    let lender = if is_container { Lender::Container(name) } else { Lender::Service(name) };
    Some(VolumesFrom { lender, read_only })
}

fn tmpfs(node: &Node) -> TmpfsMount {
    let options = node.get("tmpfs");
    let mode = options.and_then(|options| options.get("mode")).and_then(Node::as_int);
    TmpfsMount {
        size: options.and_then(|options| size(options, "size")),
        mode: mode.and_then(|mode| u32::try_from(mode).ok()),
        options: Vec::new(),
    }
}

/// Reads `PATH[:OPTION,…]`.
fn short_tmpfs(node: &Node, path: &str, reader: &mut Reader) -> Option<Mount> {
    let written = node.as_text()?;
    let (place, options) = written.split_once(':').unwrap_or((written, ""));
    let target = target(node, place, &format!("{path}.tmpfs"), reader)?;
    let mut tmpfs = TmpfsMount::default();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", text)) => {
                tmpfs.size = Some(reader.parse(
                    Some(&node.text_here(text)),
                    &format!("{path}.tmpfs"),
                    "a size",
                    units::parse_size,
                )?)
            }
            Some(("mode", text)) => {
                let mode = |text: &str| u32::from_str_radix(text, 8).ok();
                tmpfs.mode =
                    Some(reader.parse(Some(&node.text_here(text)), &format!("{path}.tmpfs"), "an octal mode", mode)?);
            }
            _ => tmpfs.options.push(option.to_owned()),
        }
    }
    let read_only = tmpfs.options.iter().any(|option| option == "ro");
    tmpfs.options.retain(|option| !matches!(option.as_str(), "ro" | "rw"));
    Some(Mount { target, read_only, kind: MountKind::Tmpfs(tmpfs) })
}
