//! Another machine with an ssh server: a network and a mount namespace at the other end of a cable.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use super::lan::ip;
use super::{Output, Scenario, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// The other machine's address on the cable (TEST-NET-1, RFC 5737).
pub(crate) const MACHINE: &str = "192.0.2.2";

/// The machine; it ends when this is dropped.
pub(crate) struct Machine {
    /// Holds the namespaces open: the ssh server itself.
    server: Child,
    directory: PathBuf,
}

impl Machine {
    /// Plugs a machine into the scenario's host; whoever has the scenario's key may log in as root.
    ///
    /// It has no lighter in its search path but `bin/lighter`, which nobody has put there yet.
    pub(crate) fn boot(host: &Scenario) -> Self {
        let directory = host.directory().join("machine");
        fs::create_dir_all(directory.join("bin")).expect("the directory is ours");
        for name in ["host_key", "user_key"] {
            let path = directory.join(name);
            let words = ["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().expect("paths here are UTF-8")];
            run(tool("ssh-keygen", words), LIMIT).ok();
        }
        let server = Self::serve(&directory);
        let machine = Self { server, directory };
        machine.plug();
        machine.introduce();
        machine
    }

    /// Starts the ssh server in namespaces of its own. What it must have of its own is mounted over the host's: users,
    /// because Debian's server wants one named `sshd`, a root who may log in with a key, and /run.
    fn serve(directory: &Path) -> Child {
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).expect("the directory is ours");
            path.display().to_string()
        };
        let passwd = fs::read_to_string("/etc/passwd").expect("every host has one");
        let others = passwd.lines().filter(|line| !line.starts_with("sshd:")).map(|line| format!("{line}\n"));
        let passwd = write("passwd", others.collect::<String>() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n");
        let shadow = write("shadow", "root:*:19000:0:99999:7:::\n".to_owned());
        let here = directory.display();
        let configuration = write(
            "sshd_config",
            format!(
                "ListenAddress {MACHINE}\nHostKey {here}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
                 PermitRootLogin yes\nPasswordAuthentication no\nAuthorizedKeysFile {here}/user_key.pub\nLogLevel ERROR\n\
                 SetEnv PATH={here}/bin:/usr/sbin:/usr/bin:/sbin:/bin LIGHTER_ROOT={here}/root \
                 LIGHTER_CONFIG={here}/config.toml HOME={here}\n"
            ),
        );
        let sshd = program();
        let script = format!(
            "mount --bind {passwd} /etc/passwd && mount --bind {shadow} /etc/shadow && \
             mount -t tmpfs -o mode=755 none /run && mkdir /run/sshd && \
             ip link set lo up && until ip address show to {MACHINE} | grep -q inet; do sleep 0.05; done; \
             exec {sshd} -D -e -f {configuration}"
        );
        let mut command = tool("unshare", ["--net", "--mount", "sh", "-c", &script]);
        let log = fs::File::create(directory.join("sshd.log")).expect("the directory is ours");
        command.stdout(log.try_clone().expect("a descriptor is to be had")).stderr(log);
        command.spawn().expect("unshare is in util-linux")
    }

    fn plug(&self) {
        let pid = self.server.id().to_string();
        eventually("the machine has a network of its own", LIMIT, || {
            let of = |who: &str| fs::read_link(format!("/proc/{who}/ns/net")).map_err(|error| error.to_string());
            if of(&pid)? == of("thread-self")? { Err("not yet".to_owned()) } else { Ok(()) }
        });
        ip(["link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", &pid]);
        ip(["address", "add", "192.0.2.1/24", "dev", "cable0"]);
        ip(["link", "set", "cable0", "up"]);
        for words in [&["link", "set", "cable1", "up"][..], &["address", "add", "192.0.2.2/24", "dev", "cable1"]] {
            self.inside(["ip"].iter().chain(words)).ok();
        }
    }

    /// Writes a program `ssh` that knows the machine and the key, and waits until it gets an answer.
    fn introduce(&self) {
        let here = self.directory.display();
        let key = fs::read_to_string(self.directory.join("host_key.pub")).expect("it was just made");
        fs::write(self.directory.join("known_hosts"), format!("{MACHINE} {key}")).expect("the directory is ours");
        let folder = self.directory.join("client");
        fs::create_dir_all(&folder).expect("the directory is ours");
        let wrapper = folder.join("ssh");
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F none -i {here}/user_key -o UserKnownHostsFile={here}/known_hosts \
             -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=10 -o LogLevel=ERROR \"$@\"\n"
        );
        fs::write(&wrapper, text).expect("the directory is ours");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("it is ours");
        eventually("the machine answers", LIMIT, || {
            let tried = run(tool(wrapper.to_str().expect("UTF-8"), ["-l", "root", "--", MACHINE, "true"]), LIMIT);
            let log = fs::read_to_string(self.directory.join("sshd.log")).unwrap_or_default();
            if tried.succeeded() { Ok(()) } else { Err(format!("{tried}\n{log}")) }
        });
    }

    /// Returns the machine's address for lighter.
    pub(crate) fn address(&self) -> String {
        format!("ssh://root@{MACHINE}")
    }

    /// Returns the folder of its own: `root`, `bin`.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lets a command of lighter find this machine's ssh, and keep contexts in the scenario's directory.
    pub(crate) fn known_to(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.directory.join("client")];
        folders.extend(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("no colons")).env("XDG_CONFIG_HOME", &self.directory);
        command
    }

    /// Puts the program under test where the machine looks for it, without lighter's help.
    pub(crate) fn has_lighter(&self) -> &Self {
        let place = self.directory.join("bin/lighter");
        let made = run(tool("ln", ["-sf", env!("CARGO_BIN_EXE_lighter"), place.to_str().expect("UTF-8")]), LIMIT);
        made.ok();
        self
    }

    /// Runs a program on the machine, without ssh.
    pub(crate) fn inside<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        let pid = self.server.id();
        let mut command = tool("nsenter", [format!("--net=/proc/{pid}/ns/net"), format!("--mount=/proc/{pid}/ns/mnt")]);
        command.arg("--").args(words);
        command
            .env("LIGHTER_ROOT", self.directory.join("root"))
            .env("LIGHTER_RUN", "/run/lighter")
            .env("LIGHTER_CONFIG", self.directory.join("config.toml"));
        run(command, LIMIT)
    }
}

/// Returns where the ssh server is: installed, or unpacked by `.ci/packages.sh`.
fn program() -> String {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/sbin/sshd");
    let found = ["/usr/sbin/sshd".into(), unpacked].into_iter().find(|path: &PathBuf| path.exists());
    found.expect("sshd is missing: .ci/packages.sh test").display().to_string()
}

impl Drop for Machine {
    fn drop(&mut self) {
        let lighter = env!("CARGO_BIN_EXE_lighter");
        let ids = self.inside([lighter, "ps", "--all", "--quiet"]);
        let ids = ids.text().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        if !ids.is_empty() {
            let words = [lighter, "rm", "--force", "--volumes"].map(str::to_owned);
            let _ = self.inside(words.into_iter().chain(ids));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = run(tool("ip", ["link", "delete", "cable0"]), LIMIT);
    }
}
