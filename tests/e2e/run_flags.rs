//! Flags of `run`, each by what it changes in the kernel or in the container.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Output, Scenario, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs a script in a container with these flags.
#[track_caller]
fn inside(host: &Scenario, flags: &[&str], script: &str) -> Output {
    let words = ["run", "--rm"].into_iter().chain(flags.iter().copied()).chain(["busybox:1", "sh", "-c", script]);
    host.run(words)
}

/// Starts a container with these flags; returns the configuration that the runtime got.
#[track_caller]
fn configuration(host: &Scenario, flags: &[&str]) -> Value {
    let words = ["run", "-d", "--name", "t"].into_iter().chain(flags.iter().copied());
    let id = host.run(words.chain(["busybox:1", "sleep", "1000"])).ok().text().to_owned();
    let command = host.command(["version"]);
    let run = command.get_envs().find(|(name, _)| *name == "LIGHTER_RUN").and_then(|(_, value)| value);
    let path = Path::new(run.expect("scenarios have one")).join("containers").join(&id).join("config.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read `{}`: {error}", path.display()));
    host.run(["rm", "-f", "t"]).ok();
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
#[ignore = "needs root"]
fn limits_reach_the_runtime() {
    let host = Scenario::new("a limit that is passed over is worse than none");
    let flags = [
        "-m",
        "64m",
        "--memory-reservation",
        "32m",
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "25000",
        "--cpu-shares",
        "512",
        "--cpuset-cpus",
        "0",
        "--cpuset-mems",
        "0",
        "--pids-limit",
        "50",
        "--oom-score-adj",
        "500",
        "--ulimit",
        "nofile=100:200",
        "--device-cgroup-rule",
        "c 10:229 rw",
        "--cgroup-parent",
        "/lighter-e2e-parent",
    ];
    let found = configuration(&host, &flags);
    let resources = &found["linux"]["resources"];
    assert_eq!(resources["memory"]["limit"], 64 << 20);
    assert_eq!(resources["memory"]["reservation"], 32 << 20);
    let cpu = &resources["cpu"];
    assert_eq!((&cpu["period"], &cpu["quota"], &cpu["shares"]), (&50000.into(), &25000.into(), &512.into()));
    assert_eq!((&cpu["cpus"], &cpu["mems"]), (&"0".into(), &"0".into()));
    assert_eq!(resources["pids"]["limit"], 50);
    assert_eq!(found["process"]["oomScoreAdj"], 500);
    let rules = resources["devices"].as_array().expect("there are rules");
    assert!(
        rules.iter().any(|rule| rule["major"] == 10 && rule["minor"] == 229 && rule["access"] == "rw"),
        "{rules:?}"
    );
    assert!(found["linux"]["cgroupsPath"].as_str().is_some_and(|path| path.starts_with("/lighter-e2e-parent/")));
    let script = "ulimit -n; cat /proc/self/oom_score_adj";
    let shown = inside(&host, &["--ulimit", "nofile=100:200", "--oom-score-adj", "500"], script).ok();
    assert_eq!(shown.stdout, "100\n500\n");
}

