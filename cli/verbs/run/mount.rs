//! The mounts of `run`'s flags.

use std::path::{Path, PathBuf};

use lighter_engine::{BindPropagation, Mount, MountKind, VolumesFrom};

use super::flags::MountFlags;
use super::parse;
use crate::context::Context;
use crate::error::Failure;

/// Returns all mounts that the flags ask for.
pub(super) fn all(ctx: &Context, flags: &MountFlags) -> Result<Vec<Mount>, Failure> {
    let here = &ctx.invocation.working_directory;
    let mut mounts = Vec::new();
    for text in &flags.volume {
        mounts.push(volume(text, here)?);
    }
    for text in &flags.mount {
        mounts.push(mount(text, here)?);
    }
    for text in &flags.tmpfs {
        mounts.push(tmpfs(text)?);
    }
    Ok(mounts)
}

/// Reads `--volumes-from`: `container[:ro]`.
pub(super) fn lenders(flags: &MountFlags) -> Result<Vec<VolumesFrom>, Failure> {
    let wrong = |text: &String| Failure::text(format!("--volumes-from `{text}`: use CONTAINER[:ro|:rw]"));
    flags.volumes_from.iter().map(|text| VolumesFrom::parse(text).ok_or_else(|| wrong(text))).collect()
}

/// Reads `-v`: `/in`, `name:/in[:options]` or `/host:/in[:options]`.
pub(crate) fn volume(text: &str, working_directory: &Path) -> Result<Mount, Failure> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return Err(Failure::text(format!("-v `{text}`: use SOURCE:TARGET[:OPTIONS]"))),
    };
    let mut mount = Mount { target: target.to_owned(), read_only: false, kind: kind(source, working_directory) };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        apply_option(&mut mount, option)
            .map_err(|()| Failure::text(format!("-v `{text}`: option `{option}` is not supported")))?;
    }
    Ok(mount)
}

fn kind(source: Option<&str>, working_directory: &Path) -> MountKind {
    match source {
        Some(path) if path.starts_with(['/', '.', '~']) => MountKind::Bind {
            source: clean(&working_directory.join(path)),
            create: true,
            propagation: BindPropagation::Rprivate,
        },
        Some(name) => MountKind::Volume { name: name.to_owned(), anonymous: false, no_copy: false, subpath: None },
        None => anonymous(),
    }
}

fn anonymous() -> MountKind {
    let name = lighter_engine::random_name();
    MountKind::Volume { name, anonymous: true, no_copy: false, subpath: None }
}

fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

fn apply_option(mount: &mut Mount, option: &str) -> Result<(), ()> {
    match option {
        "ro" => {
            mount.read_only = true;
            return Ok(());
        }
        // no SELinux labels to change where SELinux is not; the others are of Docker Desktop, without effect on Linux
        "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" => return Ok(()),
        "nocopy" => {
            if let MountKind::Volume { no_copy, .. } = &mut mount.kind {
                *no_copy = true;
                return Ok(());
            }
            return Err(());
        }
        _ => {}
    }
    match (&mut mount.kind, propagation(option)) {
        (MountKind::Bind { propagation, .. }, Some(wanted)) => {
            *propagation = wanted;
            Ok(())
        }
        _ => Err(()),
    }
}

fn propagation(word: &str) -> Option<BindPropagation> {
    Some(match word {
        "rprivate" => BindPropagation::Rprivate,
        "private" => BindPropagation::Private,
        "rshared" => BindPropagation::Rshared,
        "shared" => BindPropagation::Shared,
        "rslave" => BindPropagation::Rslave,
        "slave" => BindPropagation::Slave,
        _ => return None,
    })
}

/// Reads `--mount`: `type=bind,source=/x,target=/y,readonly`.
pub(crate) fn mount(text: &str, working_directory: &Path) -> Result<Mount, Failure> {
    let wrong = |why: String| Failure::text(format!("--mount `{text}`: {why}"));
    let fields = Fields::read(text).map_err(wrong)?;
    let target = fields.target.clone().filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| wrong("target is missing".into()))?;
    let kind = fields.kind(working_directory).map_err(wrong)?;
    Ok(Mount { target, read_only: fields.read_only, kind })
}

/// What `--mount` says.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    size: Option<u64>,
    mode: Option<u32>,
    no_copy: bool,
    subpath: Option<String>,
    propagation: BindPropagation,
    create: bool,
}

