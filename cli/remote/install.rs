//! Putting this very binary on another host.

use std::fs;
use std::io;
use std::path::Path;

use super::host::Host;
use super::near::shell;
use crate::error::Failure;

/// Where it goes when the address of the host names no path: in the search path of every login.
const PLACE: &str = "/usr/local/bin/lighter";

/// What answers on the other host: `uname -m` and `-s` say what it can execute.
const PLATFORM: &str = "uname -sm";

/// Puts the binary there if the same one is not there already; returns where it is.
///
/// It appears whole, under another name first: its digest is compared, and it must execute.
///
/// # Errors
/// A host of another architecture, a digest that differs, a folder that cannot be written to.
pub(crate) fn install(host: &Host) -> Result<String, Failure> {
    check_platform(host)?;
    let place = host.path().unwrap_or(PLACE).to_owned();
    let own = fs::read("/proc/self/exe")
        .map_err(|error| Failure::text(format!("read the program that is running: {error}")))?;
    let digest = lighter_engine::images::digest::Digest::of(&own).to_string();
    let digest = digest.rsplit(':').next().unwrap_or_default();
    let (code, _) = shell(host, &script(&place, digest), io::Cursor::new(own))?;
    match code {
        0 => Ok(place),
        _ => Err(Failure::text(format!("install `{place}` on `{host}`: the commands there failed (see above)"))),
    }
}

fn check_platform(host: &Host) -> Result<(), Failure> {
    let (code, text) = shell(host, PLATFORM, io::empty())?;
    let (ours, theirs) = (std::env::consts::ARCH, text.trim());
    let wanted = format!("Linux {ours}");
    match code {
        0 if theirs == wanted => Ok(()),
        0 => Err(Failure::text(format!("install on `{host}`: it is `{theirs}`, and this program is for `{wanted}`"))),
        _ => Err(Failure::text(format!("install on `{host}`: `{PLATFORM}` ended with {code} there"))),
    }
}

/// Returns the line for the shell over there; `place` has only characters that no shell takes for anything else.
fn script(place: &str, digest: &str) -> String {
    let folder = Path::new(place).parent().unwrap_or(Path::new("/")).display().to_string();
    format!(
        "set -e; part={place}.part.$$; trap 'rm -f $part' EXIT; trap 'exit 1' HUP INT TERM; mkdir -p {folder}; \
         cat >$part; got=$(sha256sum $part); \
         [ \"${{got%% *}}\" = {digest} ] || {{ echo 'the copy has another digest' >&2; exit 1; }}; \
         chmod 755 $part; $part --version >/dev/null; sync $part; mv -f $part {place}"
    )
}

/// Returns what the program there calls its version.
pub(crate) fn version(host: &Host) -> Result<String, Failure> {
    match shell(host, &format!("{} --version", host.program()), io::empty())? {
        (0, text) => Ok(text.trim().to_owned()),
        (code, _) => Err(Failure::text(format!("`{} --version` ended with {code} on `{host}`", host.program()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_renamed_only_after_it_was_checked() {
        let script = script("/usr/local/bin/lighter", "ab12");
        let places = ["cat >$part", "= ab12 ]", "--version", "mv -f $part /usr/local/bin/lighter"];
        let found: Vec<_> = places.iter().map(|part| script.find(part).unwrap()).collect();
        assert!(found.is_sorted(), "{script}");
    }
}
