//! Hardware virtualisation where it works, else emulation.
//!
//! That `/dev/kvm` opens proves nothing: under a paravirtual KVM it opens, makes machines, and cannot run a stock kernel in
//! them. What counts is that a kernel has got to its first process.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::cache::Cache;

/// How the guest's instructions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// The processor's own virtualisation
    Kvm,
    /// Emulation
    Tcg,
}

/// Which accelerator, and what speaks for it.
pub(crate) struct Choice {
    pub(crate) accelerator: Accelerator,
    pub(crate) why: String,
}

impl Accelerator {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// Values of QEMU's `-accel` and `-cpu`.
    ///
    /// Emulated, EPYC is the fastest of the models: `max` has five-level page tables, which make fork(2) three times as
    /// slow, and on Intel's the kernel isolates its page tables (measured 2026-11, QEMU 7.2).
    pub(crate) fn arguments(self) -> (&'static str, &'static str) {
        match self {
            Self::Kvm => ("kvm", "host"),
            Self::Tcg => ("tcg,thread=multi", "EPYC,check=off"),
        }
    }

    /// Factor by which time limits of tests have to grow: programs start 15 to 30 times more slowly when emulated.
    pub(crate) fn slowness(self) -> u32 {
        match self {
            Self::Kvm => 1,
            Self::Tcg => 20,
        }
    }
}

/// Chooses; `boots` tries whether a kernel starts under KVM, and is asked once between two boots of this host.
pub(crate) fn choose(
    wanted: Option<Accelerator>,
    cache: &Cache,
    boots: impl FnOnce() -> Result<bool>,
) -> Result<Choice> {
    if let Some(accelerator) = wanted {
        return Ok(Choice { accelerator, why: "asked for".to_owned() });
    }
    if let Err(why) = may_work() {
        return Ok(Choice { accelerator: Accelerator::Tcg, why });
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let memory = cache.path("kvm");
    let remembered = fs::read_to_string(&memory).unwrap_or_default();
    let works = match remembered.strip_prefix(boot.trim()) {
        Some(answer) if !boot.is_empty() => answer.trim() == "works",
        _ => {
            let works = boots()?;
            fs::write(&memory, format!("{} {}\n", boot.trim(), if works { "works" } else { "fails" }))?;
            works
        }
    };
    Ok(if works {
        Choice { accelerator: Accelerator::Kvm, why: "a kernel has started under it".to_owned() }
    } else {
        Choice { accelerator: Accelerator::Tcg, why: "`/dev/kvm` opens, but no kernel starts under it".to_owned() }
    })
}

fn may_work() -> Result<(), String> {
    let device = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    device.map_err(|error| format!("open `/dev/kvm`: {error}"))?;
    let loaded = ["kvm_intel", "kvm_amd"].iter().any(|module| Path::new("/sys/module").join(module).exists());
    if loaded { Ok(()) } else { Err("`/dev/kvm` opens, but neither kvm_intel nor kvm_amd is behind it".to_owned()) }
}