impl Fields {
    fn read(text: &str) -> Result<Self, String> {
        let mut fields = Self::default();
        for field in values(text) {
            let (key, value) = field.split_once('=').unwrap_or((&field, ""));
            fields.set(&key.to_ascii_lowercase(), value)?;
        }
        Ok(fields)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let yes = !matches!(value, "false" | "0");
        match key {
            "type" => self.kind = Some(value.to_owned()),
            "source" | "src" => self.source = Some(value.to_owned()),
            "target" | "destination" | "dst" => self.target = Some(value.to_owned()),
            "readonly" | "ro" => self.read_only = yes,
            "tmpfs-size" => self.size = Some(parse::bytes(value).map_err(|failure| failure.to_string())?),
            "tmpfs-mode" => {
                let mode = u32::from_str_radix(value, 8).map_err(|_| format!("`{value}` is no octal mode"))?;
                self.mode = Some(mode);
            }
            "volume-nocopy" => self.no_copy = yes,
            "volume-subpath" | "image-subpath" => self.subpath = Some(value.to_owned()),
            "bind-propagation" => {
                self.propagation = propagation(value).ok_or_else(|| format!("`{value}` is no propagation"))?;
            }
            "bind-create-src" => self.create = yes,
            // what is mounted below comes along, read-only too if the mount is: as docker's default
            "bind-recursive" if matches!(value, "enabled" | "readonly") => {}
            // of Docker Desktop; without effect on Linux there too
            "consistency" => {}
            "volume-driver" if value == "local" => {}
            "bind-recursive" | "volume-driver" => return Err(format!("{key}={value} is not supported")),
            _ => return Err(format!("`{key}` is not supported")),
        }
        Ok(())
    }

    fn kind(&self, working_directory: &Path) -> Result<MountKind, String> {
        let subpath = self.subpath.clone();
        Ok(match (self.kind.as_deref().unwrap_or("volume"), &self.source) {
            ("bind", Some(path)) => MountKind::Bind {
                source: clean(&working_directory.join(path)),
                create: self.create,
                propagation: self.propagation,
            },
            ("bind", None) => return Err("source is missing".into()),
            ("tmpfs", _) => MountKind::Tmpfs { size: self.size, mode: self.mode, options: Vec::new() },
            ("volume", Some(name)) => {
                MountKind::Volume { name: name.clone(), anonymous: false, no_copy: self.no_copy, subpath }
            }
            ("volume", None) => anonymous(),
            ("image", Some(name)) => MountKind::Image { reference: name.clone(), id: String::new(), subpath },
            ("image", None) => return Err("source is missing".into()),
            (other, _) => return Err(format!("type `{other}` is not supported: use bind, volume, tmpfs or image")),
        })
    }
}

/// Splits a line of comma-separated values; a quoted one may hold commas, and a doubled quote stands for one (RFC 4180).
fn values(text: &str) -> Vec<String> {
    let (mut values, mut quoted) = (vec![String::new()], false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let last = values.last_mut().expect("there is one from the beginning");
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => last.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            c => last.push(c),
        }
    }
    values
}

/// Reads `--tmpfs`: `/run[:size=64m,mode=1777]`.
pub(crate) fn tmpfs(text: &str) -> Result<Mount, Failure> {
    let (target, list) = text.split_once(':').unwrap_or((text, ""));
    let (mut size, mut mode, mut options, mut read_only) = (None, None, Vec::new(), false);
    for option in list.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", value)) if !value.ends_with('%') => size = Some(parse::bytes(value)?),
            Some(("mode", value)) => {
                let octal = u32::from_str_radix(value, 8);
                mode = Some(octal.map_err(|_| Failure::text(format!("--tmpfs `{text}`: `{value}` is no octal mode")))?);
            }
            None if option == "ro" => read_only = true,
            _ => options.push(option.to_owned()),
        }
    }
    Ok(Mount { target: target.to_owned(), read_only, kind: MountKind::Tmpfs { size, mode, options } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn volumes_are_binds_names_or_anonymous() {
        let here = Path::new("/home/me");
        let bind = volume("./src:/app:ro", here).unwrap();
        assert!(bind.read_only);
        assert!(
            matches!(bind.kind, MountKind::Bind { source, create: true, .. } if source == Path::new("/home/me/src"))
        );
        assert!(
            matches!(volume("db:/data", here).unwrap().kind, MountKind::Volume { name, anonymous: false, .. } if name == "db")
        );
        assert!(matches!(volume("/data", here).unwrap().kind, MountKind::Volume { anonymous: true, .. }));
        assert!(volume("a:/b:frobnicate", here).is_err());
    }

    #[test]
    fn a_mount_in_long_form_may_quote_what_has_commas() {
        assert_eq!(values(r#"type=bind,"src=/a,b",dst=/c"#), ["type=bind", "src=/a,b", "dst=/c"]);
        let bind = mount(r#"type=bind,"src=/a,b",dst=/c,bind-propagation=rslave"#, Path::new("/")).unwrap();
        let expected = MountKind::Bind { source: "/a,b".into(), create: false, propagation: BindPropagation::Rslave };
        assert_eq!(bind.kind, expected);
        for wrong in
            ["type=bind,dst=/a", "type=cluster,src=a,dst=/b", "src=a", "dst=/a,volume-driver=nfs", "dst=/a,x=y"]
        {
            assert!(mount(wrong, Path::new("/")).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_mount_panics(text: String) {
            let _ = (mount(&text, Path::new("/")), volume(&text, Path::new("/")), tmpfs(&text));
        }
    }
}
