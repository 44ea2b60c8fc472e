//! `config.json`, from one that every runtime takes to the one a test needs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A configuration that is being written.
pub(crate) struct Config {
    value: Value,
    bundle: PathBuf,
}

impl Config {
    /// A container of busybox with the usual file systems and a namespace of each kind but user and time; its program ends at
    /// once.
    pub(super) fn new(bundle: &Path, id: &str) -> Self {
        let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
        let capabilities =
            json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_MKNOD", "CAP_SETGID", "CAP_SETUID"]);
        let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map(|kind| json!({"type": kind}));
        let value = json!({
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs"},
            "process": {
                "cwd": "/",
                "args": ["true"],
                "env": ["PATH=/bin"],
                "user": {"uid": 0, "gid": 0},
                "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            },
            "mounts": [
                mount("/proc", "proc", &[]),
                mount("/dev", "tmpfs", &["nosuid", "mode=755", "size=65536k"]),
                mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
                mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
                mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            ],
            "linux": {
                "cgroupsPath": format!("/{id}"),
                "namespaces": namespaces,
            },
        });
        Self { value, bundle: bundle.to_owned() }
    }

    /// Sets the value at a JSON pointer whose parent exists, or whose missing parents are objects.
    pub(crate) fn set(&mut self, pointer: &str, value: Value) -> &mut Self {
        let at = pointer.trim_start_matches('/').split('/').fold(&mut self.value, |at, key| match at {
            Value::Array(elements) => &mut elements[key.parse::<usize>().expect("elements have numbers")],
            object => &mut object[key.replace("~1", "/")],
        });
        *at = value;
        self
    }

    /// Removes the key at a JSON pointer.
    pub(crate) fn remove(&mut self, pointer: &str) -> &mut Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
        self.value.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is an object").remove(key);
        self
    }

    /// Appends to the array at a JSON pointer, making it when it is not there.
    pub(crate) fn push(&mut self, pointer: &str, value: Value) -> &mut Self {
        if let Some(Value::Array(elements)) = self.value.pointer_mut(pointer) {
            elements.push(value);
            return self;
        }
        self.set(pointer, json!([value]))
    }

    /// Makes the program a shell script.
    pub(crate) fn script(&mut self, script: &str) -> &mut Self {
        self.set("/process/args", json!(["sh", "-c", script]))
    }

    /// Makes the program one that stays until a signal ends it, also one that is pid 1.
    pub(crate) fn stays(&mut self) -> &mut Self {
        self.script("trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
    }

    /// Adds a mount.
    pub(crate) fn mount(
        &mut self,
        destination: &str,
        kind: &str,
        source: impl AsRef<Path>,
        options: &[&str],
    ) -> &mut Self {
        let source = source.as_ref().to_str().expect("paths of tests are text");
        let mount = json!({"destination": destination, "type": kind, "source": source, "options": options});
        self.push("/mounts", mount)
    }

    /// Adds a namespace, or replaces the one of its type.
    pub(crate) fn namespace(&mut self, namespace: Value) -> &mut Self {
        let kind = namespace["type"].as_str().expect("a namespace has a type").to_owned();
        self.inherits(&kind).push("/linux/namespaces", namespace)
    }

    /// Takes the namespace of type `kind` away, so that the runtime's is used.
    pub(crate) fn inherits(&mut self, kind: &str) -> &mut Self {
        let namespaces = self.value.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut);
        namespaces.expect("namespaces are an array").retain(|namespace| namespace["type"] != kind);
        self
    }

    /// Adds a hook that runs a shell script of the host, or of the container for `startContainer`.
    pub(crate) fn hook(&mut self, kind: &str, script: &str) -> &mut Self {
        self.push(
            &format!("/hooks/{kind}"),
            json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}),
        )
    }

    /// The bundle's directory, a place for what only this test knows.
    pub(crate) fn bundle(&self) -> &Path {
        &self.bundle
    }

    /// Creates a folder of the bundle, beside its root filesystem.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.bundle.join(name);
        std::fs::create_dir_all(&folder).expect("the bundle is ours");
        folder
    }

    /// Writes a file of the bundle, `rootfs/…` for one of the container.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.bundle.join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the bundle")).expect("the bundle is ours");
        std::fs::write(&path, text).expect("the bundle is ours");
        path
    }

    /// Writes a script of the bundle that can be run, `rootfs/…` for one of the container.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.file(name, &format!("#!/bin/sh\n{script}\n"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("the bundle is ours");
        path
    }

    pub(super) fn write(&self) {
        self.file("config.json", &self.value.to_string());
    }
}