#[test]
#[ignore = "needs root"]
fn what_contradicts_itself_or_is_not_supported_is_refused_by_name() {
    let host = Scenario::new("nothing is ignored silently");
    let refused = [
        (&["--isolation", "hyperv"][..], "--isolation"),
        (&["--cpu-count", "2"], "--cpu-count"),
        (&["--storage-opt", "size=1g"], "--storage-opt"),
        (&["--use-api-socket"], "--use-api-socket"),
        (&["--volume-driver", "nfs"], "--volume-driver"),
        (&["--kernel-memory", "64m"], "--kernel-memory"),
        (&["--runtime", "runsc"], "runsc"),
        (&["--gpus", "all"], "nvidia.com/gpu=all"),
        (&["--device", "example.com/none=0"], "example.com/none=0"),
        (&["--cpus", "1", "--cpu-quota", "1000"], "--cpus"),
        (&["--blkio-weight", "5"], "--blkio-weight"),
        (&["--oom-score-adj", "5000"], "--oom-score-adj"),
        (&["--memory-swappiness", "101"], "--memory-swappiness"),
        (&["--memory-swap", "1g"], "--memory-swap"),
        (&["--no-healthcheck", "--health-cmd", "true"], "--no-healthcheck"),
        (&["--restart", "always"], "--restart"),
        (&["--pid", "container"], "--pid"),
        (&["--pid", "container:absent"], "absent"),
        (&["--ipc", "some"], "--ipc"),
        (&["--security-opt", "label=type:x"], "label=type:x"),
        (&["--security-opt", "seccomp=/dev/null"], "seccomp"),
        (&["--env", "=x"], "--env"),
        (&["--mount", "type=cluster,src=a,dst=/b"], "cluster"),
        (&["--device-cgroup-rule", "x 1:2 r"], "x 1:2 r"),
        (&["-d", "-a", "stdout"], "--detach"),
    ];
    for (flags, name) in refused {
        inside(&host, flags, "true").code(125).says([name]);
    }
    assert_eq!(host.run(["ps", "-aq"]).ok().text(), "", "nothing is left of what was refused");
    inside(
        &host,
        &["--isolation", "default", "--disable-content-trust", "--userns", "host", "--runtime", "lighter"],
        "true",
    )
    .ok();
}

#[test]
#[ignore = "needs root"]
fn namespaces_of_other_containers_are_joined() {
    let host = Scenario::new("a debugger in a container beside the program");
    let script = "echo kept > /dev/shm/file; exec sleep 4321";
    host.run([
        "run",
        "-d",
        "--name",
        "t",
        "--ipc",
        "shareable",
        "--hostname",
        "first",
        "busybox:1",
        "sh",
        "-c",
        script,
    ])
    .ok();
    let processes = inside(&host, &["--pid", "container:t"], "ps").ok();
    assert!(processes.stdout.contains("sleep 4321"), "{processes}");
    assert_eq!(inside(&host, &["--ipc", "container:t"], "cat /dev/shm/file").ok().text(), "kept");
    assert_eq!(inside(&host, &["--uts", "container:t"], "hostname").ok().text(), "first");
    let of = |who: &str| fs::read_link(format!("/proc/{who}/ns/ipc")).expect("procfs is mounted").display().to_string();
    let theirs = inside(&host, &["--ipc", "container:t"], "readlink /proc/self/ns/ipc").ok();
    assert_eq!(theirs.text(), of(&host.pid("t").to_string()));
    host.run(["rm", "-f", "t"]).ok();

    host.run(["run", "-d", "--name", "t", "busybox:1", "sleep", "1000"]).ok();
    inside(&host, &["--ipc", "container:t"], "true").code(125).says(["--ipc shareable"]);
    host.run(["stop", "-t", "0", "t"]).ok();
    inside(&host, &["--pid", "container:t"], "true").code(125).says(["pid", "not running"]);
    host.run(["rm", "t"]).ok();

    assert_eq!(inside(&host, &["--ipc", "host"], "readlink /proc/self/ns/ipc").ok().text(), of("thread-self"));
    assert_eq!(
        inside(&host, &["--uts", "host"], "hostname").ok().text(),
        fs::read_to_string("/proc/sys/kernel/hostname").expect("procfs is mounted").trim()
    );
    let cgroup = fs::read_link("/proc/thread-self/ns/cgroup").expect("procfs is mounted").display().to_string();
    assert_eq!(inside(&host, &["--cgroupns", "host"], "readlink /proc/self/ns/cgroup").ok().text(), cgroup);
    inside(&host, &["--ipc", "none"], "test -z \"$(grep ' /dev/shm ' /proc/mounts)\"").ok();
}

