//! A container with everything at its default is Docker's sandbox.

use crate::support::Bundle;

fn shell(script: &str) -> Bundle {
    Bundle::new(&["sh", "-c", script])
}

#[test]
#[ignore = "needs root"]
fn the_program_is_pid_1_under_its_own_name() {
    let ended = shell("echo $$; hostname; ps | wc -l; echo $HOME").run();
    assert_eq!((ended.stdout.as_str(), ended.code), ("1\nbox\n4\n/root\n", 0), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn every_namespace_is_its_own() {
    let kinds = ["pid", "mnt", "net", "uts", "ipc", "cgroup"];
    let ended = shell("for kind in pid mnt net uts ipc cgroup; do readlink /proc/self/ns/$kind; done").run();
    let inside: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(inside.len(), kinds.len(), "{ended:?}");
    for (kind, inside) in kinds.iter().zip(inside) {
        let outside = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(outside.to_str().unwrap(), inside);
    }
}

#[test]
#[ignore = "needs root"]
fn capabilities_are_the_fourteen_and_none_is_inheritable() {
    let ended = shell("grep -E '^Cap|^NoNewPrivs|^Seccomp:' /proc/self/status").run();
    let expected = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
                    CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn no_descriptor_of_the_monitor_is_open() {
    // The fourth is the directory that `ls` itself reads.
    let ended = shell("ls /proc/1/fd; ls /proc/self/fd | wc -l").run();
    assert_eq!(ended.stdout, "0\n1\n2\n4\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn masked_paths_are_empty_and_kernel_parameters_read_only() {
    let script = "cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts | wc -c; ls /sys/firmware | wc -l; \
                  echo x > /proc/sys/kernel/domainname || echo refused; \
                  chmod 777 /proc/kcore || echo refused; touch /sys/x || echo refused";
    let ended = shell(script).run();
    assert_eq!(ended.stdout, "0\n0\nrefused\nrefused\nrefused\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn devices_are_there_and_disks_are_not_usable() {
    let script = "echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; \
                  for link in fd stdin ptmx; do readlink /dev/$link; done; stat -c %a /dev/shm /dev/null /dev; \
                  mknod /tmp/disk b 254 0 && dd if=/tmp/disk of=/dev/null count=1 || echo refused";
    let ended = shell(script).run();
    let expected = "4\n4\n/proc/self/fd\n/proc/self/fd/0\npts/ptmx\n1777\n666\n755\nrefused\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn cgroups_are_seen_from_inside_and_cannot_be_written() {
    let script = "cat /proc/self/cgroup | grep -v ':/$' | wc -l; mkdir /sys/fs/cgroup/memory/x || echo refused; \
                  mkdir /sys/fs/cgroup/x || echo refused; ls /sys/fs/cgroup | wc -l";
    let ended = shell(script).run();
    assert!(ended.stdout.starts_with("0\nrefused\nrefused\n"), "{ended:?}");
    assert!(!ended.stdout.ends_with("\n0\n"), "nothing at /sys/fs/cgroup: {ended:?}");
}

#[test]
#[ignore = "needs root"]
fn new_user_namespaces_and_mounts_are_refused() {
    let ended = shell("unshare -U true || echo refused; mount -t tmpfs x /tmp || echo refused").run();
    assert_eq!(ended.stdout, "refused\nrefused\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_command_line_runs_and_its_code_comes_back() {
    assert_eq!(shell("exit 0").run().code, 0);
    assert_eq!(shell("exit 7").run().code, 7);
}

#[test]
#[ignore = "needs root"]
fn a_signal_is_128_and_its_number() {
    // Pid 1 takes no signal from inside that it does not handle; its child does, and it tells.
    let ended = shell("(sh -c 'kill -15 $$'); echo $?").run();
    assert_eq!(ended.stdout, "143\n", "{ended:?}");
}
