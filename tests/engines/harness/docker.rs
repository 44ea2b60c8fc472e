//! A docker daemon of the test's own, which brings a containerd of its own.

use serde_json::json;

use super::command::{program, tool};
use super::daemon::Daemon;
use super::world::World;

/// Below the test's own `/run`; names of sockets are short (unix(7)).
const SOCKET: &str = "unix:///run/docker.sock";

/// Starts a daemon with this runtime, `lighter` or `runc`, unless a container is to have the other.
#[track_caller]
pub(super) fn start(world: &World, runtime: &str) -> Daemon {
    let runtimes = json!({"runtimes": {"lighter": {"path": world.runtime()}}, "default-runtime": runtime});
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
