//! podman, by files and options of the test's own.

use super::command::{UNPACKED, program};
use super::world::World;

/// The network that containers are in unless told otherwise.
const NETWORK: &str = r#"{
    "cniVersion": "0.4.0",
    "name": "podman",
    "plugins": [
        {"type": "bridge", "bridge": "cni-podman0", "isGateway": true, "ipMasq": true,
            "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "10.88.0.0/16"}]]}},
        {"type": "portmap", "capabilities": {"portMappings": true}}
    ]
}"#;

/// Returns the client's options and its environment.
///
/// Its runtime is the one under test unless it is told `--runtime runc`.
#[track_caller]
pub(super) fn configure(world: &World) -> (Vec<String>, Vec<(&'static str, String)>) {
    std::fs::create_dir_all(world.path("cni")).expect("the test's directory is ours");
    world.file("cni/87-podman.conflist", NETWORK);
    let path = |name: &str| program(name).display().to_string();
    let containers = format!(
        "[engine]\n\
         cgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nconmon_path = [\"{conmon}\"]\n\
         runtime = \"lighter\"\nruntime_supports_json = [\"lighter\", \"runc\"]\n\
         [engine.runtimes]\nlighter = [\"{lighter}\"]\nrunc = [\"{runc}\"]\n\
         [containers]\ninit_path = \"{init}\"\nlog_driver = \"k8s-file\"\n\
         default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
         [network]\nnetwork_backend = \"cni\"\nnetwork_config_dir = \"{cni}\"\ncni_plugin_dirs = [\"/usr/lib/cni\", \"{UNPACKED}/lib/cni\"]\n",
        conmon = path("conmon"),
        runc = path("runc"),
        init = path("tini-static"),
        lighter = world.runtime(),
        cni = world.path("cni"),
    );
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"/run/storage\"\n",
        world.path("storage")
    );
    let environment = vec![
        ("CONTAINERS_CONF", world.file("containers.conf", &containers)),
        ("CONTAINERS_STORAGE_CONF", world.file("storage.conf", &storage)),
        ("CONTAINERS_REGISTRIES_CONF", world.file("registries.conf", "")),
    ];
    (vec![], environment)
}
