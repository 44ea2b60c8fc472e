//! ufw and firewalld as Debian ships them, on stock kernels: obeyed, named with a remedy that works, and respected. Each test has
//! a guest for itself.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::guest::{self, Lighter, Said, said, sh, tool};
use crate::registry::{Content, IMAGE};

/// Time a firewall may take to be there, on a machine without haste.
const LIMIT: Duration = Duration::from_secs(300);
/// A port of the host that leads to the container's web server.
const PORT: u16 = 8092;

/// A host with a neighbour who serves and asks.
struct Host {
    lighter: Lighter,
    config: PathBuf,
}

impl Host {
    fn new() -> Self {
        Content::make(guest::state().join("registry")).serve(|_, _, _| {});
        sh("ip link set lo up; ip netns add lan; ip link add lan0 type veth peer name eth0 netns lan
            ip address add 192.0.2.1/24 dev lan0; ip link set lan0 up
            ip -n lan address add 192.0.2.2/24 dev eth0; ip -n lan link set eth0 up; ip -n lan link set lo up
            ip -n lan route add default via 192.0.2.1
            mkdir -p /tmp/www; echo page > /tmp/www/index.html
            ip netns exec lan busybox httpd -p 80 -h /tmp/www");
        let root = guest::state().join("firewall");
        Self { lighter: Lighter::new(&root), config: root.with_extension("toml") }
    }

    /// Starts the container; returns what was said beside its id.
    fn start(&self) -> String {
        let web = ["busybox", "httpd", "-f", "-p", "80", "-h", "/"];
        let publish = format!("{PORT}:80");
        let words = ["run", "-d", "--name", "web", "-p", &publish, IMAGE].into_iter().chain(web);
        let Said { code, stderr, stdout } = self.lighter.said(words);
        assert_eq!(code, 0, "{stdout}{stderr}");
        stderr
    }

    /// Returns whether the container reaches the neighbour, and the neighbour the container's published port.
    fn ways(&self) -> (bool, bool) {
        let fetch = |url: &str| ["busybox", "wget", "-q", "-T", "10", "-O", "/dev/null", url].map(str::to_owned);
        let out = ["exec", "web"].map(str::to_owned).into_iter().chain(fetch("http://192.0.2.2/"));
        let into = ["netns", "exec", "lan"]
            .map(str::to_owned)
            .into_iter()
            .chain(fetch(&format!("http://192.0.2.1:{PORT}/sums")));
        (self.lighter.said(out).code == 0, said(tool("ip").args(into)).code == 0)
    }

    /// Starts the container anew on a host whose owner wants the firewall to decide.
    fn respect(&self) {
        self.lighter.said(["rm", "--force", "web"]).ok();
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, format!("{text}[network]\npublish = \"respect-host-firewall\"\n")).unwrap();
        self.start();
    }

    /// What has to hold beside a firewall that drops.
    fn holds_beside(&self, Firewall { name, passes_translated, reload, allow }: &Firewall) {
        let warned = self.start();
        assert_eq!(self.ways(), (false, *passes_translated), "what the firewall drops stays dropped");
        let remedy = warned.lines().find_map(|line| Some(line.rsplit_once("stay closed: ")?.1)).expect("a remedy");
        assert!(remedy.starts_with(name), "{remedy}");
        sh(remedy);
        assert_eq!(self.ways(), (true, true), "after `{remedy}`");
        let again = self.lighter.said(["network", "reload"]);
        assert!(again.code == 0 && again.stderr.is_empty(), "its owner has decided: {again:?}");
        sh(reload);
        assert_eq!(self.ways(), (true, true), "after `{reload}`");
        self.respect();
        assert_eq!(self.ways(), (true, false), "nothing was allowed to come in");
        sh(allow);
        assert_eq!(self.ways(), (true, true), "after `{allow}`");
        self.lighter.said(["rm", "--force", "web"]).ok();
    }
}

/// A firewall, and the words it is told in.
struct Firewall {
    /// The program that is spoken to.
    name: &'static str,
    /// Whether it lets connections in that were translated, unasked.
    passes_translated: bool,
    /// Makes it load its rules anew.
    reload: &'static str,
    /// Lets the port in.
    allow: String,
}

/// Does what scripts of packages would do: iptables writes nftables' rules.
fn link_iptables() {
    sh("cd /usr/sbin; for name in iptables ip6tables; do
            for end in '' -restore -save; do ln -sf xtables-nft-multi $name$end; done
        done");
}

/// A program in the background, ended with the test.
struct Background(Child);

impl Background {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs a virtual machine"]
fn ufw_is_obeyed_told_and_respected() {
    link_iptables();
    sh("cd /usr/share/ufw; cp -n before.rules before6.rules after.rules after6.rules user.rules user6.rules before.init \
        after.init ufw.conf /etc/ufw/ 2>/dev/null || :
        [ -e /etc/ufw/user.rules ] || cp iptables/*.rules /etc/ufw/
        ufw --force enable");
    Host::new().holds_beside(&Firewall {
        name: "ufw ",
        passes_translated: false,
        reload: "ufw reload",
        allow: format!("ufw allow {PORT}/tcp"),
    });
}

#[test]
#[ignore = "needs a virtual machine"]
fn firewalld_is_obeyed_told_and_respected() {
    link_iptables();
    sh("grep -q ^messagebus: /etc/passwd || echo 'messagebus:x:999:999::/nonexistent:/usr/sbin/nologin' >> /etc/passwd
        grep -q ^messagebus: /etc/group || echo 'messagebus:x:999:' >> /etc/group
        mkdir -p /run/dbus /var/log");
    let _bus = Background::start(tool("dbus-daemon").args(["--system", "--nofork", "--nopidfile"]));
    let until = Instant::now() + LIMIT;
    let wait = |what: &str, is_there: &dyn Fn() -> bool| {
        while !is_there() {
            assert!(Instant::now() < until, "no {what} within {LIMIT:?}");
            std::thread::park_timeout(Duration::from_millis(500));
        }
    };
    wait("bus", &|| Path::new("/run/dbus/system_bus_socket").exists());
    let _firewalld = Background::start(tool("firewalld").args(["--nofork", "--nopid"]));
    // To be asked while it starts makes it take longer; its rules come in one transaction.
    let chain = ["list", "chain", "inet", "firewalld", "filter_FORWARD"];
    wait("firewalld", &|| said(tool("nft").args(chain)).stdout.contains("reject"));
    Host::new().holds_beside(&Firewall {
        name: "firewall-cmd ",
        passes_translated: true,
        reload: "firewall-cmd --reload",
        allow: format!("firewall-cmd --add-port={PORT}/tcp"),
    });
}
