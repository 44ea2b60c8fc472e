//! Containers with users of their own: `--userns private`.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, Terminal, eventually, run, tool};
use crate::lifecycle::monitor_of;

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the host's uid of a container's first process.
fn outside(host: &Scenario, container: &str) -> u32 {
    let pid = host.pid(container);
    fs::metadata(format!("/proc/{pid}")).expect("it runs").uid()
}

/// Starts a container that has users of its own and sleeps.
fn sleeper(host: &Scenario, more: &[&str], script: &str) {
    let words = ["run", "-d", "--name", "t", "--userns", "private"].into_iter().chain(more.iter().copied());
    host.run(words.chain(["busybox:1", "sh", "-c", &format!("{script}; exec sleep 1000")])).ok();
}

#[test]
#[ignore = "needs root"]
fn its_root_is_nobody_on_the_host_and_root_in_its_own_files() {
    let host = Scenario::new("who breaks out has no rights");
    let folder = host.directory().join("bind");
    fs::create_dir(&folder).expect("the directory is ours");
    fs::write(folder.join("given"), "").expect("it is ours");
    chown(folder.join("given"), Some(3), Some(4)).expect("we are root");
    let bind = format!("{}:/bind", folder.display());
    // /var/spool/cron is the image's: a volume gets it, with the owners of the image
    let script = "id -u > /id; stat -c %u:%g /bin/busybox /bind/given /var > /seen; touch /made /bind/made /data/made; \
                  chown 5:6 /data/made; mount -t tmpfs none /mnt 2>/dev/null && echo mounted > /seen; echo out > /dev/stdout";
    sleeper(&host, &["-v", &bind, "-v", "data:/data", "-v", "copied:/var"], script);
    assert_eq!(host.run(["exec", "t", "cat", "/id"]).ok().text(), "0");
    assert_eq!(host.run(["exec", "t", "cat", "/seen"]).ok().text(), "0:0\n3:4\n0:0");
    let first = outside(&host, "t");
    assert!(first >= 65_536, "root inside is {first} outside");
    let map = host.run(["exec", "t", "cat", "/proc/self/uid_map"]).ok().stdout;
    assert_eq!(map.split_ascii_whitespace().collect::<Vec<_>>(), ["0", &first.to_string(), "65536"]);
    let inspected = host.inspect("t");
    assert_eq!(inspected["HostConfig"]["UsernsMode"], "private");
    let merged = inspected["GraphDriver"]["Data"]["MergedDir"].as_str().expect("it has one").to_owned();
    let upper = inspected["GraphDriver"]["Data"]["UpperDir"].as_str().expect("it has one").to_owned();
    let owner = |path: String| fs::metadata(&path).unwrap_or_else(|error| panic!("{path}: {error}")).uid();
    assert_eq!(
        (owner(format!("{merged}/made")), owner(format!("{upper}/made"))),
        (first, 0),
        "shown mapped, kept as it is"
    );
    assert_eq!(fs::metadata(folder.join("made")).expect("it was made").uid(), 0);
    let volume = host.root().join("volumes/data/_data/made");
    let made = fs::metadata(volume).expect("it was made");
    assert_eq!((made.uid(), made.gid()), (5, 6), "a volume keeps what the container sees, for others too");
    assert_eq!(host.run(["logs", "t"]).ok().stdout, "out\n");
    host.run(["stop", "-t", "0", "t"]).ok();
    let shared = host.run(["run", "--rm", "-v", "data:/data", "busybox:1", "stat", "-c", "%u", "/data/made"]).ok();
    assert_eq!(shared.text(), "5");
}

