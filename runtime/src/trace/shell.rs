//! The shell command that does what a step does. *Pure.*
//!
//! For a root shell, one after the other: what changes the calling process (`unshare`, `setpriv`) starts
//! another shell, in which one goes on. What no command can do is a comment.

use super::{Effect, Target};

impl Effect {
    /// Returns one or several command lines, POSIX sh(1).
    #[must_use]
    pub fn shell(&self) -> String {
        self.start()
            .or_else(|| self.files())
            .or_else(|| self.mounts())
            .or_else(|| self.process())
            .unwrap_or_else(|| format!("# no shell equivalent: {}", self.without_command()))
    }

    /// Processes and namespaces.
    fn start(&self) -> Option<String> {
        Some(match self {
            Self::Spawn { program, args } => format!("{} &", words(std::iter::once(program).chain(args))),
            Self::Clone { namespaces, cgroup } => {
                let enter =
                    cgroup.as_ref().map(|path| format!("echo $$ > {} && ", word(&format!("{path}/cgroup.procs"))));
                enter.unwrap_or_default() + &unshare(namespaces)
            }
            Self::Join { namespace, path } => nsenter(namespace, path),
            Self::Unshare { namespaces } => unshare(namespaces),
            Self::RunHook { path, args, .. } => {
                format!("{} < state.json", words(std::iter::once(path).chain(args.iter().skip(1))))
            }
            Self::Network { commands, .. } if !commands.is_empty() => commands.join("\n"),
            _ => return None,
        })
    }

    /// Files, directories, and what the kernel shows as such.
    fn files(&self) -> Option<String> {
        Some(match self {
            Self::MakeDirectory { path } => format!("mkdir -p {}", word(path)),
            Self::RemoveDirectory { path } => format!("rmdir {}", word(path)),
            Self::Write { path, value } => format!("{} > {}", printer(value), word(path)),
            Self::MakeNode { target, kind, major, minor, mode, uid, gid } => {
                let place = place(target);
                let numbers = if *kind == 'p' { String::new() } else { format!(" {major} {minor}") };
                let owned = (*uid, *gid) != (0, 0);
                let chown = if owned { format!(" && chown {uid}:{gid} {place}") } else { String::new() };
                format!("mknod -m {mode:o} {place} {kind}{numbers}{chown}")
            }
            Self::Link { target, to } => format!("ln -s {} {}", word(to), place(target)),
            Self::CopyTree { from, to } => format!("cp -a {} {}", word(&format!("{from}/.")), word(to)),
            Self::SetSysctl { name, value } => format!("sysctl -w {}", word(&format!("{name}={value}"))),
            Self::SetHostName { name } => format!("hostname {}", word(name)),
            Self::SetDomainName { name } => format!("domainname {}", word(name)),
            _ => return None,
        })
    }

    fn mounts(&self) -> Option<String> {
        Some(match self {
            Self::Mount { fstype, source, target, options, copy_up } => {
                let mount = |at: &str| format!("mount -t {}{} {} {at}", word(fstype), with(options), word(source));
                let place = place(target);
                if *copy_up {
                    let new = mount("\"$NEW\"");
                    format!("NEW=$(mktemp -d) && {new} && cp -a {place}/. \"$NEW\" && mount --move \"$NEW\" {place}")
                } else {
                    mount(&place)
                }
            }
            Self::Bind { source, target, recursive, options } => {
                let how = if *recursive { "--rbind" } else { "--bind" };
                format!("mount {how}{} {} {}", with(options), place(source), place(target))
            }
            Self::Remount { target, options } => {
                let options: Vec<&str> =
                    ["remount", "bind"].into_iter().chain(options.iter().map(String::as_str)).collect();
                format!("mount -o {} {}", word(&options.join(",")), place(target))
            }
            Self::Propagate { target, how } => format!("mount --make-{} {}", word(how), place(target)),
            Self::MountRoot { path } => {
                format!("ROOT={}; mount --rbind --make-private \"$ROOT\" \"$ROOT\"", word(path))
            }
            Self::PivotRoot => "cd \"$ROOT\" && pivot_root . .".to_owned(),
            Self::MoveRoot => "cd \"$ROOT\" && mount --move . / && exec chroot .".to_owned(),
            Self::Unmount { target } => format!("umount -l {}", place(target)),
            _ => return None,
        })
    }

    /// What the process is and may do.
    fn process(&self) -> Option<String> {
        Some(match self {
            Self::JoinKeyring { name } => format!("keyctl session {}", word(name)),
            Self::StartSession => "setsid sh".to_owned(),
            Self::EnterDirectory { path } => format!("cd {}", word(path)),
            Self::SetLimit { resource, soft, hard } => {
                let option = resource.trim_start_matches("RLIMIT_").to_ascii_lowercase();
                format!("prlimit --pid $$ --{option}={}:{}", limit(*soft), limit(*hard))
            }
            Self::SetUser { uid, gid, groups } => format!("setpriv{} sh", user(*uid, *gid, groups)),
            // The sets in force need no word: the execve that follows makes them of these (capabilities(7)).
            Self::AssumeIdentity { uid, gid, groups, bounding, inheritable, ambient, .. } => {
                let given = [("inh-caps", inheritable), ("ambient-caps", ambient)];
                let given = given.into_iter().filter(|(_, set)| !set.is_empty()).map(|(option, set)| only(option, set));
                let sets = only("bounding-set", bounding) + &given.collect::<String>();
                format!("setpriv{sets}{} sh", user(*uid, *gid, groups))
            }
            Self::ForbidPrivileges => "setpriv --no-new-privs sh".to_owned(),
            Self::Execute { program, args } => {
                format!("exec {}", words(std::iter::once(program).chain(args.iter().skip(1))))
            }
            _ => return None,
        })
    }

