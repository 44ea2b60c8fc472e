//! The beginning anew from a sealed copy (`lighter_runtime::sealed`), before this process has done anything else.
//!
//! Whoever is about to enter a container does it; main would do it as well, but comes later. It is the usual case alone: where
//! anything is unlike it, nothing is done here, and main begins anew. What was made is not trusted either: main looks whether
//! it runs from a sealed copy.
//!
//! Runs before the C library is set up: no function may be called that knows threads, `errno` or the environment, nor panic.
#![expect(unsafe_code, reason = "system calls without a C library, and the words where the kernel has put them")]

use std::arch::asm;
use std::ffi::CStr;

use nix::libc::{self, c_char};

/// Longer paths are left to main.
const LONGEST_PATH: usize = 512;

/// A directory apart from the program's, see `lighter_runtime::sealed`: an overlay takes two.
const OTHER_LAYER: &[u8] = b":/sys/fs\0";

// `linux/mount.h`
const FSOPEN_CLOEXEC: usize = 1;
const FSMOUNT_CLOEXEC: usize = 1;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;
const READ_ONLY_NOSUID_NODEV: usize = 0x7;

/// Begins anew from a sealed copy if this call is about to enter a container, and returns if it is not, or cannot.
///
/// # Safety
/// `stack` is what the kernel gives a new process: the number of words, the words, null, the environment, null.
#[cfg_attr(all(test, not(target_env = "musl")), expect(dead_code, reason = "called by the entry of the static binary"))]
pub(super) unsafe extern "C" fn begin_sealed(stack: *const usize) {
    // SAFETY: the number of words comes first.
    let count = unsafe { *stack };
    let argv = stack.wrapping_add(1).cast::<*const c_char>();
    let word = |index: usize| {
        // SAFETY: asked for words that there are.
        let word = unsafe { *argv.wrapping_add(index) };
        // SAFETY: execve(2) ends each with a NUL.
        unsafe { CStr::from_ptr(word) }.to_bytes()
    };
    if enters_a_container(count, word) && call(libc::SYS_geteuid, [0; 5]) == 0 {
        let envp = argv.wrapping_add(count + 1);
        let _main_tries_again = begin_anew(argv as usize, envp as usize);
    }
}

/// Tells the calls that main would have begin anew, but for some that are rarer.
fn enters_a_container<'a>(count: usize, word: impl Fn(usize) -> &'a [u8]) -> bool {
    if count < 2 {
        return false;
    }
    let is_runtime = is_runc(word(0)) || word(1) == b"runtime";
    let is_cloning = |index| matches!(word(index), b"create" | b"run" | b"exec");
    if is_runtime { (1..count).any(is_cloning) } else { word(1) == b"exec" }
}

fn is_runc(path: &[u8]) -> bool {
    let is_last =
        |name: &[u8]| path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(b"/"));
    is_last(b"runc") || is_last(b"lighter-runc")
}

