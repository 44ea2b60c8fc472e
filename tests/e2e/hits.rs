//! `examples/hits`: the whole road, from a registry to a page and back to nothing.

use std::fs;
use std::time::Duration;

use crate::harness::{Scenario, get};

const LIMIT: Duration = Duration::from_secs(60);
const PAGE: &str = "http://127.0.0.1:8000";

fn hits(purpose: &'static str) -> Scenario {
    let scenario = Scenario::new(purpose);
    scenario.copy("examples/hits");
    scenario
}

#[test]
#[ignore = "needs root"]
fn hits_counts_and_its_volume_survives_down_but_not_down_v() {
    let hits = hits("a page must count visits, and the count must live as long as the volume");
    hits.run(["up", "-d"]).ok();
    assert_eq!(get(PAGE, LIMIT), "Seen 1 times.\n");
    assert_eq!(get(PAGE, LIMIT), "Seen 2 times.\n");

    hits.run(["down"]).ok();
    hits.leaves_nothing();
    let volume = hits.root().join("volumes").join(format!("{}_data", hits.project()));
    assert!(volume.exists(), "`down` must keep the volume {}", volume.display());

    hits.run(["up", "-d"]).ok();
    assert_eq!(get(PAGE, LIMIT), "Seen 3 times.\n");
    hits.run(["down", "-v"]).ok();
    assert!(!volume.exists(), "`down -v` must remove {}", volume.display());
}

#[test]
#[ignore = "needs root"]
fn hits_shows_both_services_with_health_and_port_and_resolves_names() {
    let hits = hits("what runs must be visible: services, health, port, names");
    hits.run(["up", "-d"]).ok();

    let containers = hits.containers();
    assert_eq!(containers.keys().collect::<Vec<_>>(), ["redis", "web"]);
    assert_eq!((containers["redis"].state.as_str(), containers["redis"].health.as_str()), ("running", "healthy"));
    assert_eq!(containers["web"].state, "running");
    assert_eq!(containers["web"].ports, ["127.0.0.1:8000->8000/tcp"]);

    let table = hits.run(["ps"]).ok().stdout;
    for shown in [&containers["web"].name, &containers["redis"].name, "(healthy)", "127.0.0.1:8000->8000/tcp"] {
        assert!(table.contains(shown), "`{shown}` is not in\n{table}");
    }

    let found = hits.run(["exec", "web", "getent", "hosts", "redis"]).ok();
    let address = hits.address(&containers["redis"].name).to_string();
    assert_eq!(found.text().split_whitespace().collect::<Vec<_>>(), [address.as_str(), "redis"]);
}

#[test]
#[ignore = "needs root"]
fn hits_memory_limit_stands_in_the_cgroup_file() {
    let hits = hits("deploy.resources.limits.memory must reach the kernel");
    hits.run(["up", "-d"]).ok();
    let pid = hits.pid(&hits.containers()["web"].name);
    assert_eq!(memory_limit(pid), (128 << 20).to_string());
}

/// Reads the memory limit of a process from the file of its cgroup, v1 or v2.
fn memory_limit(pid: i32) -> String {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process runs");
    let path = |controller: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            (fields.next()?.split(',').any(|name| name == controller)).then(|| fields.next().unwrap_or("/").to_owned())
        })
    };
    let file = match path("memory") {
        Some(path) => format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"),
        None => format!("/sys/fs/cgroup{}/memory.max", path("").expect("there is a cgroup v2")),
    };
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}")).trim().to_owned()
}
