//! Mounts of the runtime configuration: the standard ones, /etc's files, and what the container asks for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount as OciMount, MountBuilder};

use super::{ConfigError, Context};
use crate::runtime::defaults;
use crate::spec::{Ipc, Mount, MountKind};

/// Returns all mounts in the order in which they are to be made: parents before children.
pub(super) fn mounts(context: &Context<'_>) -> Result<Vec<OciMount>, ConfigError> {
    let spec = context.spec;
    let asked: Vec<&str> = spec.mounts.iter().map(|mount| mount.target.trim_end_matches('/')).collect();
    let mut mounts = Vec::new();
    for mount in defaults::mounts() {
        // a volume at /dev/shm takes its place
        if asked.iter().any(|target| Path::new(target) == mount.destination().as_path()) {
            continue;
        }
        match (mount.destination().to_str(), &context.joined.shm, &spec.isolation.ipc) {
            (Some("/dev/shm"), _, Ipc::None) => {}
            (Some(target @ "/dev/shm"), Some(source), _) => {
                mounts.push(bind(target, source, &["rbind", "rprivate", "nosuid", "nodev", "noexec"])?);
            }
            _ => mounts.push(standard(mount, context)),
        }
    }
    let files = [
        ("/etc/resolv.conf", &context.etc.resolv_conf),
        ("/etc/hostname", &context.etc.hostname),
        ("/etc/hosts", &context.etc.hosts),
    ];
    for (target, source) in files {
        if !asked.contains(&target) {
            mounts.push(mapped(bind(target, source, &["rbind", "rprivate"])?, context));
        }
    }
    let mut own = spec.mounts.iter().zip(context.sources).collect::<Vec<_>>();
    own.sort_by_key(|(mount, _)| Path::new(&mount.target).components().count());
    for (mount, source) in own {
        let is_image = matches!(mount.kind, MountKind::Image { .. }); // overlayfs, whose ids cannot be mapped
        let one = asked_for(mount, source.as_ref())?;
        mounts.push(if is_image { one } else { mapped(one, context) });
    }
    Ok(mounts)
}

/// Shows the files of a bind mount with the ids that they have on disk, if the container has users of its own.
fn mapped(mut mount: OciMount, context: &Context<'_>) -> OciMount {
    if let Some((ids, _)) = &context.users
        && mount.typ().as_deref() == Some("bind")
    {
        let [uids, gids] = ids.maps();
        mount.set_uid_mappings(Some(uids)).set_gid_mappings(Some(gids));
    }
    mount
}

fn standard(mut mount: OciMount, context: &Context<'_>) -> OciMount {
    let isolation = &context.spec.isolation;
    let mut options = mount.options().clone().unwrap_or_default();
    match mount.destination().to_str() {
        Some("/dev/shm") => {
            options.retain(|option| !option.starts_with("size="));
            options.push(format!("size={}", context.spec.shm_size));
        }
        // a privileged container may change the kernel's settings
        Some(target @ ("/sys" | "/sys/fs/cgroup"))
            if isolation.privileged || (isolation.writable_cgroups && target != "/sys") =>
        {
            options.retain(|option| option != "ro");
            options.push("rw".to_owned());
        }
        _ => {}
    }
    mount.set_options(Some(options));
    mount
}

fn asked_for(mount: &Mount, source: Option<&PathBuf>) -> Result<OciMount, ConfigError> {
    let access = if mount.read_only { "rro" } else { "rw" };
    match (&mount.kind, source) {
        (MountKind::Tmpfs { size, mode, options }, _) => {
            let mut all = vec!["nosuid".to_owned(), "nodev".to_owned(), "noexec".to_owned()];
            // what is asked for explicitly undoes the default of the same name
            all.retain(|default| !options.iter().any(|option| default.strip_prefix("no") == Some(option.as_str())));
            all.extend(size.map(|size| format!("size={size}")));
            all.extend(mode.map(|mode| format!("mode={mode:o}")));
            all.extend(options.iter().cloned());
            if mount.read_only {
                all.push("ro".to_owned());
            }
            let builder = MountBuilder::default().destination(&mount.target).typ("tmpfs").source("tmpfs");
            Ok(builder.options(all).build()?)
        }
        (MountKind::Bind { propagation, .. }, Some(source)) => {
            bind(&mount.target, source, &["rbind", propagation.option(), access])
        }
        (_, source) => {
            let source = source.map_or(Path::new("/nonexistent"), PathBuf::as_path);
            bind(&mount.target, source, &["rbind", "rprivate", "nodev", access])
        }
    }
}

fn bind(target: &str, source: &Path, options: &[&str]) -> Result<OciMount, ConfigError> {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    Ok(MountBuilder::default().destination(target).typ("bind").source(source).options(options).build()?)
}