/// Returns only if it fails.
fn begin_anew(argv: usize, envp: usize) -> Option<()> {
    let own = c"/proc/self/exe".as_ptr() as usize;
    let close_on_exec = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let program = Descriptor::of(call(libc::SYS_open, [own, close_on_exec, 0, 0, 0]))?;
    // An overlay may be the sealed copy, and a file in memory too.
    let mut there = [0_usize; 15];
    done(call(libc::SYS_fstatfs, [program.number(), there.as_mut_ptr() as usize, 0, 0, 0]))?;
    if matches!(there[0], 0x794c_7630 | 0x0102_1994 | 0x9584_58f6) {
        return None;
    }

    let mut layers = [0_u8; LONGEST_PATH + OTHER_LAYER.len()];
    let read = call(libc::SYS_readlink, [own, layers.as_mut_ptr() as usize, LONGEST_PATH, 0, 0]);
    let length = usize::try_from(read).ok().filter(|length| *length < LONGEST_PATH)?;
    let mut path = [0_u8; LONGEST_PATH];
    path.get_mut(..length)?.copy_from_slice(layers.get(..length)?);
    let text = path.get(..length)?;
    let is_plain = !text.iter().any(|byte| matches!(byte, b':' | b'\\'));
    let name = text.iter().rposition(|byte| *byte == b'/').filter(|slash| is_plain && *slash > 0)?;
    layers.get_mut(name..name + OTHER_LAYER.len())?.copy_from_slice(OTHER_LAYER);

    let context = Descriptor::of(call(libc::SYS_fsopen, [c"overlay".as_ptr() as usize, FSOPEN_CLOEXEC, 0, 0, 0]))?;
    let (key, value) = (c"lowerdir".as_ptr() as usize, layers.as_ptr() as usize);
    done(call(libc::SYS_fsconfig, [context.number(), FSCONFIG_SET_STRING, key, value, 0]))?;
    done(call(libc::SYS_fsconfig, [context.number(), FSCONFIG_CMD_CREATE, 0, 0, 0]))?;
    let attributes = [context.number(), FSMOUNT_CLOEXEC, READ_ONLY_NOSUID_NODEV, 0, 0];
    let mounted = Descriptor::of(call(libc::SYS_fsmount, attributes))?;
    let how = [close_on_exec as u64, 0, libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS];
    let name = path.as_ptr() as usize + name + 1;
    let opened = call(libc::SYS_openat2, [mounted.number(), name, how.as_ptr() as usize, size_of_val(&how), 0]);
    let copy = Descriptor::of(opened)?;

    // The path may be another file by now, and a file may be mounted by itself on what lies in the directory.
    let running = Identity::of(libc::SYS_fstat, program.number())?;
    let named = Identity::of(libc::SYS_stat, path.as_ptr() as usize)?;
    let copied = Identity::of(libc::SYS_fstat, copy.number())?;
    let is_same = (running.device, running.number) == (named.device, named.number)
        && (running.number, running.size) == (copied.number, copied.size);
    if is_same {
        let arguments = [copy.number(), c"".as_ptr() as usize, argv, envp, libc::AT_EMPTY_PATH as usize];
        call(libc::SYS_execveat, arguments);
    }
    None
}

/// What tells one file from another.
struct Identity {
    device: u64,
    number: u64,
    size: i64,
}

impl Identity {
    /// Asks by stat(2) and a path, or fstat(2) and a descriptor.
    fn of(asked: i64, whom: usize) -> Option<Self> {
        // The first three words of the kernel's `struct stat` are device, number and links; the seventh is the size.
        let mut stat = [0_u64; 18];
        done(call(asked, [whom, stat.as_mut_ptr() as usize, 0, 0, 0]))?;
        Some(Self { device: stat[0], number: stat[1], size: stat[6].cast_signed() })
    }
}

/// An open file; closed when it goes, as main gives numbers of files a meaning.
struct Descriptor(isize);

impl Descriptor {
    fn of(result: isize) -> Option<Self> {
        (result >= 0).then_some(Self(result))
    }

    fn number(&self) -> usize {
        self.0.cast_unsigned()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        call(libc::SYS_close, [self.number(), 0, 0, 0, 0]);
    }
}

fn done(result: isize) -> Option<()> {
    (result >= 0).then_some(())
}

/// Makes a system call: its result, or an error as a negative number.
fn call(number: i64, [first, second, third, fourth, fifth]: [usize; 5]) -> isize {
    let result;
    // SAFETY: each call here is given numbers, and addresses of what is alive in its caller and as large as the call takes it to
    // be; syscall changes rcx and r11 besides its result.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth, in("r8") fifth,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::verbs::runtime;

    fn enters(line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        enters_a_container(words.len(), |index| words[index].as_bytes())
    }

    #[test]
    fn calls_that_enter_a_container_begin_anew_and_others_do_not() {
        for line in
            ["lighter runtime --root /r create a", "/usr/bin/runc run a", "lighter-runc exec a ls", "lighter exec a ls"]
        {
            assert!(enters(line), "{line}");
        }
        for line in [
            "lighter",
            "runc",
            "lighter runtime start a",
            "runc delete a",
            "xrunc create a",
            "lighter run a",
            "lighter ps exec",
        ] {
            assert!(!enters(line), "{line}");
        }
    }

    #[test]
    fn a_call_of_the_runtime_is_known_as_main_knows_it() {
        for name in ["runc", "/usr/bin/runc", "lighter-runc", "./lighter-runc", "lighter", "xrunc", "runc/", "/runc/x"]
        {
            for first in ["runtime", "create", "state"] {
                let argv = [name, first, "create"].map(OsString::from);
                let is_runtime = runtime::arguments(&argv).is_some();
                let enters = enters_a_container(argv.len(), |index| argv[index].as_bytes());
                assert!(!enters || is_runtime, "{argv:?}");
                assert!(enters || !is_runtime || name.ends_with('/'), "{argv:?}");
            }
        }
    }
}
