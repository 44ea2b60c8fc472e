//! What a container is told by options of `run`: the same as with runc, and what the option is for.

use std::fs;

use crate::harness::{Containerd, Engine, Runtime};

/// Prints what options change: rights, the filter of system calls, mounts, devices, limits, names.
///
/// Of a masked file only that it is one: a mount of a device is as writable when it is read-only. Nothing of the folder of
/// cgroups of the first version: runc leaves it writable, and has no `unified` in it.
const LOOKS: &str = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/self/status; \
    awk '{ i = 7; while ($i != \"-\") i++; sub(/size=[0-9]+k/, \"\", $0); print $5, $4 == \"/null\" ? \"masked\" : $6, $(i+1) }' /proc/self/mountinfo \
        | grep -vE '^/sys/fs/cgroup(/unified)? ' | sort; \
    ls -l /dev | awk '{ print $1, $5, $6, $NF }' | grep -v '^total'; \
    ulimit -n; cat /proc/self/oom_score_adj; hostname | wc -c; umask; pwd; \
    cat /proc/sys/kernel/msgmax; ls /proc/self/fd | wc -l; readlink /proc/self/root";

fn are_as_with_runc(engine: &Engine) {
    for options in [
        "",
        "--cap-drop ALL",
        "--cap-add SYS_ADMIN --security-opt no-new-privileges",
        "--read-only --tmpfs /scratch:size=1m,mode=700",
        "--user 1:2 --workdir /tmp",
        "--init --pids-limit 100",
        "--security-opt seccomp=unconfined",
        "--device /dev/null:/dev/nothing --ulimit nofile=100:200 --ulimit nproc=99:99 --oom-score-adj 500",
        "--shm-size 4m --sysctl kernel.msgmax=4242 --group-add 9",
        "--pid host --ipc host --uts host --cgroupns private",
    ] {
        engine.as_with_runc(&format!("--network none {options}"), LOOKS);
    }
}

#[test]
#[ignore = "needs root"]
fn podmans_options_have_the_effect_they_have_with_runc() {
    let engine = Engine::podman();
    are_as_with_runc(&engine);
    // docker asks for all capabilities there are, which runc refuses where the host's root has fewer.
    engine.as_with_runc("--network none --privileged", LOOKS);
}

#[test]
#[ignore = "needs root"]
fn dockers_options_have_the_effect_they_have_with_runc() {
    are_as_with_runc(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_options_have_the_effect_they_have_with_runc() {
    let containerd = Containerd::new();
    for options in [
        "",
        "--privileged",
        "--cap-drop CAP_CHOWN",
        "--read-only --mount type=tmpfs,dst=/scratch,options=size=1m:mode=700",
        "--cwd /tmp --env A=b --device /dev/null",
        "--seccomp",
        "--rootfs-propagation shared --no-pivot",
        "--allow-new-privs",
    ] {
        containerd.as_with_runc(options, LOOKS);
    }
}

fn do_what_they_say(engine: &Engine) {
    let inside = |options: &str, script: &str| engine.inside(&format!("--network none {options}"), script);
    assert_eq!(inside("--cap-drop ALL", "grep CapEff /proc/self/status"), "CapEff:\t0000000000000000");
    assert_eq!(inside("--read-only --tmpfs /scratch", "touch /file || touch /scratch/file && echo both"), "both");
    assert_eq!(inside("--hostname box", "hostname"), "box");
    assert_eq!(inside("--user 1:2", "id -u; id -g"), "1\n2");
    assert!(inside("--init", "cat /proc/1/comm; exit 0").ends_with("-init"));
    assert_eq!(inside("--security-opt seccomp=unconfined", "grep Seccomp: /proc/self/status"), "Seccomp:\t0");
    assert_eq!(inside("", "grep Seccomp: /proc/self/status"), "Seccomp:\t2");
    assert_eq!(
        inside("--privileged", "ls /dev/kmsg && mount -t tmpfs tmpfs /tmp && echo mounted"),
        "/dev/kmsg\nmounted"
    );
    let forks = "i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done; echo all";
    assert_eq!(inside("--pids-limit 30", forks), "all");
    engine.run(Runtime::Lighter, "--rm --network none --pids-limit 10", &["sh", "-c", forks]).exits(2);
}

#[test]
#[ignore = "needs root"]
fn podmans_options_do_what_they_say() {
    do_what_they_say(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_options_do_what_they_say() {
    do_what_they_say(&Engine::docker());
}

fn volumes_keep(engine: &Engine) {
    let folder = engine.path("folder");
    fs::create_dir(&folder).expect("the container runs, and the test's directory is ours");
    fs::write(format!("{folder}/host"), "from the host").expect("the container runs, and the test's directory is ours");
    let mounted = format!("--network none --volume {folder}:/folder");
    assert_eq!(engine.inside(&mounted, "cat /folder/host; echo back >/folder/container"), "from the host");
    assert_eq!(
        fs::read_to_string(format!("{folder}/container"))
            .expect("the container runs, and the test's directory is ours"),
        "back\n"
    );
    engine.inside(&format!("{mounted}:ro"), "! touch /folder/file");
    engine.call(["volume", "create", "kept"]).ok();
    engine.inside("--network none --volume kept:/kept", "echo kept >/kept/file");
    assert_eq!(engine.inside("--network none --volume kept:/kept", "cat /kept/file"), "kept");
    engine.call(["volume", "rm", "kept"]).ok();
}

#[test]
#[ignore = "needs root"]
fn podmans_volumes_keep_what_is_written() {
    volumes_keep(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_volumes_keep_what_is_written() {
    volumes_keep(&Engine::docker());
}

fn processor_time_is_limited(engine: &Engine) {
    engine.up("--name box --network none --cpus 0.5 --cpu-shares 300", "sleep 1000");
    let pid = engine.inspect("box", "State.Pid");
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .expect("the container runs, and the test's directory is ours");
    let v1 =
        cgroups.lines().find(|line| line.split(':').nth(1).is_some_and(|kind| kind.split(',').any(|one| one == "cpu")));
    match v1.and_then(|line| line.splitn(3, ':').last()) {
        Some(path) => {
            let read = |file: &str| {
                fs::read_to_string(format!("/sys/fs/cgroup/cpu{path}/{file}"))
                    .expect("the container runs, and the test's directory is ours")
            };
            assert_eq!(read("cpu.cfs_quota_us").trim(), "50000");
            assert_eq!(read("cpu.shares").trim(), "300");
        }
        None => {
            let path = cgroups.trim().trim_start_matches("0::");
            assert_eq!(
                fs::read_to_string(format!("/sys/fs/cgroup{path}/cpu.max"))
                    .expect("the container runs, and the test's directory is ours")
                    .trim(),
                "50000 100000"
            );
        }
    }
}

#[test]
#[ignore = "needs root"]
fn podmans_processor_limit_is_the_cgroups() {
    processor_time_is_limited(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_processor_limit_is_the_cgroups() {
    processor_time_is_limited(&Engine::docker());
}