#[test]
#[ignore = "needs root"]
fn all_verbs_see_the_ids_that_the_container_sees() {
    let host = Scenario::new("exec, cp, diff, commit and export");
    sleeper(&host, &[], "echo text > /file; chown 5:6 /file; mkdir /folder; echo in > /folder/kept");
    let exec = |words: &[&str]| host.run(["exec", "t"].into_iter().chain(words.iter().copied())).ok().stdout;
    let shown = host.run(["exec", "-u", "7", "t", "sh", "-c", "id -u; cat /file; touch /x || echo refused"]).ok();
    assert_eq!(shown.stdout, "7\ntext\nrefused\n");
    let mut terminal = Terminal::start(&host.command(["exec", "-it", "t", "sh"]), 24, 80);
    terminal.types("test -t 0 && echo is-a-$((1+1))\r").shows("is-a-2").types("exit\r").ends_with(0);
    let place = |name: &str| host.directory().join(name);
    let copy = |words: &[&str]| host.run(["cp"].into_iter().chain(words.iter().copied())).ok();
    let path = |name: &str| place(name).display().to_string();
    let owner = |name: &str| {
        let found = fs::symlink_metadata(place(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        (found.uid(), found.gid())
    };
    fs::create_dir(place("in")).expect("the directory is ours");
    fs::write(place("in/f"), "from the host\n").expect("it is ours");
    chown(place("in/f"), Some(8), Some(9)).expect("we are root");
    let check = |when: &str| {
        copy(&["t:/file", &path("plain")]);
        copy(&["-a", "t:/file", &path("whole")]);
        copy(&["t:/folder", &path("new")]);
        assert_eq!((owner("plain"), owner("whole"), owner("new/kept")), ((0, 0), (5, 6), (0, 0)), "{when}");
        copy(&[&path("in"), "t:/folder"]);
        copy(&["-a", &format!("{}/in/.", host.directory().display()), "t:/"]);
        let listed = host.run(["cp", "t:/f", "-"]).ok();
        assert!(listed.stdout.contains("from the host"), "{when}");
        let export = path("all.tar");
        host.run(["export", "-o", &export, "t"]).ok();
        let listed =
            run(tool("tar", ["--numeric-owner", "-tvf", &export, "file", "f", "folder/in/f"]), LIMIT).ok().stdout;
        let owners: Vec<_> =
            listed.lines().map(|line| line.split_ascii_whitespace().nth(1).unwrap_or_default()).collect();
        assert_eq!(owners, ["8/9", "5/6", "0/0"], "{when}: {listed}");
        ["plain", "whole"].iter().for_each(|name| fs::remove_file(place(name)).expect("it was copied"));
        fs::remove_dir_all(place("new")).expect("it was copied");
    };
    check("while it runs");
    assert_eq!(exec(&["stat", "-c", "%u:%g", "/f", "/folder/in/f"]), "8:9\n0:0\n");
    let changed = host.run(["diff", "t"]).ok().stdout;
    assert!(changed.contains("A /file") && !changed.contains("/bin"), "{changed}");
    host.run(["commit", "t", "made:1"]).ok();
    let kept = host.run(["run", "--rm", "made:1", "stat", "-c", "%u:%g", "/file", "/f", "/bin"]).ok();
    assert_eq!(kept.stdout, "5:6\n8:9\n0:0\n");
    host.run(["stop", "-t", "0", "t"]).ok();
    check("when it has ended");
}

#[test]
#[ignore = "needs root"]
fn its_network_is_its_roots_and_two_containers_share_no_id() {
    let host = Scenario::new("a server on port 80, and neighbours that are strangers");
    let script = "mkdir /w; echo served > /w/page; httpd -p 80 -h /w; ip link set dev eth0 mtu 1400 && echo changed";
    sleeper(&host, &["-p", "127.0.0.1:8322:80", "--cap-add", "NET_ADMIN", "--sysctl", "net.ipv4.ip_forward=1"], script);
    assert_eq!(crate::harness::get("http://127.0.0.1:8322/page", LIMIT), "served\n");
    assert_eq!(host.run(["exec", "t", "cat", "/proc/sys/net/ipv4/ip_forward"]).ok().text(), "1");
    host.run(["run", "-d", "--name", "u", "--userns", "private", "busybox:1", "sleep", "1000"]).ok();
    let (first, second) = (outside(&host, "t"), outside(&host, "u"));
    assert!(first.abs_diff(second) >= 65_536, "{first} and {second}");
    let page = host.run(["exec", "u", "wget", "-qO-", "http://t/page"]).ok();
    assert_eq!(page.text(), "served");
    assert_eq!(host.run(["logs", "t"]).ok().text(), "changed");
    host.run(["rm", "-f", "u"]).ok();
}

#[test]
#[ignore = "needs root"]
fn it_is_adopted_and_started_again_with_its_users() {
    let host = Scenario::new("a user namespace outlives its first process");
    sleeper(&host, &["--restart", "always", "-v", "data:/data"], "echo $(id -u) >> /data/starts");
    let (first, pid, monitor) = (outside(&host, "t"), host.pid("t"), monitor_of(&host, "t"));
    kill(Pid::from_raw(monitor), Signal::SIGKILL).expect("it lives");
    eventually("another monitor has it", LIMIT, || match (host.pid("t"), monitor_of(&host, "t")) {
        (now, other) if now == pid && other != monitor => Ok(()),
        (now, other) => Err(format!("pid {now}, monitor {other}")),
    });
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
    eventually("it has started again", LIMIT, || {
        let starts = host.run(["exec", "t", "cat", "/data/starts"]);
        if starts.stdout == "0\n0\n" { Ok(()) } else { Err(starts) }
    });
    assert_eq!(outside(&host, "t"), first);
    host.run(["restart", "-t", "0", "t"]).ok();
    assert_eq!(host.run(["exec", "t", "id", "-u"]).ok().text(), "0");
    host.run(["rm", "-f", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_users_of_its_own_contradict_is_refused_by_name() {
    let host = Scenario::new("no half measures");
    let refused = [
        (&["--privileged"][..], "privileged"),
        (&["--pid", "host"], "pid"),
        (&["--ipc", "host"], "ipc"),
        (&["--uts", "host"], "uts"),
        (&["--network", "host"], "network"),
        (&["--runtime", "runc"], "another OCI runtime"),
    ];
    for (flags, name) in refused {
        let words = ["run", "--rm", "--userns", "private"].into_iter().chain(flags.iter().copied());
        host.run(words.chain(["busybox:1", "true"])).code(125).says(["users of its own", name]);
    }
    host.run(["run", "--rm", "--userns", "keep-id", "busybox:1", "true"]).code(2).says(["keep-id", "private"]);
    assert_eq!(host.run(["ps", "-aq"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_service_has_users_of_its_own() {
    let project = Scenario::new("userns_mode: of a Compose file");
    let service = "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n";
    project.file("compose.yaml", &format!("{service}    userns_mode: private\n"));
    project.run(["up", "-d"]).ok();
    assert!(outside(&project, &format!("{}-web-1", project.project())) >= 65_536);
}
