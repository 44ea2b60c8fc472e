//! A docker daemon of the test's own, which brings a containerd of its own.

use serde_json::json;

use super::Runtime;
use super::command::{program, tool};
use super::daemon::Daemon;
use super::world::World;

/// Below the test's own `/run`; names of sockets are short (unix(7)).
pub(crate) const SOCKET: &str = "unix:///run/docker.sock";

/// Starts a daemon that runs containers with `runtime`, unless one is to have another.
#[track_caller]
pub(super) fn start(world: &World, runtime: Runtime) -> Daemon {
    let default = match runtime {
        Runtime::Lighter => "lighter",
        Runtime::Runc => "runc",
    };
    let runtimes = json!({"runtimes": {"lighter": {"path": world.runtime()}}, "default-runtime": default});
    let (config, root) = (world.file("daemon.json", &runtimes.to_string()), world.path("docker"));
    let places = ["--data-root", &root, "--exec-root", "/run/docker-exec", "--pidfile", "/run/docker.pid"];
    let parent = format!("/{}", world.name);
    let init = program("tini-static").display().to_string();
    let rest = ["--config-file", &config, "--host", SOCKET, "--cgroup-parent", &parent, "--init-path", &init];
    let arguments = places.into_iter().chain(rest);
    Daemon::start(tool("dockerd", arguments), &world.directory)
}

/// Returns the options of a client of that daemon, and its environment.
pub(super) fn client() -> (Vec<String>, Vec<(&'static str, String)>) {
    (vec!["--host".to_owned(), SOCKET.to_owned()], vec![])
}
