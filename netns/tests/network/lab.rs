//! One host to try things on, gone with the test.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lighter_netns::{
    EndpointSpec, Families, Host, Network, NetworkSpec, Protocol, PublishedPort, Sandbox, SandboxSpec, Settings,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use tempfile::TempDir;

/// How long a connection may take that shall succeed, or that shall be dropped.
const PATIENCE: Duration = Duration::from_millis(700);
/// The host's address towards its neighbour, and the neighbour's.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(crate) const NEIGHBOUR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
/// The namespace of the host itself.
pub(crate) const HERE: &str = "/proc/thread-self/ns/net";

/// A host with a neighbour.
pub(crate) struct Lab {
    pub(crate) host: Host,
    pub(crate) directory: TempDir,
    containers: std::cell::Cell<u8>,
}

impl Lab {
    /// Moves this thread into namespaces of its own and sets up host and neighbour.
    pub(crate) fn new() -> Lab {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("these tests need root");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let directory = TempDir::new().unwrap();
        let (root, run) = (directory.path().join("root"), directory.path().join("run"));
        let lab = Lab { host: Host::new(&root, &run), directory, containers: 0.into() };
        lab.run("ip link set lo up");
        lab.add_neighbour("lan", HOST, NEIGHBOUR);
        for command in [
            format!("ip address add {HOST6}/64 dev lan0 nodad"),
            format!("ip -n lan address add {NEIGHBOUR6}/64 dev eth0 nodad"),
            format!("ip -n lan route add default via {HOST6}"),
        ] {
            lab.run(&command);
        }
        lab
    }

    /// Makes the host one of an owner who has decided.
    pub(crate) fn decided(mut self, settings: Settings) -> Lab {
        self.host = self.host.clone().with_settings(settings);
        self
    }

    /// Adds another host, connected to this one and with its default route through it.
    pub(crate) fn add_neighbour(&self, name: &str, here: Ipv4Addr, there: Ipv4Addr) {
        for command in [
            format!("ip netns add {name}"),
            format!("ip link add {name}0 type veth peer name eth0 netns {name}"),
            format!("ip address add {here}/24 dev {name}0"),
            format!("ip link set {name}0 up"),
            format!("ip -n {name} address add {there}/24 dev eth0"),
            format!("ip -n {name} link set lo up"),
            format!("ip -n {name} link set eth0 up"),
            format!("ip -n {name} route add default via {here}"),
        ] {
            self.run(&command);
        }
    }

    /// Runs a command that shall succeed; returns what it printed.
    pub(crate) fn run(&self, command: &str) -> String {
        let (success, output) = try_run(command);
        assert!(success, "`{command}` failed: {output}");
        output
    }

    /// Runs a command inside a namespace; returns whether it succeeded and what it printed.
    pub(crate) fn run_in(&self, netns: &Path, command: &str) -> (bool, String) {
        try_run(&format!("nsenter --net={} {command}", netns.display()))
    }

    pub(crate) fn network(&self, name: &str) -> Network {
        self.host.create_network(&NetworkSpec { name: name.into(), ..NetworkSpec::default() }).unwrap()
    }

    pub(crate) fn internal_network(&self, name: &str) -> Network {
        let spec = NetworkSpec { name: name.into(), internal: true, ..NetworkSpec::default() };
        self.host.create_network(&spec).unwrap()
    }

    /// Makes a network with addresses of both families.
    pub(crate) fn dual_network(&self, name: &str, internal: bool) -> Network {
        let spec = NetworkSpec { name: name.into(), internal, families: Families::Both, ..NetworkSpec::default() };
        self.host.create_network(&spec).unwrap()
    }

    /// Makes a network with options of the driver.
    pub(crate) fn network_with(&self, name: &str, options: &[(&str, &str)]) -> Network {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.host.create_network(&NetworkSpec { name: name.into(), options, ..NetworkSpec::default() }).unwrap()
    }

