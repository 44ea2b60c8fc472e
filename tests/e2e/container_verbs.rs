//! Docker's verbs of one container that change it, look into it, or move files.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use crate::harness::{Scenario, eventually};

fn up(project: &Scenario, name: &str, more: &[&str]) {
    let words = ["run", "-d", "--name", name].into_iter().chain(more.iter().copied());
    project.run(words.chain(["busybox:1", "sleep", "1000"])).ok();
}

#[test]
#[ignore = "needs root"]
fn a_renamed_container_is_found_by_its_new_name_alone_by_its_neighbours_too() {
    let project = Scenario::new("a name leads to one container, here and on its networks");
    project.run(["network", "create", "lan"]).ok();
    up(&project, "old", &["--network", "lan"]);
    up(&project, "other", &["--network", "lan"]);
    project.run(["rename", "old", "new"]).ok();
    project.run(["inspect", "old"]).code(1);
    assert_eq!(project.inspect("new")["Name"], "/new");
    project.run(["exec", "other", "ping", "-c", "1", "new"]).ok();
    project.run(["exec", "other", "ping", "-c", "1", "old"]).code(1);
    project.run(["rename", "new", "other"]).code(1).says(["`other`", "in use"]);
    project.run(["rename", "new", "new"]).code(1);
    project.run(["rename", "new", "no/name"]).code(1).says(["no/name"]);
    up(&project, "old", &[]);
    project.run(["restart", "-t", "0", "new"]).ok();
    assert_eq!(project.inspect("new")["State"]["Running"], true);
}

/// Leaves what whoever changes records has noted in the lock on all of them, as one who was killed at it does.
fn leave_a_note(project: &Scenario) {
    std::fs::write(project.run_directory().join("locks/containers"), "begun").expect("the file is ours");
}

#[test]
#[ignore = "needs root"]
fn a_rename_that_was_cut_short_leaves_one_name() {
    let project =
        Scenario::new("killed between two steps, the next command that makes a container puts the names right");
    up(&project, "c", &[]);
    let id = project.inspect("c")["Id"].as_str().expect("it has one").to_owned();
    std::os::unix::fs::symlink(&id, project.root().join("names/half")).expect("the directory is ours");
    leave_a_note(&project);
    up(&project, "half", &[]);
    assert_ne!(project.inspect("half")["Id"], id);
    assert_eq!(project.inspect("c")["Id"], id);
}

#[test]
#[ignore = "needs root"]
fn what_another_command_is_deleting_is_left_to_it() {
    let project = Scenario::new("files of a deleted container go outside the lock of all containers");
    project.run(["create", "--name", "first", "busybox:1"]).ok();
    let id = "0".repeat(64);
    let half = project.root().join(format!("containers/.removing-{id}/upper"));
    std::fs::create_dir_all(&half).expect("the directory is ours");
    let path = project.run_directory().join(format!("locks/container-{id}"));
    let lock = std::fs::File::create(&path).expect("the directory is ours");
    lock.lock().expect("nobody has it");
    leave_a_note(&project);
    project.run(["create", "--name", "second", "busybox:1"]).ok();
    assert!(half.exists(), "somebody is at it");
    drop(lock);
    project.run(["create", "--name", "third", "busybox:1"]).ok();
    assert!(!half.exists(), "who was at it was killed");
    std::fs::remove_file(path).expect("it was made above");
}

/// Returns the value of a file of the container's own cgroup: by its name in version 1 or version 2.
fn limit(project: &Scenario, name: &str, files: [&str; 2]) -> String {
    let pid = project.pid(name);
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    let places: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')).collect();
    let controller = files[0].split('.').next().unwrap_or_default();
    let v1 = places.iter().find(|(names, _)| names.split(',').any(|name| name == controller));
    let path = match v1 {
        Some((_, path)) => format!("/sys/fs/cgroup/{controller}{path}/{}", files[0]),
        None => format!("/sys/fs/cgroup{}/{}", places[""], files[1]),
    };
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")).trim().to_owned()
}

