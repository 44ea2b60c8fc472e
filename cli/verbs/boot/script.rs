//! What the inits of this world want to read. Pure but for the look at which one it is.

use std::path::Path;

use lighter_engine::Layout;

/// Who starts services on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Init {
    /// systemd
    Systemd,
    /// OpenRC
    Openrc,
    /// Scripts in /etc/init.d, by runlevels
    Sysv,
}

impl Init {
    /// Returns the init of the host whose root is `sysroot`.
    pub(super) fn of(sysroot: &Path) -> Self {
        let has = |paths: &[&str]| paths.iter().any(|path| sysroot.join(path).exists());
        // sd_booted(3): systemd runs exactly if that folder is there; a host that is being made has no /run yet
        if has(&["run/systemd/system"])
            || (sysroot != Path::new("/") && has(&["lib/systemd/systemd", "usr/lib/systemd/systemd"]))
        {
            Self::Systemd
        } else if has(&["run/openrc", "sbin/openrc-run", "usr/sbin/openrc-run"]) {
            Self::Openrc
        } else {
            Self::Sysv
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Openrc => "OpenRC",
            Self::Sysv => "init",
        }
    }
}

/// A file for an init, and the links by which it knows that the file is meant.
pub(super) struct Script {
    pub(super) init: Init,
    pub(super) path: &'static str,
    pub(super) text: String,
    pub(super) mode: u32,
    pub(super) links: Vec<String>,
    /// Whether folders of links are made; else links whose folders are missing are left out.
    pub(super) makes_folders: bool,
}

impl Script {
    /// Returns what makes `init` run `program` for the installation at `layout`.
    pub(super) fn new(init: Init, program: &Path, layout: &Layout) -> Self {
        let command = command(program, layout);
        match init {
            Init::Systemd => Self {
                init,
                path: "/etc/systemd/system/lighter-boot.service",
                text: unit(&command, layout),
                mode: 0o644,
                links: vec!["/etc/systemd/system/multi-user.target.wants/lighter-boot.service".to_owned()],
                makes_folders: true,
            },
            Init::Openrc => Self {
                init,
                path: "/etc/init.d/lighter",
                text: openrc(&command),
                mode: 0o755,
                links: vec!["/etc/runlevels/default/lighter".to_owned()],
                makes_folders: true,
            },
            Init::Sysv => Self {
                init,
                path: "/etc/init.d/lighter",
                text: sysv(&command),
                mode: 0o755,
                links: sysv_links(),
                makes_folders: false,
            },
        }
    }
}

/// Returns the command line, quoted for a shell; systemd reads quotes alike.
fn command(program: &Path, layout: &Layout) -> String {
    let mut words = vec![program.display().to_string()];
    if layout.root() != Path::new(Layout::DEFAULT_ROOT) {
        words.extend(["--root".to_owned(), layout.root().display().to_string()]);
    }
    if layout.run() != Path::new(Layout::DEFAULT_RUN) {
        words.extend(["--run".to_owned(), layout.run().display().to_string()]);
    }
    let quoted: Vec<_> = words.iter().map(|word| crate::context::quote(word)).collect();
    quoted.join(" ")
}

/// Monitors and containers live in the unit's cgroup: it stays active, and stopping it kills none of them behind our back.
fn unit(command: &str, layout: &Layout) -> String {
    format!(
        "[Unit]
Description=Containers of lighter
Wants=network-online.target
After=network-online.target nftables.service
RequiresMountsFor={root}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} boot
ExecStop={command} boot stop
TimeoutStartSec=infinity
KillMode=process
Delegate=yes
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
",
        root = layout.root().display()
    )
}

fn openrc(command: &str) -> String {
    format!(
        "#!/sbin/openrc-run
description=\"Containers of lighter\"

depend() {{
    need localmount
    after net firewall
}}

start() {{
    ebegin \"Starting containers of lighter\"
    {command} boot
    eend $?
}}

stop() {{
    ebegin \"Stopping containers of lighter\"
    {command} boot stop
    eend $?
}}
"
    )
}

fn sysv(command: &str) -> String {
    format!(
        "#!/bin/sh
### BEGIN INIT INFO
# Provides:          lighter
# Required-Start:    $local_fs $network
# Required-Stop:     $local_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Containers of lighter
### END INIT INFO

case \"$1\" in
start) exec {command} boot ;;
stop) exec {command} boot stop ;;
restart | force-reload) {command} boot stop; exec {command} boot ;;
status) exec {command} ps ;;
*) echo \"usage: $0 start|stop|restart|status\" >&2; exit 2 ;;
esac
"
    )
}

/// Late among those that start, early among those that stop.
fn sysv_links() -> Vec<String> {
    let start = [2, 3, 4, 5].map(|level| format!("/etc/rc{level}.d/S99lighter"));
    let stop = [0, 1, 6].map(|level| format!("/etc/rc{level}.d/K01lighter"));
    // busybox' init and its like run what is in /etc/rc.d, or have /etc/rcS.d
    let plain = ["/etc/rc.d/S99lighter".to_owned()];
    start.into_iter().chain(stop).chain(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_elsewhere_is_named_in_the_command() {
        let layout = Layout::new("/data/my lighter".into(), Layout::DEFAULT_RUN.into());
        let text = Script::new(Init::Systemd, Path::new("/usr/bin/lighter"), &layout).text;
        assert!(text.contains("ExecStart=/usr/bin/lighter --root '/data/my lighter' boot\n"), "{text}");
        let usual = Layout::new(Layout::DEFAULT_ROOT.into(), Layout::DEFAULT_RUN.into());
        let text = Script::new(Init::Sysv, Path::new("/usr/bin/lighter"), &usual).text;
        assert!(text.contains("start) exec /usr/bin/lighter boot ;;"), "{text}");
    }
}
