//! All of lighter when it is called `docker-init`: pid 1 of a container that another OCI runtime has made, and for which the
//! monitor has put a copy of this program there.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use lighter_engine::runtime;

use crate::error::Failure;

/// The name it is called by.
const NAME: &str = "docker-init";

/// Returns the program to run and its arguments, which `--` may precede, if this is what we are.
pub(crate) fn arguments(argv: &[OsString]) -> Option<&[OsString]> {
    let (name, rest) = argv.split_first()?;
    let is_init = Path::new(name).file_name().is_some_and(|name| name == NAME);
    is_init.then(|| rest.strip_prefix(&["--".into()]).unwrap_or(rest))
}

pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    let words = arguments.iter().map(|word| CString::new(word.clone().into_vec()));
    let words = words.collect::<Result<Vec<_>, _>>().expect("arguments of a program end at a zero byte");
    let Err(errno) = runtime::be_init(&words);
    let failure = match words.is_empty() {
        true => Failure::text(format!("{NAME}: a program to run is missing")),
        false => Failure::text(format!("{NAME}: make a process for the program: {errno}")),
    };
    failure.print(false);
    failure.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_makes_it_an_init() {
        let of = |line: &str| {
            let argv: Vec<OsString> = line.split(' ').map(Into::into).collect();
            arguments(&argv)
                .map(|words| words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(of("/sbin/docker-init -- ls -- x").unwrap(), ["ls", "--", "x"]);
        assert_eq!(of("docker-init ls").unwrap(), ["ls"]);
        assert_eq!(of("docker-init").unwrap(), Vec::<String>::new());
        assert_eq!(of("docker -- ls"), None);
    }
}
