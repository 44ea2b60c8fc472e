//! QEMU: where it comes from, and its command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::accelerator::Accelerator;
use crate::apt::{self, Apt};
use crate::cache::{self, Cache};
use crate::images::Images;
use crate::tree::Tree;

/// QEMU from packages, run where it was unpacked.
pub(crate) struct Emulator {
    tree: Tree,
    /// Its packages, as `name version`.
    pub(crate) versions: Vec<String>,
}

impl Emulator {
    pub(crate) fn prepare(cache: &Cache, images: &Images) -> Result<Self> {
        let wanted = &images.emulator;
        let packages: Vec<_> = wanted.packages.iter().map(String::as_str).collect();
        let ingredients: Vec<_> = std::iter::once(wanted.suite.as_str()).chain(packages.iter().copied()).collect();
        let part = cache.part("emulator", &ingredients, |part| {
            let apt = Apt::open(cache, &wanted.suite)?;
            let archives = part.join("archives");
            apt.download_with_dependencies(&packages, &archives)?;
            fs::write(part.join("versions"), apt::versions(&archives)?.join("\n"))?;
            Tree::create(part.join("tree"))?.unpack(&archives)?;
            cache::remove(&archives)
        })?;
        let versions = fs::read_to_string(part.join("versions"))?.lines().map(str::to_owned).collect();
        Ok(Self { tree: Tree::at(part.join("tree")), versions })
    }

    /// Returns QEMU with `machine`, not yet started; it is killed when the thread that starts it ends.
    pub(crate) fn command(&self, machine: &Machine<'_>) -> Command {
        let share = self.tree.root().join("usr/share");
        let mut command = self.tree.bound_command("qemu-system-x86_64", "usr/bin/qemu-system-x86_64");
        command
            .env("QEMU_MODULE_DIR", self.tree.root().join("usr/lib/x86_64-linux-gnu/qemu"))
            .arg("-L")
            .arg(share.join("qemu"))
            .arg("-L")
            .arg(share.join("seabios"))
            .args(machine.arguments());
        command
    }
}

/// What becomes of writes to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// They fail.
    Refused,
    /// They are forgotten when QEMU ends.
    Forgotten,
    /// They stay, also when QEMU is killed: what the guest has handed over is then the host's.
    Kept,
}

/// One boot of a machine.
pub(crate) struct Machine<'a> {
    pub(crate) accelerator: Accelerator,
    pub(crate) cpus: u32,
    /// In MiB.
    pub(crate) memory: u32,
    pub(crate) kernel: &'a Path,
    pub(crate) initrd: &'a Path,
    /// Words for the kernel's command line.
    pub(crate) parameters: Vec<String>,
    /// In the order in which the guest shall find them: `vda`, `vdb`…
    pub(crate) disks: Vec<(PathBuf, Writes)>,
    /// File for the kernel's console.
    pub(crate) console: &'a Path,
    /// Socket on which somebody listens for what the guest reports.
    pub(crate) control: &'a Path,
}

impl Machine<'_> {
    fn arguments(&self) -> Vec<String> {
        let (accel, cpu) = self.accelerator.arguments();
        let mut arguments: Vec<String> = [
            // q35 with PVH starts in a second; microvm under TCG does not start at all (2026-11, QEMU 10.0).
            "-machine",
            "q35",
            "-accel",
            accel,
            "-cpu",
            cpu,
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-device",
            "virtio-rng-pci",
        ]
        .map(str::to_owned)
        .into();
        let mut pair = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        pair("-smp", self.cpus.to_string());
        pair("-m", self.memory.to_string());
        pair("-kernel", self.kernel.display().to_string());
        pair("-initrd", self.initrd.display().to_string());
        pair("-append", self.parameters.join(" "));
        pair("-serial", format!("file:{}", escaped(self.console)));
        pair("-chardev", format!("socket,id=control,path={}", escaped(self.control)));
        pair("-serial", "chardev:control".to_owned());
        pair("-chardev", "stdio,id=stream,signal=off".to_owned());
        pair("-serial", "chardev:stream".to_owned());
        for (disk, writes) in &self.disks {
            // Flushes are not passed on: only a crash of the host could lose what they would save.
            let mode = match writes {
                Writes::Refused => "readonly=on",
                Writes::Forgotten => "snapshot=on,cache=unsafe",
                Writes::Kept => "cache=unsafe",
            };
            // A full disk of the host is an error of the guest's: by itself QEMU would hold the guest until there is room.
            pair("-drive", format!("file={},if=virtio,format=raw,werror=report,rerror=report,{mode}", escaped(disk)));
        }
        arguments
    }
}

/// A comma in an option's value is written twice (qemu(1), "-drive").
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(accelerator: Accelerator) -> Vec<String> {
        let disks = [("root,1", Writes::Forgotten), ("modules", Writes::Refused), ("state", Writes::Kept)];
        Machine {
            accelerator,
            cpus: 2,
            memory: 512,
            kernel: Path::new("/k"),
            initrd: Path::new("/i"),
            parameters: vec!["quiet".into(), "panic=-1".into()],
            disks: disks.map(|(path, writes)| (path.into(), writes)).into(),
            console: Path::new("/w/console"),
            control: Path::new("/w/control"),
        }
        .arguments()
    }

    #[test]
    fn the_command_line_has_the_machine_in_order() {
        let arguments = machine(Accelerator::Tcg).join(" ");
        let expected = "-machine q35 -accel tcg,thread=multi -cpu EPYC,check=off -nodefaults -no-user-config \
                        -display none -no-reboot -device virtio-rng-pci -smp 2 -m 512 -kernel /k -initrd /i \
                        -append quiet panic=-1 -serial file:/w/console \
                        -chardev socket,id=control,path=/w/control -serial chardev:control \
                        -chardev stdio,id=stream,signal=off -serial chardev:stream \
                        -drive file=root,,1,if=virtio,format=raw,werror=report,rerror=report,snapshot=on,cache=unsafe \
                        -drive file=modules,if=virtio,format=raw,werror=report,rerror=report,readonly=on \
                        -drive file=state,if=virtio,format=raw,werror=report,rerror=report,cache=unsafe";
        assert_eq!(arguments, expected);
    }

    #[test]
    fn kvm_has_the_processor_of_the_host() {
        assert!(machine(Accelerator::Kvm).join(" ").contains("-accel kvm -cpu host"));
    }
}
