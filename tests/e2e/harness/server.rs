//! Programs of the host that serve a test's files, in the scenario's network namespace.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// A program that ends when this is dropped.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Serves the files of a folder over HTTP on 127.0.0.1:`port`: Python's own server.
    pub(crate) fn files(port: u16, folder: &Path) -> Self {
        let port_text = port.to_string();
        let fixed = ["-m", "http.server", "--bind", "127.0.0.1", "--directory"];
        let folder = folder.to_string_lossy();
        Self::answering(port, "python3", fixed.into_iter().chain([&*folder, &port_text]))
    }

    /// Serves the repositories of a folder, by git's own protocol, on 127.0.0.1.
    pub(crate) fn repositories(folder: &Path) -> Self {
        // Itself, not `git daemon`, which would be the parent of what is to end.
        let programs = run(tool("git", ["--exec-path"]), LIMIT).ok().stdout;
        let program = Path::new(programs.trim()).join("git-daemon");
        let base = format!("--base-path={}", folder.display());
        let options = ["--listen=127.0.0.1", "--port=9418", "--reuseaddr", "--export-all", "--informative-errors"];
        Self::answering(9418, &program.to_string_lossy(), options.into_iter().chain([base.as_str()]))
    }

    fn answering<'a>(port: u16, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let server = Self::start(program, arguments);
        eventually(&format!("{program} answers"), LIMIT, || TcpStream::connect(("127.0.0.1", port)));
        server
    }

    /// Starts an agent of ssh at a socket.
    pub(crate) fn agent(socket: &Path) -> Self {
        let server = Self::start("ssh-agent", ["-D", "-a", &socket.to_string_lossy()]);
        eventually("the agent listens", LIMIT, || std::os::unix::net::UnixStream::connect(socket));
        server
    }

    fn start<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = tool(program, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap_or_else(|error| panic!("{program} is needed: {error}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