    fn without_command(&self) -> String {
        match self {
            Self::FilterDevices { instructions, .. } => format!("device program of {instructions} instructions"),
            Self::FilterCalls { instructions } => format!("filter of {instructions} instructions"),
            Self::StartUnit { unit, pid } => format!("StartTransientUnit of {unit:?} around process {pid}, by D-Bus"),
            Self::SetAttribute { field, .. } => field.clone(),
            _ => "lighter does it itself".to_owned(),
        }
    }
}

/// Returns the commands that print `value`.
///
/// As the kernel's files want it: a newline at the end does no harm there, and `echo` is what people write.
fn printer(value: &str) -> String {
    // What echo makes of a backslash differs from shell to shell.
    if value.contains('\\') || value.starts_with("-n") || value.starts_with("-e") || value.chars().any(is_harmful) {
        format!("printf '{}'", format_of(value))
    } else {
        format!("echo {}", word(value))
    }
}

fn unshare(namespaces: &[String]) -> String {
    if namespaces.is_empty() {
        return "sh".to_owned();
    }
    let mut line = "unshare".to_owned();
    for kind in namespaces {
        line.push_str(" --");
        line.push_str(option(kind));
    }
    // unshare(1) stays outside of a new pid namespace; its child is the first inside.
    if namespaces.iter().any(|kind| kind == "pid") { line + " --fork" } else { line }
}

fn nsenter(kinds: &str, path: &str) -> String {
    let several = kinds.contains(',');
    let of = |kind: &str| {
        let file = if several { format!("{path}/{kind}") } else { path.to_owned() };
        format!(" --{}={}", option(kind), word(&file))
    };
    format!("nsenter{}", kinds.split(',').map(of).collect::<String>())
}

/// Returns the option of unshare(1) and nsenter(1) for a kind of namespace.
fn option(kind: &str) -> &str {
    if kind == "mnt" { "mount" } else { kind }
}

fn with(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!(" -o {}", word(&options.join(","))) }
}

fn limit(value: Option<u64>) -> String {
    value.map_or("unlimited".to_owned(), |value| value.to_string())
}

fn user(uid: u32, gid: u32, groups: &[u32]) -> String {
    let numbers: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let groups =
        if groups.is_empty() { "--clear-groups".to_owned() } else { format!("--groups {}", numbers.join(",")) };
    format!(" --regid {gid} --reuid {uid} {groups}")
}

/// Sets one set of capabilities; setpriv(1) spells `CAP_NET_RAW` `net_raw`.
fn only(option: &str, set: &[String]) -> String {
    let plain = |name: &String| format!(",+{}", name.trim_start_matches("CAP_").to_ascii_lowercase());
    format!(" --{option} -all{}", set.iter().map(plain).collect::<String>())
}

fn place(target: &Target) -> String {
    match target {
        Target::Path(path) => word(path),
        Target::InRoot { in_root } if in_root == "/" => "\"$ROOT\"".to_owned(),
        Target::InRoot { in_root } => format!("\"$ROOT\"{}", word(in_root)),
    }
}

fn words<'a>(all: impl Iterator<Item = &'a String>) -> String {
    all.map(|one| word(one)).collect::<Vec<_>>().join(" ")
}

/// Returns `text` as one word of a shell, whatever is in it; control characters do not reach a terminal.
#[must_use]
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_harmful) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    // The shell takes newlines away from the end of what a command prints.
    let body = text.trim_end_matches('\n');
    let newlines = &text[body.len()..];
    let end = if newlines.is_empty() { String::new() } else { format!("'{newlines}'") };
    format!("\"$(printf '{}')\"{end}", format_of(body))
}

/// Tells whether a character could steer a terminal, or leave its line.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes `text` as a format of printf(1), for between single quotes.
fn format_of(text: &str) -> String {
    let mut format = String::new();
    for c in text.chars() {
        match c {
            '\\' => format.push_str(r"\\"),
            '%' => format.push_str("%%"),
            '\'' => format.push_str(r"'\''"),
            '\n' => format.push_str(r"\n"),
            '\t' => format.push_str(r"\t"),
            c if is_harmful(c) => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| format.push_str(&format!("\\{byte:03o}")));
            }
            c => format.push(c),
        }
    }
    // printf(1) would take a dash in front for an option.
    format.strip_prefix('-').map_or_else(|| format.clone(), |rest| format!("\\055{rest}"))
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