#[test]
#[ignore = "needs root"]
fn seccomp_profiles_are_the_users() {
    let host = Scenario::new("a profile that is not loaded protects nobody");
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": ["rmdir", "unlinkat"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#;
    host.file("profile.json", profile);
    let script = "rmdir /var/www && ! mkdir /new 2>/dev/null && grep '^Seccomp:.*2' /proc/self/status";
    inside(&host, &["--security-opt", "seccomp=profile.json"], script).ok();
    inside(&host, &["--security-opt", "seccomp=unconfined"], "grep '^Seccomp:.*0' /proc/self/status").ok();
    inside(&host, &["--security-opt", "no-new-privileges"], "grep '^NoNewPrivs:.*1' /proc/self/status").ok();
    let writable = "test -n \"$(grep '/sys/fs/cgroup.*[ ,]rw[ ,]' /proc/mounts)\"";
    inside(&host, &["--security-opt", "writable-cgroups"], writable).ok();
    assert!(!inside(&host, &[], writable).succeeded());
}

#[test]
#[ignore = "needs root"]
fn devices_by_name_are_what_the_specification_says() {
    let host = Scenario::new("GPUs come by CDI, and so does everything else");
    // The scenario's mounts are its own: the host's /etc/cdi stays as it is.
    let cdi = Path::new("/etc/cdi");
    let made = !cdi.exists();
    fs::create_dir_all(cdi).expect("root may");
    let none = None::<&str>;
    nix::mount::mount(Some("cdi"), cdi, Some("tmpfs"), nix::mount::MsFlags::empty(), none).expect("root may mount");
    host.file("library", "of the device\n");
    let specification = format!(
        "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ncontainerEdits:\n  env: [COMMON=1]\n  hooks:\n  - hookName: createRuntime\n    \
         path: /bin/touch\n    args: [touch, {folder}/hooked]\ndevices:\n- name: all\n  containerEdits:\n    env: [GPU=all]\n    \
         deviceNodes:\n    - path: /dev/gpu0\n      hostPath: /dev/full\n      permissions: rw\n    mounts:\n    - hostPath: \
         {folder}/library\n      containerPath: /usr/lib/gpu\n      options: [ro, bind]\n",
        folder = host.folder().display()
    );
    fs::write(cdi.join("gpu.yaml"), specification).expect("it is ours");
    let script = "echo $COMMON,$GPU; cat /usr/lib/gpu; test -c /dev/gpu0 && echo x > /dev/gpu0";
    let shown = inside(&host, &["--gpus", "all"], script);
    nix::mount::umount(cdi).expect("it was just mounted");
    if made {
        fs::remove_dir(cdi).expect("it was just made");
    }
    // writing to /dev/full fails with ENOSPC, and to a device that is not allowed with EPERM
    let shown = shown.code(1).says(["No space left"]);
    assert_eq!(shown.stdout, "1,all\nof the device\n");
    assert!(host.folder().join("hooked").exists(), "the hook has run");
}

#[test]
#[ignore = "needs root"]
fn volumes_of_another_container_and_files_of_an_image_are_mounted() {
    let host = Scenario::new("`--volumes-from` is how data containers are used");
    host.run([
        "run",
        "--name",
        "t",
        "-v",
        "named:/a",
        "-v",
        "/b",
        "busybox:1",
        "sh",
        "-c",
        "echo 1 > /a/x; echo 2 > /b/y",
    ])
    .ok();
    assert_eq!(inside(&host, &["--volumes-from", "t"], "cat /a/x /b/y; echo more >> /a/x").ok().stdout, "1\n2\n");
    inside(&host, &["--volumes-from", "t:ro"], "test -e /a/x && ! touch /a/z 2>/dev/null && ! touch /b/z 2>/dev/null")
        .ok();
    let mount = "type=image,source=busybox:1,target=/image,image-subpath=bin";
    inside(&host, &["--mount", mount], "test -e /image/busybox && ! touch /image/x 2>/dev/null").ok();
    host.run(["rm", "-v", "t"]).ok();
    host.run(["volume", "rm", "named"]).ok();
}

