//! Flags of docker that lighter has not: each is answered by its name, with the reason and what to do instead (adr/0041).

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::Failure;

/// Exit code of a command line that is wrong, as clap's own.
const WRONG: i32 = 2;

/// Flags that have one reason: whose they are, which they are, why not, and what to do instead.
struct Absent {
    /// Words of the verb; none for what stands before it.
    verb: &'static [&'static str],
    flags: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

const ABSENT: [Absent; 12] = [
    Absent {
        verb: &["network", "create"],
        flags: &["--ingress"],
        why: "it makes the routing mesh of a swarm",
        instead: "publish ports: lighter run -p",
    },
    Absent {
        verb: &["network", "create"],
        flags: &["--ipam-opt"],
        why: "the only address driver, `default`, has no options",
        instead: "say which addresses: --subnet, --ip-range, --gateway, --aux-address",
    },
    Absent {
        verb: &["start"],
        flags: &["--checkpoint", "--checkpoint-dir"],
        why: "containers are not started from checkpoints",
        instead: "checkpoints of bundles: lighter runtime checkpoint, lighter runtime restore",
    },
    Absent {
        verb: &["update"],
        flags: &["--cpu-rt-period", "--cpu-rt-runtime"],
        why: "real-time limits are given when a container is made",
        instead: "make it anew: lighter run --cpu-rt-runtime",
    },
    Absent {
        verb: &["update"],
        flags: &["--kernel-memory"],
        why: "kernels have no such limit any more",
        instead: "limit the memory as a whole: --memory",
    },
    Absent {
        verb: &["volume", "create"],
        flags: &[
            "--availability",
            "--group",
            "--limit-bytes",
            "--required-bytes",
            "--scope",
            "--secret",
            "--sharing",
            "--topology-preferred",
            "--topology-required",
            "--type",
        ],
        why: "it is for volumes of a swarm",
        instead: "volumes of this host, those of a server too: --opt type=nfs --opt o=addr=… --opt device=…",
    },
    Absent {
        verb: &["volume", "ls"],
        flags: &["--cluster"],
        why: "it is for volumes of a swarm",
        instead: "volumes of this host: lighter volume ls",
    },
    Absent {
        verb: &["build"],
        flags: &[
            "--cpu-period",
            "--cpu-quota",
            "--cpu-shares",
            "-c",
            "--cpuset-cpus",
            "--cpuset-mems",
            "--memory-swap",
            "--resource",
        ],
        why: "steps of a build have a limit of memory, and no other",
        instead: "limit the build as a whole: systemd-run --scope -p CPUQuota=50% lighter build",
    },
    Absent {
        verb: &["build"],
        flags: &["--isolation"],
        why: "it is for containers of Windows",
        instead: "leave it out",
    },
    Absent {
        verb: &["build"],
        flags: &["--security-opt"],
        why: "steps have the default profile, or none",
        instead: "for steps that ask for it: --allow security.insecure with RUN --security=insecure",
    },
    Absent {
        verb: &["build"],
        flags: &["--policy"],
        why: "policies in Rego are a program of BuildKit's",
        instead: "pin what comes from elsewhere: FROM NAME@sha256:…, ADD --checksum",
    },
    Absent {
        verb: &[],
        flags: &["--tls", "--tlscacert", "--tlscert", "--tlskey", "--tlsverify"],
        why: "there is no daemon that listens",
        instead: "another host is reached by ssh: lighter -H ssh://USER@HOST",
    },
];

/// Says why a flag is not there, if it is one of docker's; `argv` are the words of the command, the program's first.
pub(crate) fn explain(error: &clap::Error, argv: &[std::ffi::OsString]) -> Option<Failure> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let flag = flag.split([' ', '=']).next()?;
    let words: Vec<&str> = argv.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let verbs: Vec<&str> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
    let is_it = |absent: &&Absent| {
        let is_verb = absent.verb.is_empty() || verbs.windows(absent.verb.len()).any(|words| words == absent.verb);
        is_verb && absent.flags.contains(&flag)
    };
    let absent = ABSENT.iter().find(is_it)?;
    let name = absent.verb.iter().chain([&flag]).copied().collect::<Vec<_>>().join(" ");
    let text = format!("`{name}` is not supported: {}", absent.why);
    Some(Failure::text(text).hint(absent.instead).with_code(WRONG))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn said(line: &str) -> Option<String> {
        let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = crate::grammar::read(argv.clone()).err()?;
        explain(&error, &argv).map(|failure| failure.to_string())
    }

    #[test]
    fn every_flag_of_the_list_is_unknown_and_answered_by_its_name() {
        for Absent { verb, flags, .. } in &ABSENT {
            for flag in *flags {
                let name = verb.iter().chain([flag]).copied().collect::<Vec<_>>().join(" ");
                let text = said(&format!("lighter --root /x {name} 1")).unwrap_or_else(|| panic!("{name}"));
                assert!(text.starts_with(&format!("`{name}` is not supported: ")), "{text}");
            }
        }
    }

    #[test]
    fn what_is_a_typing_error_is_left_to_the_grammar() {
        for line in
            ["lighter network create --ingres x", "lighter ps --checkpoint", "lighter no-such-verb", "lighter ps"]
        {
            assert_eq!(said(line), None, "{line}");
        }
        let text = said("lighter network create --ipam-opt=a=b lan").expect("it is one of docker's");
        assert!(text.starts_with("`network create --ipam-opt` "), "{text}");
    }
}
