//! What a container gets when nothing is asked for.

use std::fs::File;
use std::time::Duration;

use crate::harness::{Scenario, eventually};

/// Docker's fourteen: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot,
/// mknod, audit_write, setfcap.
const DEFAULT_CAPABILITIES: &str = "00000000a80425fb";

#[test]
#[ignore = "needs root"]
fn a_container_is_confined_by_default() {
    let host = Scenario::new("the defaults are what most containers run with");
    let inside = |script: &str| host.run(["run", "--rm", "busybox:1", "sh", "-c", script]);

    let status = inside("cat /proc/self/status").ok().stdout;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
    };
    assert_eq!(field("CapBnd"), DEFAULT_CAPABILITIES);
    assert_eq!(field("CapEff"), DEFAULT_CAPABILITIES);
    assert_eq!(field("CapInh"), "0000000000000000");
    assert_eq!(field("CapAmb"), "0000000000000000");
    assert_eq!(field("Seccomp"), "2", "a filter is loaded");

    assert_eq!(inside("echo $$").ok().text(), "1");
    assert_eq!(inside("ls /proc/self/fd | wc -l").ok().text(), "4", "three, and the one ls reads the directory by");
    assert_eq!(inside("ls /sys/class/net | sort | xargs").ok().text(), "eth0 lo");
    assert_eq!(inside("wc -c < /proc/kcore").text().trim_start_matches('0'), "", "kcore is masked");
    for refused in
        ["mount -t tmpfs none /mnt", "unshare -U true", "echo 1 > /proc/sys/kernel/panic", "dmesg -n 1", "touch /sys/x"]
    {
        let tried = inside(&format!("mkdir -p /mnt; {refused}"));
        assert!(!tried.succeeded(), "`{refused}` must be refused\n{tried}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_device_of_the_host_cannot_be_opened_even_with_a_node_made_inside() {
    let host = Scenario::new("mknod is allowed, opening what was made is not");
    let script =
        "mknod /disk b 7 0 && ! dd if=/disk of=/dev/null count=1 2>/tmp/said && grep -q 'not permitted' /tmp/said";
    host.run(["run", "--rm", "busybox:1", "sh", "-c", script]).ok();
    host.run(["run", "--rm", "busybox:1", "sh", "-c", "echo x > /dev/null && head -c 1 /dev/urandom | wc -c"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_process_limit_holds() {
    let project = Scenario::new("pids must reach the kernel");
    project.file(
        "compose.yaml",
        r#"
services:
  many:
    image: busybox:1
    command: sleep 1000
    deploy: {resources: {limits: {pids: 5, cpus: "0.5"}}}
"#,
    );
    project.run(["up", "-d"]).ok();
    let script = "for n in 1 2 3 4 5 6 7 8; do sleep 3 & done; wait";
    project.run(["exec", "many", "sh", "-c", script]).code(2).says(["fork"]);
}

#[test]
#[ignore = "needs root"]
fn services_see_each_others_processes_and_shared_memory_where_the_file_says_so() {
    let project = Scenario::new("a sidecar looks at what it stands beside");
    project.file(
        "compose.yaml",
        r#"
services:
  app: {image: busybox:1, command: sh -c "echo hello > /dev/shm/word; exec sleep 1000", init: true, ipc: shareable, cgroup_parent: apart}
  sidecar: {image: busybox:1, command: sleep 2000, init: true, pid: "service:app", ipc: "service:app"}
"#,
    );
    project.run(["up", "-d"]).ok();
    let (app, sidecar) = (project.containers()["app"].id.clone(), project.containers()["sidecar"].id.clone());
    let namespace =
        |id: &str, kind: &str| std::fs::read_link(format!("/proc/{}/ns/{kind}", project.pid(id))).expect("it runs");
    for kind in ["pid", "ipc"] {
        assert_eq!(namespace(&app, kind), namespace(&sidecar, kind), "{kind}");
    }
    assert_ne!(namespace(&app, "uts"), namespace(&sidecar, "uts"));
    let cgroup = std::fs::read_to_string(format!("/proc/{}/cgroup", project.pid(&app))).expect("it runs");
    assert!(cgroup.contains("/apart/"), "{cgroup}");
    assert_eq!(project.run(["compose", "exec", "-T", "sidecar", "cat", "/dev/shm/word"]).ok().text(), "hello");
    let seen = project.run(["compose", "exec", "-T", "sidecar", "ps"]).ok().stdout;
    assert!(seen.contains("sleep 1000"), "{seen}");
    // A one-off beside them, too; and the lender made anew takes the borrower with it.
    project.run(["compose", "run", "--rm", "-T", "sidecar", "cat", "/dev/shm/word"]).ok();
    project.edit("compose.yaml", "sleep 1000", "sleep 1001");
    project.run(["up", "-d"]).ok();
    assert_eq!(project.run(["compose", "exec", "-T", "sidecar", "cat", "/dev/shm/word"]).ok().text(), "hello");
    project.run(["down"]).ok();
}

/// Starts the container `eve`, which may trace, and prints each time it sees of a process in its pid namespace a file of the host or a
/// right that no container has.
fn watch(host: &Scenario) {
    host.file("marked", "the host's");
    let marked = host.folder().join("marked").display().to_string();
    // A directory of the host would do as well as its root: all of them end there. What stays a pattern was not there.
    // Whoever watches goes first on every processor, so there is time to see.
    let watch = |way: &str| {
        format!(
            "(while :; do for seen in /proc/[0-9]*/{way}{marked}; do case $seen in *\\**) ;; *) echo $seen; esac; done; done) &"
        )
    };
    let up = format!("fd/[0-9]*{}", "/..".repeat(12));
    // Docker's fourteen and two more; and the one that loading a filter takes.
    let rights = "(while :; do for status in /proc/[0-9]*/status; do while read name value; do \
                    if test $name = CapPrm:; then case $value in 00000000a80425fb|00000000a82425fb|00000000a88c25fb|00000000a8ac25fb) ;; *) echo $value; esac; fi; \
                  done <$status; done; done) 2>/dev/null &";
    let script = format!("renice -n -20 1; {} {} {rights} echo watching; wait", watch("root"), watch(&up));
    let options = "run -d --name eve --cap-add SYS_PTRACE --cap-add SYS_NICE busybox:1 sh -c".split(' ');
    host.run(options.chain([script.as_str()])).ok();
    let seen = || seen(host);
    eventually("eve watches", Duration::from_secs(10), || if seen().is_empty() { Err("no word") } else { Ok(()) });
}

/// What `eve` has seen.
fn seen(host: &Scenario) -> String {
    host.run(["logs", "eve"]).ok().text().to_owned()
}

#[test]
#[ignore = "needs root"]
fn who_may_trace_sees_no_process_that_still_has_the_hosts_files_or_rights() {
    let host = Scenario::new("an exec passes from the host into the container under the eyes of whoever watches there");
    watch(&host);
    for _ in 0..20 {
        host.run(["exec", "eve", "true"]).ok();
    }
    // With a terminal, what the caller has for standard input is not the program's: here it could be used as a way up.
    for _ in 0..20 {
        let mut command = host.command(["exec", "--tty", "eve", "true"]);
        command.stdin(File::open(host.folder()).expect("the folder is ours"));
        host.finish(command).ok();
    }
    assert_eq!(seen(&host), "watching");
}

#[test]
#[ignore = "needs root"]
fn a_container_that_joins_the_pid_namespace_of_another_is_not_seen_there_while_it_is_made() {
    let host = Scenario::new("init is born into the pid namespace of others when nothing of the host's is left in it");
    watch(&host);
    for terminal in ["--tty=false", "--tty"] {
        for _ in 0..10 {
            let script = "test $$ != 1 && tr '\\0' ' ' </proc/1/cmdline && readlink /proc/self/ns/net";
            let ended =
                host.run(["run", "--rm", terminal, "--pid", "container:eve", "busybox:1", "sh", "-c", script]).ok();
            let (init, network) = ended.text().rsplit_once(' ').expect("two words");
            assert!(init.contains("renice"), "its procfs is that of the namespace: {init}");
            assert_ne!(network.trim(), own_network(), "its other namespaces are its own");
        }
    }
    // older kernels mount the procfs of a namespace from inside only
    if kernel() >= (6, 17) {
        assert_eq!(seen(&host), "watching");
    }
}

/// Version and patch level.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("there is procfs");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn own_network() -> String {
    std::fs::read_link("/proc/thread-self/ns/net").expect("there is procfs").display().to_string()
}