#[test]
#[ignore = "needs root"]
fn mounts_travel_between_host_and_container_as_asked_or_are_refused() {
    let host = Scenario::new("a mount that nobody sees because the host's mount is private is a riddle");
    let tree = host.folder().join("tree");
    fs::create_dir_all(tree.join("sub")).expect("the folder is ours");
    let mount = |words: &[&str]| run(tool("mount", words.iter().chain(&[&*tree.to_string_lossy()])), LIMIT).ok();
    let bind = |kind: &str| format!("{}:/tree:{kind}", tree.display());
    for kind in ["slave", "rslave", "shared", "rshared"] {
        inside(&host, &["-v", &bind(kind)], "true").code(125).says(["is not shared", kind, "--make-rshared"]);
    }
    inside(&host, &["-v", &bind("rprivate")], "true").ok();
    mount(&["--bind", &tree.to_string_lossy()]);
    mount(&["--make-shared"]);
    let own_users = inside(&host, &["--userns", "private", "-v", &bind("shared")], "true");
    own_users.code(125).says(["users of its own"]);
    let script = "mount -t tmpfs none /tree/sub && touch /tree/sub/mark && sleep 1000";
    let admin = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "-v", &bind("rshared")];
    let (begin, end) = (["run", "-d", "--name", "s"], ["busybox:1", "sh", "-c", script]);
    host.run(begin.iter().chain(&admin).chain(&end)).ok();
    let is_there = || if tree.join("sub/mark").exists() { Ok(()) } else { Err("it is not".to_owned()) };
    eventually("what the container mounts is on the host", LIMIT, is_there);
    host.run(["run", "-d", "--name", "r", "-v", &bind("rslave"), "busybox:1", "sleep", "1000"]).ok();
    host.run(["rm", "-f", "s"]).ok();
    run(tool("umount", [tree.join("sub")]), LIMIT).ok();
    host.run(["exec", "r", "test", "-e", "/tree/sub/mark"]).code(1);
    run(tool("umount", [&tree]), LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn a_folder_is_a_root_file_system_that_stays_as_it_is() {
    let host = Scenario::new("a chroot becomes a container without an image");
    host.run(["pull", "-q", "busybox:1"]).ok();
    host.run(["create", "--name", "t", "busybox:1"]).ok();
    fs::create_dir(host.folder().join("root")).expect("the folder is ours");
    let archive = host.folder().join("t.tar");
    host.run(["export", "-o", "t.tar", "t"]).ok();
    let unpack = ["-xf", archive.to_str().expect("UTF-8"), "-C", host.folder().join("root").to_str().expect("UTF-8")]
        .map(str::to_owned);
    crate::harness::run(crate::harness::tool("tar", unpack), std::time::Duration::from_secs(60)).ok();
    let script = "echo $0; touch /made; ls /made";
    let shown = host.run(["run", "--rm", "--rootfs", "root", "sh", "-c", script]).ok();
    assert_eq!(shown.stdout, "sh\n/made\n");
    assert!(!host.folder().join("root/made").exists());
    host.run(["run", "--rootfs", "absent", "true"]).code(125).says(["absent"]);
    host.run(["run", "--name", "f", "--rootfs", "root", "sh", "-c", script]).ok();
    host.file("in", "from the host\n");
    host.run(["cp", "in", "f:/made"]).ok();
    assert!(host.run(["cp", "f:/made", "-"]).ok().stdout.contains("from the host"));
    host.run(["export", "-o", "f.tar", "f"]).ok();
    host.run(["diff", "f"]).code(1).says(["`f` stands on a folder of the host"]);
    assert!(!host.folder().join("root/made").exists());
    host.run(["rm", "f"]).ok();
    host.run(["rm", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn files_of_variables_and_labels_are_read_as_docker_reads_them() {
    let host = Scenario::new("no quotes, no blanks, a name alone takes ours");
    host.file("vars", "# remark\n\n  A=1 2\nB=\"q\"\nC\nD\n").file("labels", "one=1\ntwo\n").file("bad", "A B=1\n");
    let mut command = host.command([
        "run",
        "--rm",
        "--env-file",
        "vars",
        "-e",
        "A=3",
        "busybox:1",
        "sh",
        "-c",
        "echo $A,$B,$C,${D-none}",
    ]);
    command.env("C", "ours").env_remove("D");
    assert_eq!(host.finish(command).ok().text(), "3,\"q\",ours,none");
    host.run(["create", "--name", "t", "--label-file", "labels", "-l", "one=2", "--cidfile", "id", "busybox:1"]).ok();
    let inspected = host.inspect("t");
    assert_eq!(inspected["Config"]["Labels"]["one"], "2");
    assert_eq!(inspected["Config"]["Labels"]["two"], "");
    assert_eq!(
        fs::read_to_string(host.folder().join("id")).expect("it was written"),
        inspected["Id"].as_str().expect("it has one")
    );
    host.run(["create", "--cidfile", "id", "busybox:1"]).code(1).says(["id", "exists"]);
    inside(&host, &["--env-file", "bad"], "true").code(125).says(["A B"]);
    host.run(["rm", "t"]).ok();
}

#[test]
#[ignore = "needs root"]
fn streams_are_joined_as_told() {
    let host = Scenario::new("`-a stdout` leaves the error output to the log");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let words = ["run", "--rm", "-a", "stdout", "--network", "none", "busybox:1", "sh", "-c", "echo out; echo err >&2"];
    let shown = host.run(words).ok();
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("out\n", ""));
    assert_eq!(host.run(["run", "--rm", "-h", "named", "busybox:1", "hostname"]).ok().text(), "named");
}

#[test]
#[ignore = "needs root"]
fn proxies_of_dockers_configuration_reach_containers_and_builds_and_give_way_to_what_is_said() {
    let host = Scenario::new("behind a proxy, what worked with docker must work");
    let folder = host.directory().join("docker");
    let config = r#"{"proxies": {"default": {"httpProxy": "http://a:1", "noProxy": ".b"}}}"#;
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
    let proxies = "env | grep -i _proxy | sort";
    let all = "HTTP_PROXY=http://a:1\nNO_PROXY=.b\nhttp_proxy=http://a:1\nno_proxy=.b";
    assert_eq!(inside(&host, &[], proxies).ok().text(), all);
    let said = inside(&host, &["-e", "HTTP_PROXY=mine", "-e", "http_proxy="], proxies);
    assert_eq!(said.ok().text(), "HTTP_PROXY=mine\nNO_PROXY=.b\nhttp_proxy=\nno_proxy=.b");
    host.run(["create", "--name", "t", "busybox:1", "true"]).ok();
    assert!(host.inspect("t")["Config"]["Env"].to_string().contains("http_proxy=http://a:1"));
    host.run(["rm", "t"]).ok();

    let dockerfile = format!("FROM busybox:1\nRUN {proxies} > /seen\n");
    host.file("Dockerfile", &dockerfile).run(["build", "-q", "-t", "mine", "."]).ok();
    fs::remove_file(folder.join("config.json")).unwrap();
    assert_eq!(host.run(["run", "--rm", "mine", "cat", "/seen"]).ok().text(), all);
    let history = host.run(["history", "--no-trunc", "mine"]).ok().stdout;
    assert!(!history.contains("http://a:1"), "a proxy's password stays out of the image: {history}");

    fs::write(folder.join("config.json"), "{").unwrap();
    inside(&host, &[], "true").ok().says(["no proxies are taken from", "config.json"]);
}

#[test]
#[ignore = "needs root"]
fn a_variable_without_a_value_here_is_taken_away_from_what_the_image_sets() {
    let host = Scenario::new("`-e NAME` says that the container has what the user has");
    host.file("Dockerfile", "FROM busybox:1\nENV SET=image KEPT=image\n").run(["build", "-q", "-t", "mine", "."]).ok();
    let script = "echo ${SET-none} ${KEPT-none}";
    let run = |value: Option<&str>| {
        let mut command = host.command(["run", "--rm", "-e", "SET", "mine", "sh", "-c", script]);
        match value {
            Some(value) => command.env("SET", value),
            None => command.env_remove("SET"),
        };
        host.finish(command).ok().text().to_owned()
    };
    assert_eq!((run(None), run(Some("mine"))), ("none image".to_owned(), "mine image".to_owned()));
    host.run(["run", "-d", "--name", "t", "mine", "sleep", "1000"]).ok();
    assert_eq!(host.run(["exec", "-e", "KEPT", "t", "sh", "-c", script]).ok().text(), "image none");
    host.run(["rm", "-f", "t"]).ok();
}