#[test]
#[ignore = "needs root"]
fn update_changes_what_runs_and_what_starts_again() {
    let project = Scenario::new("limits hold at once, and at the next start");
    up(&project, "c", &["--memory", "64m"]);
    let memory = || limit(&project, "c", ["memory.limit_in_bytes", "memory.max"]);
    assert_eq!(memory(), (64 << 20).to_string());
    let pid = project.pid("c");
    project.run(["update", "--memory", "96m", "--pids-limit", "77", "c"]).ok();
    assert_eq!(memory(), (96 << 20).to_string());
    assert_eq!(limit(&project, "c", ["pids.max", "pids.max"]), "77");
    assert_eq!(project.pid("c"), pid, "it runs on");
    project.run(["update", "--memory", "1k", "c"]).code(1).says(["6 MiB"]);
    project.run(["restart", "-t", "0", "c"]).ok();
    assert_eq!(memory(), (96 << 20).to_string());
    project.run(["update", "--memory", "64m", "--memory-swap", "32m", "c"]).code(1).says(["swap"]);
    project.run(["update", "c"]).code(1).says(["nothing to change"]);
}

#[test]
#[ignore = "needs root"]
fn a_restart_policy_that_was_changed_while_it_runs_is_the_one_that_holds() {
    let project = Scenario::new("the monitor reads what update has written");
    up(&project, "c", &[]);
    project.run(["update", "--restart", "on-failure:1", "--pids-limit", "66", "c"]).ok();
    let pid = project.pid("c");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("it runs");
    crate::harness::eventually("it runs again", std::time::Duration::from_secs(20), || {
        let state = project.inspect("c")["State"].clone();
        if state["Running"] == true && state["Pid"] != pid { Ok(()) } else { Err(state) }
    });
    assert_eq!(project.inspect("c")["RestartCount"], 1);
    assert_eq!(limit(&project, "c", ["pids.max", "pids.max"]), "66", "a start by the policy has the new limits too");
}

#[test]
#[ignore = "needs root"]
fn diff_lists_what_was_added_changed_and_deleted() {
    let project = Scenario::new("what a container has done to its image's files");
    up(&project, "c", &["-v", "/data"]);
    let before = project.run(["diff", "c"]).ok().stdout;
    assert_eq!(
        before, "A /data\n",
        "places that every container has mounts on are no changes; docker shows a volume's"
    );
    project.run(["exec", "c", "sh", "-c", "echo x > /new; rm /etc/passwd; echo y >> /etc/group; touch /data/x"]).ok();
    let expected = "A /data\nC /etc\nC /etc/group\nD /etc/passwd\nA /new\n";
    assert_eq!(project.run(["diff", "c"]).ok().stdout, expected);
    project.run(["stop", "-t", "0", "c"]).ok();
    assert_eq!(project.run(["diff", "c"]).ok().stdout, expected);
}

fn archive(project: &Scenario, path: &str) -> BTreeMap<String, String> {
    let command = project.command(["cp", path, "-"]).stdout(Stdio::piped()).spawn();
    let mut bytes = Vec::new();
    let mut child = command.expect("it is built");
    child.stdout.take().expect("it is piped").read_to_end(&mut bytes).expect("it writes");
    assert!(child.wait().expect("it is ours").success());
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entry = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.expect("it is an archive");
        let mut text = String::new();
        let path = entry.path().expect("it has one").display().to_string();
        entry.read_to_string(&mut text).expect("it is text");
        (path, text)
    };
    archive.entries().expect("it is an archive").map(entry).collect()
}

fn send(project: &Scenario, bytes: &[u8], path: &str) -> bool {
    let mut child = project.command(["cp", "-", path]).stdin(Stdio::piped()).spawn().expect("it is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let _ = stdin.write_all(bytes); // it may refuse before it has read everything
    drop(stdin);
    child.wait().expect("it is ours").success()
}

fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o640);
        header.set_uid(5);
        builder.append_data(&mut header, path, text.as_bytes()).expect("memory takes it");
    }
    builder.into_inner().expect("memory takes it")
}

