//! lighter in a container: what a job of CI is, and how it is tried out.

use crate::harness::Scenario;

/// Arguments that run `script` in a privileged container that has lighter and reaches the scenario's registry.
fn inside<'a>(host: &Scenario, options: &[&'a str], script: &'a str) -> Vec<String> {
    let program = format!("{}:/usr/bin/lighter:ro", env!("CARGO_BIN_EXE_lighter"));
    let config = format!("{}:/etc/lighter/config.toml:ro", host.directory().join("config.toml").display());
    let fixed = ["run", "--rm", "--privileged", "--network", "host", "--volume", &program, "--volume", &config];
    let command = ["debian:12-slim", "sh", "-ec", script];
    fixed.iter().chain(options).chain(&command).map(|word| (*word).to_owned()).collect()
}

#[test]
#[ignore = "needs root"]
fn lighter_runs_in_a_privileged_container_with_its_data_on_a_volume() {
    let host = Scenario::new("a job of CI is a container, and has no engine");
    let script = "
        test $(lighter run --rm --network none busybox:1 echo inner) = inner
        lighter run --detach --name box --network none --memory 64m busybox:1 sleep 60
        lighter exec box sh -c 'test $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes \
            /sys/fs/cgroup/memory.max 2>/dev/null) = 67108864'
        lighter rm --force box
        test -z \"$(lighter ps --all --quiet)\"";
    host.run(inside(&host, &["--volume", "data:/var/lib/lighter"], script)).ok();
    host.run(["volume", "rm", "data"]).ok();
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_data_root_on_overlay_is_refused_with_what_helps() {
    let host = Scenario::new("the root of a container cannot hold another's writable layer");
    let run = "lighter run --rm --network none busybox:1 true";
    host.run(inside(&host, &[], run)).code(125).says(["overlay", "a tmpfs for one job"]);
    host.run(inside(&host, &["--tmpfs", "/var/lib/lighter"], run)).ok();
    host.leaves_nothing();
}
