//! `commit`: images of what containers have changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::harness::{Scenario, Tree, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(120);

/// Reads the files of an image through umoci, which reads the store as it is.
#[track_caller]
fn unpacked(host: &Scenario, image: &str) -> Tree {
    let bundle = host.directory().join("bundle");
    let source = format!("{}:{image}", host.root().join("images").display());
    run(tool("umoci", ["unpack".as_ref(), "--image".as_ref(), source.as_ref(), bundle.as_os_str()]), LIMIT).ok();
    let tree = Tree::read(&bundle.join("rootfs")).expect("umoci has unpacked it");
    fs::remove_dir_all(&bundle).expect("the directory is ours");
    tree
}

/// Waits until the container `c` has made a file.
#[track_caller]
fn is_there(host: &Scenario, path: &str) {
    eventually(&format!("{path} is there"), LIMIT, || {
        let test = host.run(["exec", "c", "test", "-e", path]);
        if test.succeeded() { Ok(()) } else { Err(test.to_string()) }
    });
}

#[test]
#[ignore = "needs root"]
fn an_image_of_a_container_has_its_files_and_umoci_unpacks_them_alike() {
    let host = Scenario::new("a commit is what the container saw");
    let script = "echo new >/etc/new; ln /etc/new /etc/again; ln -s /nowhere /etc/link; rm /bin/vi; \
        mkdir -p /srv/a/b; chmod 1770 /srv/a; chown 12:34 /srv/a/b; rm -r /usr; mkdir /usr; touch /usr/x; mkfifo /srv/pipe; \
        truncate -s 64M /srv/hollow; echo end >>/srv/hollow; touch -d 2001-02-03 /srv/old; sleep 1000";
    host.run(["run", "--detach", "--name", "c", "--network", "none", "busybox:1", "sh", "-c", script]).ok();
    is_there(&host, "/srv/old");
    let id = host.run(["commit", "c", "made:1"]).ok().text().to_owned();
    host.run(["exec", "c", "true"]).ok();

    let mounted = host.run(["image", "mount", &id]).ok().text().to_owned();
    let ours = Tree::read(mounted.as_ref()).expect("it is mounted");
    let differences = ours.differences(&unpacked(&host, "made:1"));
    assert!(differences.is_empty(), "{}", differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    host.run(["image", "unmount", &id]).ok();

    let show = "cat /etc/again; stat -c '%a %u %g %h' /srv/a /srv/a/b /etc/new; ls /usr; test ! -e /bin/vi";
    let output = host.run(["run", "--rm", "--network", "none", "made:1", "sh", "-c", show]).ok();
    assert_eq!(output.text(), "new\n1770 0 0 3\n755 12 34 2\n644 0 0 2\nx");
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_container_that_changed_nothing_gives_an_image_without_a_new_layer() {
    let host = Scenario::new("an empty layer is none");
    host.run(["create", "--name", "c", "--network", "none", "busybox:1", "true"]).ok();
    host.run(["commit", "--change", "LABEL a=b", "c", "made:1"]).ok();
    let layers =
        |image: &str| host.run(["image", "inspect", "--format", "{{.RootFS.Layers}}", image]).ok().text().to_owned();
    assert_eq!(layers("made:1"), layers("busybox:1"));
    let labels = host.run(["image", "inspect", "--format", "{{json .Config.Labels}}", "made:1"]).ok();
    assert_eq!(labels.text(), r#"{"a":"b"}"#);
}

#[test]
#[ignore = "needs root"]
fn mount_points_of_a_run_are_no_part_of_an_image() {
    let host = Scenario::new("what lighter mounts is not what the container changed");
    host.run(["run", "--name", "c", "--volume", "data:/data", "busybox:1", "touch", "/data/x", "/here"]).ok();
    host.run(["commit", "c", "made:1"]).ok();
    let base = unpacked(&host, "busybox:1");
    let made = unpacked(&host, "made:1");
    let new: Vec<_> = base.differences(&made).into_iter().map(|one| one.path().display().to_string()).collect();
    assert!(new.contains(&"here".to_owned()) && !new.iter().any(|path| path.starts_with("data/")), "{new:?}");
    for place in ["dev", "proc", "sys", "etc/hosts", "etc/resolv.conf", "etc/hostname"] {
        assert!(!new.contains(&place.to_owned()), "{place} is in the image: {new:?}");
    }
    host.run(["rm", "c"]).ok();
    host.run(["volume", "rm", "data"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_link_in_the_writable_directory_leads_nowhere() {
    let host = Scenario::new("a container must not read the host through its own commit");
    let secret = host.directory().join("secret");
    fs::create_dir(&secret).expect("the directory is ours");
    fs::write(secret.join("key"), "of the host").expect("the directory is ours");
    host.run(["create", "--name", "c", "--network", "none", "busybox:1", "true"]).ok();
    let upper = host.inspect("c")["GraphDriver"]["Data"]["UpperDir"].as_str().expect("it is a path").to_owned();
    symlink(&secret, format!("{upper}/folder")).expect("the directory is ours");
    symlink(secret.join("key"), format!("{upper}/file")).expect("the directory is ours");
    host.run(["commit", "c", "made:1"]).ok();
    let archive = host.directory().join("made.tar");
    host.run(["save".as_ref(), "--output".as_ref(), archive.as_os_str(), "made:1".as_ref()]).ok();
    host.run(["image", "cp", "made:1:/folder", "copy"]).ok();
    assert_eq!(fs::read_link(host.folder().join("copy")).expect("it is a link"), secret);
    host.run(["image", "cp", "made:1:/folder/key", "copied"]).code(1);
    // and a writable directory that is a link itself is not opened
    fs::remove_dir_all(&upper).expect("the directory is ours");
    symlink(&secret, &upper).expect("the directory is ours");
    host.run(["commit", "c", "made:2"]).code(1).says(["open", "upper"]);
    fs::remove_file(&upper).and_then(|()| fs::create_dir(&upper)).expect("the directory is ours");
}

#[test]
#[ignore = "needs root"]
fn swapping_files_while_they_are_read_shows_nothing_of_the_host() {
    let host = Scenario::new("a race must not be won by the container");
    fs::write(host.directory().join("key"), "of the host").expect("the directory is ours");
    host.run(["create", "--name", "c", "--network", "none", "busybox:1", "true"]).ok();
    let upper = host.inspect("c")["GraphDriver"]["Data"]["UpperDir"].as_str().expect("it is a path").to_owned();
    let swap = format!(
        "cd {upper}; while :; do mkdir d; echo inside >d/key; rm -rf d; ln -s {} d; rm d; done",
        host.directory().display()
    );
    let mut swapping = tool("sh", ["-c", &swap]).stderr(std::process::Stdio::null()).spawn().expect("sh runs");
    for round in 0..20 {
        let name = format!("made:{round}");
        // An entry may be gone or another one when it is opened: then the commit says so, and that is all.
        if host.run(["commit", "c", &name]).succeeded() {
            let files = host.run(["save", &name]);
            assert!(!files.stdout.contains("of the host"));
            let copied = host.run(["image", "cp", &format!("{name}:/d/key"), &format!("copy-{round}")]);
            let read = fs::read_to_string(host.folder().join(format!("copy-{round}"))).unwrap_or_default();
            assert!(!read.contains("of the host"), "{copied}");
        }
    }
    swapping.kill().and_then(|()| swapping.wait()).expect("it is our child");
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn processes_stand_still_during_a_commit_and_go_on_after_it_even_if_it_is_killed() {
    let host = Scenario::new("a commit that dies must not leave a container frozen");
    let script =
        "dd if=/dev/urandom of=/big bs=1M count=64 2>/dev/null; touch /done; while :; do date +%N >/tick; done";
    host.run(["run", "--detach", "--name", "c", "--network", "none", "busybox:1", "sh", "-c", script]).ok();
    is_there(&host, "/done");
    let cgroup = host.inspect("c")["CgroupPath"].as_str().expect("it is a path").to_owned();
    let frozen = || {
        let places = ["/sys/fs/cgroup/freezer", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        places.iter().any(|place| {
            let read = |file: &str| fs::read_to_string(format!("{place}{cgroup}/{file}")).unwrap_or_default();
            read("freezer.state").contains("FROZEN") || read("cgroup.events").contains("frozen 1")
        })
    };
    let committing = host.start(["commit", "c", "made:1"]);
    eventually("the processes stand still", LIMIT, || frozen().then_some(()).ok_or("they run"));
    committing.signal(nix::sys::signal::Signal::SIGKILL);
    drop(committing);
    assert!(frozen(), "the commit was not killed in time");
    host.run(["ps"]).ok();
    assert!(!frozen(), "the next command lets them go on");
    host.run(["commit", "--pause=false", "c", "made:1"]);
    host.run(["commit", "c", "made:2"]).ok();
    assert!(!frozen());
    host.run(["exec", "c", "true"]).ok();
    host.run(["system", "check"]).ok();
}