    /// Returns the wish for a container called `name` on `networks`, with a namespace.
    pub(crate) fn spec(&self, name: &str, networks: &[&Network], ports: &[PublishedPort]) -> SandboxSpec {
        let number = self.containers.get() + 1;
        self.containers.set(number);
        let container = format!("{number:02x}").repeat(32);
        let netns = self.host.create_namespace(&container, None).unwrap();
        let endpoint = |network: &&Network| EndpointSpec {
            network: network.id.clone(),
            names: vec![name.to_owned()],
            ..EndpointSpec::default()
        };
        SandboxSpec { container, netns, endpoints: networks.iter().map(endpoint).collect(), ports: ports.to_vec() }
    }

    /// Starts a container.
    pub(crate) fn container(&self, name: &str, networks: &[&Network], ports: &[PublishedPort]) -> Container {
        self.start(&self.spec(name, networks, ports))
    }

    /// Starts the container of a wish, with a monitor that serves its ports.
    pub(crate) fn start(&self, spec: &SandboxSpec) -> Container {
        let mut sandbox = self.host.attach(spec).unwrap();
        let relay = Loop::start(std::mem::take(&mut sandbox.relay));
        Container { netns: spec.netns.clone(), id: spec.container.clone(), sandbox, _relay: relay }
    }

    /// Returns the namespace of a neighbour.
    pub(crate) fn neighbour(&self, name: &str) -> PathBuf {
        Path::new("/run/netns").join(name)
    }

    /// Returns the host's devices that are ours.
    fn links(&self) -> Vec<String> {
        let links = self.run("ip -brief link");
        let ours = links.lines().filter(|line| line.starts_with("lt-") || line.starts_with("lv"));
        ours.map(str::to_owned).collect()
    }

    /// Returns the whole ruleset as nft(8) shows it.
    pub(crate) fn ruleset(&self) -> String {
        self.run("nft list ruleset")
    }

    /// Panics unless nothing of ours is left in the kernel.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.ruleset(), "");
        // The kernel takes its time over namespaces and what is in them.
        let gone = (0..500).any(|_| {
            let is_gone = self.links().is_empty();
            if !is_gone {
                poll(&mut [], PollTimeout::from(20u8)).unwrap();
            }
            is_gone
        });
        assert!(gone, "{:?}", self.links());
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let run = self.directory.path().to_str().unwrap();
        assert!(!mounts.contains(run), "{mounts}");
        assert_eq!(self.host.live_containers(), Vec::<String>::new());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A file something is mounted on cannot be removed, and with it the directory would stay.
        for namespace in fs::read_dir(self.directory.path().join("run/netns")).into_iter().flatten().flatten() {
            let _ = umount2(&namespace.path(), MntFlags::MNT_DETACH);
        }
    }
}

fn try_run(command: &str) -> (bool, String) {
    let mut words = command.split_whitespace();
    #[expect(clippy::disallowed_methods, reason = "the tests look at the kernel with the tools of others")]
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What a monitor polls.
pub(crate) trait Polled: Send + 'static {
    fn fds(&self) -> Vec<(std::os::fd::BorrowedFd<'_>, nix::poll::PollFlags)>;
    fn timeout(&self) -> Option<Duration>;
    fn handle(&mut self);
}

impl Polled for lighter_netns::Relay {
    fn fds(&self) -> Vec<(std::os::fd::BorrowedFd<'_>, nix::poll::PollFlags)> {
        self.fds()
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout()
    }

    fn handle(&mut self) {
        self.handle();
    }
}

impl Polled for lighter_netns::dns::Server {
    fn fds(&self) -> Vec<(std::os::fd::BorrowedFd<'_>, nix::poll::PollFlags)> {
        self.fds()
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout()
    }

    fn handle(&mut self) {
        self.handle();
    }
}

/// A loop such as a monitor's, on a thread of its own, until it is dropped.
pub(crate) struct Loop {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Loop {
    pub(crate) fn start(mut polled: impl Polled) -> Loop {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                {
                    let fds = polled.fds();
                    let mut fds: Vec<_> = fds.iter().map(|(fd, flags)| PollFd::new(fd.as_fd(), *flags)).collect();
                    let limit = polled.timeout().map_or(50, |left| left.as_millis().min(50));
                    poll(&mut fds, PollTimeout::from(u8::try_from(limit).unwrap())).unwrap();
                }
                polled.handle();
            }
        });
        Loop { stop, thread: Some(thread) }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A started container without a program in it.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) netns: PathBuf,
    pub(crate) sandbox: Sandbox,
    _relay: Loop,
}