#[test]
#[ignore = "needs root"]
fn archives_go_into_containers_and_out_of_them_running_or_not() {
    let project = Scenario::new("cp with - on one side, as scripts use it");
    up(&project, "c", &["-v", "data:/data"]);
    assert!(send(&project, &packed(&[("deep/file", "one"), ("top", "two")]), "c:/data"));
    assert_eq!(project.run(["exec", "c", "stat", "-c", "%u %a", "/data/top"]).ok().text(), "5 640");
    assert_eq!(archive(&project, "c:/data/deep")["deep/file"], "one");
    assert_eq!(archive(&project, "c:/data/top")["top"], "two");
    assert_eq!(archive(&project, "c:/data/.")["deep/file"], "one");
    assert!(!send(&project, &packed(&[("x", "")]), "c:/no/such/folder"));
    assert!(!send(
        &project,
        b"this is no archive, and long enough to be told from one".repeat(20).as_slice(),
        "c:/tmp"
    ));
    project.run(["stop", "-t", "0", "c"]).ok();
    assert!(send(&project, &packed(&[("etc/stopped", "three")]), "c:/"));
    assert_eq!(archive(&project, "c:/etc/stopped")["stopped"], "three");
    project.run(["cp", "c:/no/such/file", "-"]).code(1).says(["/no/such/file"]);
}

