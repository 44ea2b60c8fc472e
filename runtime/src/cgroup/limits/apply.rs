//! Writing what was planned.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::step::{Step, Version, Write};
use super::value::refused;
use crate::cgroup::create::Made;
use crate::cgroup::error::read;
use crate::cgroup::hierarchy::{self, Kind};
use crate::cgroup::{Cgroup, CgroupError};

/// Writes one step after the other; the first the kernel refuses ends it.
pub(super) fn apply(cgroup: &Cgroup, steps: &[Step]) -> Result<(), CgroupError> {
    let writer = Writer { cgroup };
    steps.iter().try_for_each(|step| writer.apply(step))
}

/// Finds the first step whose cgroup could not be made, and says why it could not.
pub(super) fn withheld(steps: &[Step], made: &Made) -> Result<(), CgroupError> {
    for write in steps.iter().map(Step::first) {
        let name = match write.version {
            Version::V1 => write.controller,
            Version::V2 => "unified",
        };
        if let Some((_, error)) = made.refused.iter().find(|(refused, _)| refused == name) {
            let why = format!("the cgroups of `{name}` cannot be written here ({error})");
            return Err(refused(&write.key, why));
        }
    }
    Ok(())
}

/// Writes to the files of a cgroup.
struct Writer<'a> {
    cgroup: &'a Cgroup,
}

impl Writer<'_> {
    fn path(&self, write: &Write, file: &str) -> Option<PathBuf> {
        let holds = |hierarchy: &&hierarchy::Hierarchy| match write.version {
            Version::V1 => hierarchy.has_v1(write.controller),
            Version::V2 => hierarchy.kind == Kind::V2,
        };
        let hierarchy = hierarchy::host().iter().find(holds)?;
        let mut path = self.cgroup.directory(hierarchy);
        path.push(file);
        Some(path)
    }

    fn apply(&self, step: &Step) -> Result<(), CgroupError> {
        match step {
            Step::Write(write) => self.write(write).map_err(|error| self.explain(write, error)),
            Step::Optional(write) => match self.write(write) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result.map_err(|error| self.explain(write, error)),
            },
            Step::InSomeOrder(writes) => self.write_in_some_order(writes),
            Step::FirstOf(writes) => self.write_first(writes),
            Step::NotBelow { usage, write } => {
                self.check_usage(usage, write)?;
                self.write(write).map_err(|error| self.explain(write, error))
            }
        }
    }

    /// Puts off what does not fit to what stands there (EINVAL), until nothing fits any more.
    fn write_in_some_order(&self, writes: &[Write]) -> Result<(), CgroupError> {
        let mut left: Vec<&Write> = writes.iter().collect();
        while !left.is_empty() {
            let mut put_off = Vec::new();
            let mut refusal = None;
            for write in &left {
                match self.write(write) {
                    Ok(()) => {}
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                        put_off.push(*write);
                        refusal.get_or_insert((*write, error));
                    }
                    Err(error) => return Err(self.explain(write, error)),
                }
            }
            match refusal {
                Some((write, error)) if put_off.len() == left.len() => return Err(self.explain(write, error)),
                _ => left = put_off,
            }
        }
        Ok(())
    }

    fn write_first(&self, writes: &[Write]) -> Result<(), CgroupError> {
        for write in writes {
            match self.write(write) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result.map_err(|error| self.explain(write, error)),
            }
        }
        Err(self.explain(&writes[0], io::ErrorKind::NotFound.into()))
    }

    /// Version 2 would kill to get below a limit that version 1 refuses.
    fn check_usage(&self, usage: &str, write: &Write) -> Result<(), CgroupError> {
        let (Some(file), Ok(limit)) = (self.path(write, usage), write.value.parse::<u64>()) else { return Ok(()) };
        let source = |error| CgroupError::Limit { key: write.key.clone(), source: Box::new(error) };
        let used: u64 = read(&file).map_err(source)?.trim().parse().unwrap_or(0);
        if used > limit {
            let why = format!("`{limit}` is less than the {used} bytes in use, and `checkBeforeUpdate` is set");
            return Err(refused(&write.key, why));
        }
        Ok(())
    }

    fn write(&self, write: &Write) -> io::Result<()> {
        let path = self.path(write, &write.file).ok_or(io::ErrorKind::NotFound)?;
        // Without O_CREAT: a file the kernel does not have is then ENOENT, not a refusal to make one.
        OpenOptions::new().write(true).open(path)?.write_all(write.value.as_bytes())
    }

    fn explain(&self, write: &Write, error: io::Error) -> CgroupError {
        let path = self.path(write, &write.file).unwrap_or_default();
        if error.kind() == io::ErrorKind::NotFound {
            let controller = match write.controller {
                "unified" => write.file.split('.').next().unwrap_or_default(),
                controller => controller,
            };
            let why =
                format!("there is no `{}`: controller `{controller}` is missing or not delegated", path.display());
            return refused(&write.key, why);
        }
        let source = Box::new(CgroupError::file(format!("write `{}` to", write.value.escape_debug()), &path, error));
        CgroupError::Limit { key: write.key.clone(), source }
    }
}