impl Container {
    pub(crate) fn address(&self) -> IpAddr {
        self.sandbox.endpoints[0].ipv4().unwrap().address
    }

    pub(crate) fn address6(&self) -> IpAddr {
        self.sandbox.endpoints[0].ipv6().unwrap().address
    }

    /// Serves TCP on every address: whoever connects is told the address he comes from.
    pub(crate) fn serve(&self, port: u16) {
        serve_tcp(&self.netns, port);
    }
}

/// Runs `work` inside a namespace.
pub(crate) fn inside<T: Send>(netns: &Path, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let enter = || {
            setns(File::open(netns).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        scope.spawn(enter).join().unwrap()
    })
}

/// Serves TCP inside a namespace, on every address: whoever connects is told the address he comes from.
pub(crate) fn serve_tcp(netns: &Path, port: u16) {
    // Takes IPv4 as well (ipv6(7)).
    let listener = inside(netns, || TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let _ = write!(stream, "{}", from.ip().to_canonical());
        }
    });
}

/// Serves UDP inside a namespace in the same way.
pub(crate) fn serve_udp(netns: &Path, port: u16) {
    let socket = inside(netns, || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(from.ip().to_canonical().to_string().as_bytes(), from);
        }
    });
}

/// Connects from a namespace; returns the address the server saw.
pub(crate) fn seen_as(netns: &Path, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let to = to.into();
    inside(netns, || seen_from_here(to, port))
}

/// Connects from this thread's namespace; returns the address the server saw.
pub(crate) fn seen_from_here(to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((to.into(), port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut seen = String::new();
    stream.read_to_string(&mut seen)?;
    Ok(seen)
}

/// Sends a datagram from a namespace; returns the address the server saw.
pub(crate) fn datagram_seen_as(netns: &Path, to: impl Into<IpAddr>, port: u16) -> io::Result<String> {
    let to = to.into();
    inside(netns, || {
        let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(b"?", (to, port))?;
        let mut buffer = [0; 64];
        let (length, _) = socket.recv_from(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
}

/// Panics unless `result` failed because nothing answered or nobody listened.
pub(crate) fn assert_closed<T: Debug>(result: io::Result<T>) {
    let error = result.unwrap_err();
    let kinds = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::TimedOut,
        io::ErrorKind::WouldBlock,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
    ];
    assert!(kinds.contains(&error.kind()), "{error}");
}

/// Returns the wish for a TCP port.
pub(crate) fn tcp(host_ip: Option<IpAddr>, host_port: Option<u16>, target: u16) -> PublishedPort {
    PublishedPort { host_ip, host_port: host_port.map(|port| port..=port), target, protocol: Protocol::Tcp }
}

/// Returns the wish for a UDP port.
pub(crate) fn udp(host_port: u16, target: u16) -> PublishedPort {
    PublishedPort { host_ip: None, host_port: Some(host_port..=host_port), target, protocol: Protocol::Udp }
}

/// Returns the host's IPv4 address on a network.
pub(crate) fn gateway(network: &Network) -> IpAddr {
    network.ipv4().unwrap().gateway
}

/// Returns the host's IPv6 address on a network.
pub(crate) fn gateway6(network: &Network) -> IpAddr {
    network.ipv6().unwrap().gateway
}
