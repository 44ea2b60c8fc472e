//! The application binary interfaces a program on this machine can enter the kernel by.
//!
//! *Pure.* One interface is one way of numbering system calls. A 64-bit kernel takes several: the
//! filter sees the audit architecture and the number, and x32 shares its architecture with x86-64.

use oci_spec::runtime::Arch;

use super::table::{NO, SYSCALLS};

/// Bit 30 marks a system call of the x32 interface (`__X32_SYSCALL_BIT`, `asm/unistd.h`).
const X32_MARK: u32 = 0x4000_0000;

/// An application binary interface. The order is that of the columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Abi {
    X86_64 = 0,
    X32 = 1,
    I386 = 2,
    Aarch64 = 3,
    Arm = 4,
}

impl Abi {
    /// The interface this program itself uses.
    #[cfg(target_arch = "x86_64")]
    pub(super) const NATIVE: Self = Self::X86_64;
    /// The interface this program itself uses.
    #[cfg(target_arch = "aarch64")]
    pub(super) const NATIVE: Self = Self::Aarch64;

    /// Returns the interface an OCI architecture names, `None` for those no supported machine has.
    pub(super) fn from_oci(arch: Arch) -> Option<Self> {
        match arch {
            Arch::ScmpArchNative => Some(Self::NATIVE),
            Arch::ScmpArchX86_64 => Some(Self::X86_64),
            Arch::ScmpArchX32 => Some(Self::X32),
            Arch::ScmpArchX86 => Some(Self::I386),
            Arch::ScmpArchAarch64 => Some(Self::Aarch64),
            Arch::ScmpArchArm => Some(Self::Arm),
            _ => None,
        }
    }

    /// Returns what `seccomp_data.arch` holds for this interface: `AUDIT_ARCH_*` of `linux/audit.h`.
    pub(super) fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// Returns the number of the system call `name`, as `seccomp_data.nr` holds it.
    pub(super) fn number(self, name: &str) -> Option<u32> {
        let row = SYSCALLS.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        self.column(&SYSCALLS[row].1)
    }

    /// Returns the numbers of all system calls of this interface, in no order.
    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        SYSCALLS.iter().filter_map(move |(_, numbers)| self.column(numbers))
    }

    fn column(self, numbers: &[u32; 5]) -> Option<u32> {
        let mark = if self == Self::X32 { X32_MARK } else { 0 };
        match numbers[self as usize] {
            NO => None,
            number => Some(number | mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_for_binary_search() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn one_name_has_another_number_in_each_interface() {
        assert_eq!(Abi::X86_64.number("execve"), Some(59));
        assert_eq!(Abi::X32.number("execve"), Some(X32_MARK | 520));
        assert_eq!(Abi::I386.number("execve"), Some(11));
        assert_eq!(Abi::Aarch64.number("execve"), Some(221));
        assert_eq!(Abi::Aarch64.number("fork"), None);
        assert_eq!(Abi::X86_64.number("no_such_call"), None);
    }

    #[test]
    fn the_table_agrees_with_the_c_library_of_the_build() {
        for (name, number) in
            [("read", libc::SYS_read), ("openat2", libc::SYS_openat2), ("mount_setattr", libc::SYS_mount_setattr)]
        {
            assert_eq!(Abi::NATIVE.number(name).map(i64::from), Some(number), "{name}");
        }
    }
}