#[test]
#[ignore = "needs root"]
fn what_is_copied_while_a_container_does_not_run_goes_to_its_volumes() {
    let project = Scenario::new("docker create, docker cp, docker start: what scripts fill a volume with");
    let html = "/usr/share/nginx/html";
    project.file("from/page", "page").file("bound/file", "the host's").file("locked/file", "the host's");
    let (page, bound, locked) =
        ("from/page".to_owned(), project.folder().join("bound"), project.folder().join("locked"));
    let mounts = [
        format!("html:{html}"),
        "new:/not/in/the/image".to_owned(),
        format!("{}:/bound", bound.display()),
        format!("{}:/locked:ro", locked.display()),
    ];
    let mut words = vec!["create", "--name", "c"];
    mounts.iter().for_each(|mount| words.extend(["-v", mount]));
    project.run(words.into_iter().chain(["nginx:1", "sleep", "1000"])).ok();
    for folder in [html, "/not/in/the/image", "/bound"] {
        project.run(["cp", &page, &format!("c:{folder}/")]).ok();
        assert_eq!(archive(&project, &format!("c:{folder}/page"))["page"], "page");
    }
    project.run(["cp", &page, "c:/locked/"]).code(1).says(["Read-only"]);
    assert!(send(&project, &packed(&[("packed", "packed")]), "c:/not/in/the/image"));
    assert_eq!(std::fs::read_to_string(bound.join("page")).expect("it is on the host"), "page");
    assert_eq!(std::fs::read_dir(&locked).expect("it is there").count(), 1);
    // the image's files came first, as when the container had been started
    assert!(archive(&project, &format!("c:{html}/.")).contains_key("index.html"));
    project.run(["start", "c"]).ok();
    let script = format!("cd {html} && ls; cat /not/in/the/image/packed");
    assert_eq!(project.run(["exec", "c", "sh", "-c", &script]).ok().stdout, "index.html\npage\npacked");
    project.run(["rm", "-f", "c"]).ok();
    project.run(["volume", "rm", "html", "new"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_is_copied_is_joined_with_what_is_mounted_and_takes_no_mount_away() {
    let project = Scenario::new("the kernel unmounts for others what somebody outside renames something over");
    project
        .file("conf", "the host's")
        .file("from/dir/sub/new", "new")
        .file("from/dir/sub/deep/new", "new")
        .file("from/dir/top", "new");
    let (conf, from) = (project.folder().join("conf"), project.folder().join("from/dir"));
    up(&project, "c", &["-v", "data:/dir/sub", "-v", &format!("{}:/conf", conf.display())]);
    project
        .run(["exec", "c", "sh", "-c", "mkdir /dir/sub/deep; echo old | tee /dir/sub/old /dir/sub/deep/old >/dir/top"])
        .ok();
    let contents = || {
        let script = "for file in /dir/top /dir/sub/old /dir/sub/new /dir/sub/deep/old /dir/sub/deep/new; do cat $file; echo; done";
        project.run(["exec", "c", "sh", "-c", script]).ok().stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    project.run(["cp", &from.display().to_string(), "c:/"]).ok();
    assert_eq!(contents(), "new old new old new");
    project.run(["exec", "c", "rm", "/dir/sub/new", "/dir/top"]).ok();
    assert!(send(&project, &packed(&[("dir/sub/new", "packed"), ("dir/top", "packed")]), "c:/"));
    assert_eq!(contents(), "packed old packed old new");
    let volume = project.root().join("volumes/data/_data");
    assert_eq!(std::fs::read_to_string(volume.join("new")).expect("it is in the volume"), "packed");
    let left = project.run(["exec", "c", "find", "/", "-xdev", "-name", ".lighter-cp-*"]).ok();
    assert_eq!(left.text(), "");
    // a file that is mounted is in the way, as docker says too
    for target in ["c:/conf", "c:/etc/hosts"] {
        project.run(["cp", &from.join("top").display().to_string(), target]).code(1).says(["busy"]);
    }
    assert_eq!(project.run(["exec", "c", "cat", "/conf"]).ok().text(), "the host's");
}

#[test]
#[ignore = "needs root"]
fn an_archive_never_leads_out_of_the_container() {
    let project = Scenario::new("neither names with .. nor links in an archive or a container reach the host");
    let canary = project.directory().join("canary");
    std::fs::write(&canary, "untouched").expect("the directory is ours");
    up(&project, "c", &[]);
    let host = project.directory().display().to_string();
    project.run(["exec", "c", "ln", "-s", &host, "/tmp/door"]).ok();
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "way", &host).expect("memory takes it");
    let mut file = tar::Header::new_gnu();
    file.set_size(4);
    builder.append_data(&mut file, "way/canary", &b"lost"[..]).expect("memory takes it");
    send(&project, &builder.into_inner().expect("memory takes it"), "c:/tmp");
    send(&project, &packed(&[("canary", "lost")]), "c:/tmp/door");
    assert_eq!(std::fs::read_to_string(&canary).expect("it is there"), "untouched");
}

#[test]
#[ignore = "needs root"]
fn top_names_users_as_the_host_does() {
    let project = Scenario::new("ps says root, and a number where there is no name");
    up(&project, "c", &[]);
    up(&project, "d", &["--user", "54321"]);
    for (container, user) in [("c", "root"), ("d", "54321")] {
        let shown = project.run(["top", container]).ok().stdout;
        let row = shown.lines().nth(1).unwrap_or_default();
        assert_eq!(row.split_whitespace().next(), Some(user), "{shown}");
    }
}

#[test]
#[ignore = "needs root"]
fn top_takes_options_of_ps() {
    let project = Scenario::new("docker top CONTAINER -o …");
    up(&project, "c", &[]);
    let shown = project.run(["top", "c", "-o", "pid,args"]).ok().stdout;
    let pid = project.pid("c");
    let expected = [format!("{pid} sleep 1000")];
    let lines: Vec<String> =
        shown.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, expected);
}

#[test]
#[ignore = "needs root"]
fn what_is_to_be_removed_at_its_end_survives_a_restart_and_no_second_end() {
    let host = Scenario::new("`restart` of a container of `run --rm` is no end of it");
    host.run(["run", "-d", "--rm", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    let before = host.pid("t");
    host.run(["restart", "-t", "0", "t"]).ok();
    assert_ne!(host.pid("t"), before);
    assert_eq!(host.inspect("t")["HostConfig"]["AutoRemove"], true);
    host.run(["stop", "-t", "0", "t"]).ok();
    eventually("it is removed", Duration::from_secs(10), || {
        let left = host.run(["ps", "--all", "--quiet"]).ok();
        if left.text().is_empty() { Ok(()) } else { Err(left.stdout) }
    });
}

#[test]
#[ignore = "needs root"]
fn what_cannot_run_is_said_before_there_is_a_container() {
    let host = Scenario::new("a typing error leaves nothing behind");
    for flags in [["-w", "relative"], ["--cap-add", "FLY"], ["--ulimit", "foo=1"]] {
        let words = ["run"].iter().chain(&flags).chain(&["busybox:1", "true"]);
        host.run(words).code(125).says([flags[1].split('=').next().unwrap_or_default()]);
    }
    assert_eq!(host.run(["ps", "--all", "--quiet"]).ok().text(), "");
    host.run(["create", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    host.run(["stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}}", "t"]).ok();
    host.run(["start", "t"]).ok();
    host.run(["exec", "-w", "/absent", "t", "true"]).code(126).says(["working directory", "/absent"]);
    host.run(["exec", "t", "test", "!", "-e", "/absent"]).ok();
    host.run(["pause", "t"]).ok();
    host.run(["exec", "t", "true"]).code(1).says(["paused"]);
    host.run(["rm", "-f", "t"]).ok();
}
