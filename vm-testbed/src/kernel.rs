//! A stock kernel: its image, its modules, and the first root that mounts the second.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::apt::{self, Apt};
use crate::bzimage::{self, Compression};
use crate::cache::{self, Cache};
use crate::command::{output, text};
use crate::cpio::Archive;
use crate::disk;
use crate::images::Images;
use crate::tree::Tree;

const INIT: &str = include_str!("../guest/init.sh");

/// Modules without which no disk can be mounted; those built in are passed over.
const EARLY: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Files that one call of a program is given: well below the length of a command line.
const BATCH: usize = 200;

/// A kernel that is ready to be booted.
pub(crate) struct Kernel {
    pub(crate) image: PathBuf,
    pub(crate) initrd: PathBuf,
    /// A disk with what belongs to `/usr/lib/modules`.
    pub(crate) modules: PathBuf,
    /// Its packages, as `name version`.
    pub(crate) versions: Vec<String>,
}

impl Kernel {
    /// Prepares the kernel `name` of `images.toml`, with programs of the userland `tools`.
    pub(crate) fn prepare(cache: &Cache, images: &Images, name: &str, tools: &Tree) -> Result<Self> {
        let wanted = images.kernel(name)?;
        let ingredients = [wanted.suite.as_str(), &wanted.package, INIT];
        let part = cache.part(&format!("kernel-{name}"), &ingredients, |part| {
            let apt = Apt::open(cache, &wanted.suite)?;
            let archives = part.join("archives");
            apt.download(&packages(&apt, &wanted.package)?, &archives)?;
            fs::write(part.join("versions"), apt::versions(&archives)?.join("\n"))?;
            let tree = Tree::create(part.join("tree"))?;
            tree.unpack(&archives)?;
            cache::remove(&archives)?;
            make(part, tree.root(), tools)?;
            cache::remove(&part.join("tree"))
        })?;
        let versions = fs::read_to_string(part.join("versions"))?.lines().map(str::to_owned).collect();
        let [image, initrd, modules] = ["image", "initrd", "modules"].map(|file| part.join(file));
        Ok(Self { image, initrd, modules, versions })
    }
}

/// Finds the packages behind a package that depends on the newest kernel; newer suites keep modules in one of their own.
fn packages(apt: &Apt, package: &str) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![package.to_owned()];
    while let Some(package) = open.pop() {
        let parts = apt.depends(&package)?.into_iter().filter(|name| is_part(name) && !found.contains(name));
        let parts: Vec<_> = parts.collect();
        found.extend(parts.iter().cloned());
        open.extend(parts);
    }
    ensure!(!found.is_empty(), "`{package}` depends on no kernel");
    Ok(found)
}

fn is_part(name: &str) -> bool {
    let digits_after =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["linux-image-", "linux-modules-", "linux-binary-"].into_iter().any(digits_after)
}

fn make(part: &Path, root: &Path, tools: &Tree) -> Result<()> {
    let modules = root.join("usr/lib/modules");
    let mut directories = fs::read_dir(&modules).context("the kernel has modules")?;
    let release = directories.next().context("the kernel has modules")??.file_name();
    let release = release.to_string_lossy();
    decompress(&modules, tools)?;
    let depmod = || tools.command("depmod", "usr/bin/kmod");
    output(depmod().arg("-b").arg(root).arg(&*release))?;
    let packed = [root.join(format!("boot/vmlinuz-{release}")), modules.join(format!("{release}/vmlinuz"))];
    let packed = packed.iter().find(|path| path.exists()).context("the package has a kernel")?;
    fs::write(part.join("image"), unpacked(&fs::read(packed)?, tools)?)?;
    let archive = initrd(root, &release, tools).context("make the first root")?;
    fs::write(part.join("initrd"), archive)?;
    disk::from_folder(tools, &modules, &part.join("modules"), 0)
}

/// Unpacks compressed modules: the guest would do it slowly, and each time.
fn decompress(modules: &Path, tools: &Tree) -> Result<()> {
    for (suffix, program, arguments) in [("xz", "xz", &["-d", "-T0"][..]), ("zst", "zstd", &["-dq", "--rm"])] {
        let mut packed = Vec::new();
        disk::visit(modules, &mut |_, path| {
            if path.extension().is_some_and(|extension| extension == suffix) {
                packed.push(path.to_owned());
            }
        })?;
        for batch in packed.chunks(BATCH) {
            output(tools.command(program, &format!("usr/bin/{program}")).args(arguments).args(batch))?;
        }
    }
    Ok(())
}

/// Returns the kernel inside `image`, or `image` where that cannot be had.
fn unpacked(image: &[u8], tools: &Tree) -> Result<Vec<u8>> {
    let Some((range, compression)) = bzimage::payload(image) else { return Ok(image.to_vec()) };
    let name = match compression {
        Compression::Lz4 => "lz4",
        Compression::Xz => "xz",
        Compression::Zstd => "zstd",
    };
    let mut payload = tempfile::tempfile()?;
    payload.write_all(&image[range])?;
    std::io::Seek::rewind(&mut payload)?;
    let mut command = tools.command(name, &format!("usr/bin/{name}"));
    let unpacked = output(command.arg("-dcq").stdin(Stdio::from(payload)));
    Ok(unpacked.ok().filter(|kernel| kernel.starts_with(b"\x7fELF")).unwrap_or_else(|| image.to_vec()))
}

fn initrd(root: &Path, release: &str, tools: &Tree) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    for directory in ["bin", "dev", "modules", "proc", "root", "sys"] {
        archive.directory(directory)?;
    }
    archive.file("bin/busybox", &fs::read(tools.root().join("usr/bin/busybox"))?)?;
    archive.file("init", INIT.as_bytes())?;
    for (number, module) in early_modules(root, release, tools).iter().enumerate() {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.file(&format!("modules/{number:02}-{name}"), &fs::read(module)?)?;
    }
    Ok(archive.finish()?)
}

/// Returns the files of [`EARLY`] and of what they need, in the order in which to load them.
fn early_modules(root: &Path, release: &str, tools: &Tree) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for name in EARLY {
        let mut command = tools.command("modprobe", "usr/bin/kmod");
        command.arg("-d").arg(root).args(["-S", release, "--show-depends", name]);
        // It fails for what this kernel has built in without saying so in modules.builtin.
        let shown = text(&mut command).unwrap_or_default();
        let paths =
            shown.lines().filter_map(|line| line.strip_prefix("insmod ")).map(|path| PathBuf::from(path.trim()));
        for path in paths {
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    files
}

/// Whether `image` starts by PVH, that is, could be unpacked; for `doctor`.
pub(crate) fn is_unpacked(image: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(image).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic)).is_ok()
        && &magic == b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_kernel_have_its_version_in_their_names() {
        assert!(is_part("linux-image-6.1.0-49-cloud-amd64"));
        assert!(is_part("linux-modules-7.2.1-cloud-amd64"));
        assert!(!is_part("linux-image-cloud-amd64"));
        assert!(!is_part("linux-base"));
    }
}
