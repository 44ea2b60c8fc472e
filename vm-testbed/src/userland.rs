//! The guest's root file system.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::{self, Apt};
use crate::cache::{self, Cache};
use crate::disk;
use crate::images::Images;
use crate::tree::Tree;

/// busybox's init: one set-up, one command, scripts of services when the machine goes down; pid 1 reaps what is left to it. Our
/// scripts come with each run's files.
const INITTAB: &str = "::sysinit:/files/setup.sh\n::once:/files/run.sh\n\
                       ::shutdown:/bin/sh -c 'for script in /etc/rc6.d/K*; do [ ! -x $script ] || $script stop; done'\n";

/// The command as a service; it may manage the cgroups below its own, as a container runtime's user expects.
const UNIT: &str = "[Unit]\nAfter=basic.target dbus.service\n[Service]\nExecStart=/files/run.sh\nDelegate=yes\n\
                    TasksMax=infinity\nOOMPolicy=continue\n[Install]\nWantedBy=multi-user.target\n";

/// Units that only cost time in a machine that lives for minutes and has no console to log in at.
const MASKED: [&str; 12] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "getty.target",
    "ldconfig.service",
    "serial-getty@ttyS0.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-timesyncd.service",
];

/// Space, in MiB, for what a guest writes to its root.
const SPARE: u64 = 8 * 1024;

/// A userland that is ready to be booted.
pub(crate) struct Userland {
    pub(crate) disk: PathBuf,
    /// Its packages, as `name version`.
    pub(crate) versions: Vec<String>,
    /// Its programs also serve the host: to make file systems, to unpack kernels.
    pub(crate) tree: Tree,
}

impl Userland {
    /// Prepares `base` and `sets`; with `systemd` among the sets, that is pid 1, else busybox.
    pub(crate) fn prepare(cache: &Cache, images: &Images, sets: &[&str]) -> Result<Self> {
        let packages = images.packages(sets)?;
        let suite = &images.userland.suite;
        let mut ingredients = vec![suite.as_str(), INITTAB, UNIT];
        ingredients.extend(&packages);
        let name = std::iter::once("userland").chain(sets.iter().copied()).collect::<Vec<_>>().join("-");
        let part = cache.part(&name, &ingredients, |part| {
            let apt = Apt::open(cache, suite)?;
            let archives = part.join("archives");
            apt.download_with_dependencies(&packages, &archives)?;
            fs::write(part.join("versions"), apt::versions(&archives)?.join("\n"))?;
            let tree = Tree::create(part.join("tree"))?;
            tree.unpack(&archives)?;
            cache::remove(&archives)?;
            finish(tree.root(), sets.contains(&"systemd")).context("finish what scripts of packages would do")?;
            disk::from_folder(&tree, tree.root(), &part.join("disk"), SPARE)
        })?;
        let versions = fs::read_to_string(part.join("versions"))?.lines().map(str::to_owned).collect();
        Ok(Self { disk: part.join("disk"), versions, tree: Tree::at(part.join("tree")) })
    }
}

/// Does what is needed of the packages' scripts, and adds our own.
fn finish(root: &Path, systemd: bool) -> Result<()> {
    for directory in
        ["dev", "etc", "files", "out", "proc", "root", "run", "state", "sys", "tmp", "usr/lib/modules", "var/tmp"]
    {
        fs::create_dir_all(root.join(directory))?;
    }
    for directory in ["tmp", "var/tmp"] {
        fs::set_permissions(root.join(directory), PermissionsExt::from_mode(0o1777))?;
    }
    for file in ["passwd", "group"] {
        fs::copy(root.join(format!("usr/share/base-passwd/{file}.master")), root.join("etc").join(file))?;
    }
    link("mawk", &root.join("usr/bin/awk"))?;
    link("dash", &root.join("usr/bin/sh"))?;
    // Some packages bring it as a directory, which the scripts of base-files replace.
    let _absent = fs::remove_dir_all(root.join("var/run"));
    link("/run", &root.join("var/run"))?;
    fs::write(root.join("etc/hostname"), "guest\n")?;
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost guest\n")?;
    fs::write(root.join("etc/resolv.conf"), "")?;
    // Scenarios mount their own over it.
    fs::write(root.join("etc/shadow"), "")?;
    if systemd { finish_systemd(root) } else { finish_busybox(root) }
}

fn finish_busybox(root: &Path) -> Result<()> {
    // Where scripts of services are looked for.
    for folder in ["etc/init.d", "etc/rc.d", "etc/rc6.d"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/inittab"), INITTAB)?;
    fs::write(root.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n")?;
    link("../bin/busybox", &root.join("usr/sbin/init"))
}

fn finish_systemd(root: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    fs::create_dir_all(units.join("multi-user.target.wants"))?;
    fs::create_dir_all(root.join("etc/sysusers.d"))?;
    fs::write(root.join("etc/machine-id"), "")?;
    fs::write(root.join("etc/sysusers.d/vm.conf"), "u messagebus - \"dbus\"\n")?;
    fs::write(units.join("vm.service"), UNIT)?;
    link("../vm.service", &units.join("multi-user.target.wants/vm.service"))?;
    link("/usr/lib/systemd/system/multi-user.target", &units.join("default.target"))?;
    MASKED.iter().try_for_each(|unit| link("/dev/null", &units.join(unit)))
}

/// Makes `path` a link to `target`, in place of whatever is there.
fn link(target: &str, path: &Path) -> Result<()> {
    let _absent = fs::remove_file(path);
    symlink(target, path).with_context(|| format!("link `{}`", path.display()))
}
