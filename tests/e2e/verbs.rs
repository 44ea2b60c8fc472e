//! The verbs of `compose` that look at a running project or change it, without its file.

use serde_json::Value;

use crate::harness::{Scenario, seconds};

/// What a prune says that found nothing.
const NONE: &str = "Total reclaimed space: 0B";

const WEB: &str = r#"
services:
  web:
    image: busybox:1
    command: sh -c "trap 'exit 0' TERM; while :; do sleep 0.2; done"
    scale: 2
    ports: ["127.0.0.1:8000-8001:80"]
    volumes: ["data:/data"]
  db:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
volumes: {data: {}}
"#;

fn project(purpose: &'static str) -> Scenario {
    let project = Scenario::new(purpose);
    project.file("compose.yaml", WEB);
    project.run(["up", "-d"]).ok();
    project
}

fn states(project: &Scenario) -> Vec<String> {
    let shown = project.run(["compose", "ps", "--all", "--format", "{{.Service}} {{.State}}"]).ok();
    shown.stdout.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn paused_containers_stand_still_and_can_be_stopped() {
    let project = project("pause freezes, unpause thaws");
    project.run(["compose", "pause", "db"]).ok();
    assert_eq!(states(&project), ["db paused", "web running", "web running"]);
    let pid = project.pid(&format!("{}-db-1", project.project()));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    assert!(!stat.contains("hrtimer"), "it sleeps where it slept: {stat}");
    project.run(["compose", "exec", "-T", "db", "true"]).code(1);
    project.run(["compose", "unpause"]).ok();
    assert_eq!(states(&project), ["db running", "web running", "web running"]);
    project.run(["compose", "exec", "-T", "db", "true"]).ok();
    project.run(["compose", "pause"]).ok();
    project.run(["compose", "stop"]).ok();
    assert_eq!(states(&project), ["db exited", "web exited", "web exited"]);
    let web = project.inspect(&format!("{}-web-1", project.project()));
    assert_eq!(web["State"]["ExitCode"], 0, "a paused container gets its stop signal too");
}

#[test]
#[ignore = "needs root"]
fn a_health_check_rests_while_its_container_is_paused() {
    let project = Scenario::new("a frozen container is not ill");
    let second = seconds(1);
    let limit = format!("{second}s");
    let run =
        ["run", "-d", "--name", "c", "--health-interval", "100ms", "--health-timeout", &limit, "--health-retries", "1"];
    project.run(run.into_iter().chain(["--health-cmd", "true", "busybox:1", "sleep", "1000"])).ok();
    project.run(["pause", "c"]).ok();
    let log = || project.inspect("c")["State"]["Health"]["Log"].clone();
    let a_second = || drop(project.run(["run", "--rm", "busybox:1", "sleep", &second]).ok());
    a_second(); // a probe that was running when the container was stopped has been written down
    let before = log();
    a_second();
    assert_eq!(log(), before);
    project.run(["unpause", "c"]).ok();
    assert_ne!(project.inspect("c")["State"]["Health"]["Status"], "unhealthy");
}

#[test]
#[ignore = "needs root"]
fn a_probe_that_is_born_frozen_times_out_and_its_monitor_goes_on() {
    let project = Scenario::new("who looks after a container waits for no frozen process");
    let run = ["run", "-d", "--name", "c", "--health-interval", "100ms", "--health-timeout", "200ms"];
    let probe = ["--health-retries", "1", "--health-cmd", "true", "busybox:1", "sleep", "1000"];
    project.run(run.into_iter().chain(probe)).ok();
    let cgroup = project.inspect("c")["CgroupPath"].as_str().expect("it is a path").to_owned();
    let files = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(|root| format!("{root}{cgroup}/cgroup.freeze"));
    let file = files.iter().find(|file| std::path::Path::new(file).exists()).expect("there is a freezer");
    // Behind the back of `pause`: as if it came between the monitor's look and its probe.
    let freeze = |word: &str| std::fs::write(file, word).expect("it can be written");
    let limit = std::time::Duration::from_secs(20);
    let is = |status: &str| {
        let health = project.inspect("c")["State"]["Health"].clone();
        (health["Status"] == status).then_some(()).ok_or_else(|| health.to_string())
    };
    crate::harness::eventually("it is well", limit, || is("healthy"));
    freeze("1");
    crate::harness::eventually("the probe has timed out", limit, || is("unhealthy"));
    freeze("0");
    crate::harness::eventually("the next one has not", limit, || is("healthy"));
    let id = project.inspect("c")["Id"].clone();
    let stray = |status: &str| status.contains("State:\tZ");
    let monitors = project.inspect("c")["MonitorPid"].clone();
    let _ = (id, stray, monitors);
    freeze("1");
    project.run(["stop", "--time", "0", "c"]).ok();
    assert_eq!(project.inspect("c")["State"]["Status"], "exited");
}

#[test]
#[ignore = "needs root"]
fn of_a_range_that_is_taken_the_file_is_named() {
    let project = Scenario::new("a replica's port is one of a range that somebody wrote");
    project.file("compose.yaml", WEB);
    project.run(["run", "-d", "--name", "other", "-p", "127.0.0.1:8001:80", "busybox:1", "sleep", "1000"]).ok();
    let expected = ["publish port 8001/tcp", "publishes 8000-8001 (", "/compose.yaml:7:13)", "container 2"];
    project.run(["up", "-d"]).code(1).says(expected);
}

#[test]
#[ignore = "needs root"]
fn what_runs_is_shown_from_its_labels_without_the_file() {
    let project = project("a project is known by its labels");
    std::fs::remove_file(project.folder().join("compose.yaml")).expect("it was written");
    let compose = |verb: &[&str]| {
        let all = ["compose", "-p", project.project()].into_iter().chain(verb.iter().copied());
        project.run(all).ok().stdout
    };
    let ports = [compose(&["port", "web", "80"]), compose(&["port", "--index", "2", "web", "80"])];
    assert_eq!(ports, ["127.0.0.1:8000\n", "127.0.0.1:8001\n"]);
    project.run(["compose", "-p", project.project(), "port", "web", "81"]).code(1).says(["81/tcp"]);
    assert_eq!(compose(&["top", "db"]).lines().filter(|line| line.ends_with("sleep 1000")).count(), 1);
    let stats = compose(&["stats", "--no-stream", "--format", "json", "db"]);
    let stats: Value = serde_json::from_str(stats.trim()).expect("it is JSON");
    assert_eq!(stats["PIDs"], "1");
    assert_eq!(compose(&["volumes", "--quiet"]), format!("{}_data\n", project.project()));
    assert_eq!(compose(&["images", "--quiet"]).lines().count(), 1);
    let listed: Value = serde_json::from_str(&compose(&["ls", "--format", "json"])).expect("it is JSON");
    assert_eq!(
        (listed[0]["Name"].as_str(), listed[0]["Status"].as_str()),
        (Some(project.project()), Some("running(3)"))
    );
    compose(&["stop", "web"]);
    compose(&["start", "web"]);
    compose(&["restart", "db"]);
    compose(&["kill", "db"]);
    compose(&["rm", "--force", "db"]);
    compose(&["down", "--volumes"]);
    assert_eq!(compose(&["ps", "--all", "--quiet"]), "");
}

#[test]
#[ignore = "needs root"]
fn create_starts_nothing_and_scale_changes_only_the_number() {
    let project = Scenario::new("create, then start; then more, then fewer");
    project.file("compose.yaml", WEB);
    project.run(["compose", "create"]).ok();
    assert_eq!(states(&project), ["db created", "web created", "web created"]);
    project.run(["compose", "start"]).ok();
    let id = project.inspect(&format!("{}-web-1", project.project()))["Id"].clone();
    project.run(["compose", "scale", "web=1"]).ok();
    assert_eq!(states(&project), ["db running", "web running"]);
    project.run(["compose", "scale", "web=2", "db=0"]).ok();
    assert_eq!(states(&project), ["web running", "web running"]);
    assert_eq!(project.inspect(&format!("{}-web-1", project.project()))["Id"], id);
    project.run(["compose", "scale", "web=x"]).code(1).says(["web=x"]);
}

#[test]
#[ignore = "needs root"]
fn only_the_logs_that_are_asked_for_are_attached() {
    let project = Scenario::new("--attach, --no-attach, attach: false, and dependencies");
    let service =
        |name: &str, more: &str| format!("  {name}:\n    image: busybox:1\n    command: echo said by {name}\n{more}");
    let text = [
        "services:\n".to_owned(),
        service("a", "    depends_on: [b]\n"),
        service("b", ""),
        service("c", "    attach: false\n"),
    ];
    project.file("compose.yaml", &text.concat());
    let shown = |flags: &[&str]| {
        let output = project.run(["up", "--force-recreate"].into_iter().chain(flags.iter().copied())).ok();
        ["a", "b", "c"]
            .into_iter()
            .filter(|name| output.stdout.contains(&format!("said by {name}")))
            .collect::<String>()
    };
    assert_eq!(shown(&[]), "ab");
    assert_eq!(shown(&["a"]), "a");
    assert_eq!(shown(&["--attach-dependencies", "a"]), "ab");
    assert_eq!(shown(&["--no-attach", "a"]), "b");
    assert_eq!(shown(&["--attach", "c"]), "c");
    project.run(["up", "--attach", "x"]).code(1).says(["x"]);
}

#[test]
#[ignore = "needs root"]
fn a_volume_with_driver_options_is_mounted_while_it_is_used() {
    let project = Scenario::new("type, device and o, as Docker's driver local has them");
    std::fs::create_dir(project.folder().join("kept")).expect("the folder is ours");
    std::fs::create_dir(project.folder().join("kept-filled")).expect("the folder is ours");
    let device = project.folder().join("kept").display().to_string();
    let text = format!(
        r#"
services:
  a: {{image: 'busybox:1', command: [sh, -c, 'echo x > /bound/file; df -k /memory; exec sleep 1000'], volumes: ['bound:/bound', 'memory:/memory', 'filled:/etc'], stop_grace_period: 0s}}
  b: {{image: 'busybox:1', command: [sleep, '1000'], volumes: ['bound:/bound'], stop_grace_period: 0s}}
volumes:
  bound: {{driver_opts: {{type: none, o: bind, device: '{device}'}}}}
  filled: {{driver_opts: {{type: none, o: bind, device: '{device}-filled'}}}}
  memory: {{driver_opts: {{type: tmpfs, device: tmpfs, o: 'size=1m,noexec'}}}}
"#
    );
    project.file("compose.yaml", &text);
    project.run(["up", "-d"]).ok();
    let data = |name: &str| project.root().join("volumes").join(format!("{}_{name}", project.project())).join("_data");
    let is_mounted = |name: &str| {
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("procfs is mounted");
        mounts.contains(&format!(" {} ", data(name).display()))
    };
    crate::harness::eventually("it has written", std::time::Duration::from_secs(20), || {
        std::fs::read(project.folder().join("kept/file")).map(drop)
    });
    assert!(
        project.folder().join("kept-filled/passwd").exists(),
        "what the image has there is copied to what is mounted"
    );
    crate::harness::eventually("the limit of the tmpfs holds", std::time::Duration::from_secs(20), || {
        let logs = project.run(["compose", "logs", "a"]).ok().stdout;
        if logs.contains(" 1024 ") { Ok(()) } else { Err(logs) }
    });
    project.run(["compose", "stop", "a"]).ok();
    assert!(is_mounted("bound") && !is_mounted("memory"), "mounted as long as one needs it");
    project.run(["down", "--volumes"]).ok();
    assert!(!is_mounted("bound"));
    assert!(project.folder().join("kept/file").exists(), "what was bound is not the volume's to delete");
    project.run(["volume", "create", "-o", "type=nfs", "x"]).code(1).says(["device"]);
    for (options, why) in [
        (["type=nfs", "device=:/export"], "where is the server?"),
        (["type=nosuchfs", "device=none"], "the kernel has no file system `nosuchfs`"),
    ] {
        project.run(["volume", "create", "-o", options[0], "-o", options[1], "wrong"]).ok();
        project
            .run(["run", "--rm", "-v", "wrong:/x", "busybox:1", "true"])
            .code(125)
            .says(["mount volume `wrong`", why]);
        project.run(["volume", "rm", "wrong"]).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn prune_takes_what_nobody_has_and_leaves_names_alone_unless_told() {
    let project = Scenario::new("a name is a promise");
    project.run(["volume", "create", "--label", "keep=me", "named"]).ok();
    project.run(["run", "--name", "c", "-v", "used:/a", "-v", "/b", "busybox:1", "true"]).ok();
    project.run(["run", "--name", "d", "-v", "/b", "busybox:1", "true"]).ok();
    project.run(["rm", "d"]).ok();
    let pruned = project.run(["volume", "prune", "-f"]).ok();
    assert!(pruned.stdout.starts_with("Deleted Volumes:\n"), "{pruned}");
    assert_eq!(pruned.stdout.lines().count(), 4, "{pruned}");
    assert_eq!(project.run(["volume", "ls", "-q", "--filter", "dangling=true"]).ok().text(), "named");
    assert_eq!(project.run(["volume", "ls", "-q", "--filter", "label=keep=me"]).ok().text(), "named");
    assert_eq!(project.run(["volume", "prune", "--all", "--force", "--filter", "label=other"]).ok().text(), NONE);
    project.run(["volume", "prune", "--all"]).code(1).says(["nobody to ask"]);
    let pruned = project.run(["volume", "prune", "--all", "--force"]).ok();
    assert_eq!(pruned.text(), format!("Deleted Volumes:\nnamed\n\n{NONE}"));
    project.run(["rm", "-v", "c"]).ok();
    project.run(["volume", "rm", "used"]).ok();
    project.run(["volume", "rm", "-f", "used"]).ok();
}

#[test]
#[ignore = "needs root"]
fn cp_brings_files_into_containers_and_out_of_them_running_or_not() {
    let project = project("cp works without anything inside the container");
    project.file("in/deep/file", "from the host\n");
    let name = |number: u32| format!("{}-web-{number}", project.project());
    project.run(["compose", "cp", "in", "web:/tmp/new"]).ok();
    for number in [1, 2] {
        let read = project.run(["exec", &name(number), "cat", "/tmp/new/deep/file"]).ok();
        assert_eq!(read.stdout, "from the host\n", "all replicas get it");
    }
    // Into a volume, and out of one, through the eyes of the container.
    project.run(["compose", "cp", "--index", "2", "in/deep/file", "web:/data/"]).ok();
    project.run(["compose", "cp", "web:/data/file", "out"]).ok();
    let out = std::fs::read_to_string(project.folder().join("out")).expect("it was copied");
    assert_eq!(out, "from the host\n");
    let one_off = project.run(["compose", "run", "-d", "web", "sleep", "1000"]).ok().text().to_owned();
    project.run(["compose", "cp", "in/deep/file", "web:/one"]).ok();
    project.run(["exec", &one_off, "test", "-e", "/one"]).code(1);
    project.run(["compose", "cp", "--all", "in/deep/file", "web:/all"]).ok();
    project.run(["exec", &one_off, "test", "-e", "/all"]).ok();
    project.run(["rm", "-f", &one_off]).ok();
    project.run(["compose", "cp", "web:/absent", "x"]).code(1).says(["/absent"]);

    project.run(["create", "--name", "c", "busybox:1", "cat", "/etc/motd"]).ok();
    project.run(["cp", "in/deep/file", "c:/etc/motd"]).ok();
    assert_eq!(project.run(["start", "--attach", "c"]).ok().stdout, "from the host\n");
    project.run(["cp", "c:/etc/motd", "motd"]).ok();
    let motd = std::fs::read_to_string(project.folder().join("motd")).expect("it was copied");
    assert_eq!(motd, "from the host\n");
}

#[test]
#[ignore = "needs root"]
fn cp_never_follows_a_link_of_the_container_to_the_host() {
    let project = Scenario::new("a hostile container must not make cp read or write the host's files");
    let canary = project.directory().join("canary");
    std::fs::write(&canary, "untouched").expect("the directory is ours");
    let swap = format!(
        "mkdir -p /d /e; ln -s {} /d/key; while :; do ln -sfn {} /swap; rm -rf /swap; mkdir /swap; rm -rf /swap; done",
        canary.display(),
        project.directory().display()
    );
    project.run(["run", "-d", "--name", "c", "busybox:1", "sh", "-c", &swap]).ok();
    project.file("canary", "from cp");
    for _ in 0..30 {
        let _ = project.run(["cp", "canary", "c:/swap/canary"]); // may fail, as the place comes and goes
    }
    assert_eq!(std::fs::read_to_string(&canary).expect("it is there"), "untouched");
    project.run(["cp", "--follow-link", "c:/d/key", "stolen"]).code(1);
    assert!(!project.folder().join("stolen").exists());
}

#[test]
#[ignore = "needs root"]
fn events_tell_what_happens_to_the_projects_containers() {
    let project = Scenario::new("who listens hears the life of a container");
    project.file(
        "compose.yaml",
        "services: {a: {image: 'busybox:1', command: [sleep, '1000'], stop_grace_period: 0s}, b: {image: 'busybox:1'}}\n",
    );
    let listener = project.start(["compose", "events", "--json", "a"]);
    crate::harness::eventually("it listens", std::time::Duration::from_secs(20), || {
        // A life that it does not hear is no harm: the next one is as good.
        project.run(["up", "-d", "a"]).ok();
        project.run(["compose", "pause", "a"]).ok();
        project.run(["compose", "unpause", "a"]).ok();
        project.run(["down"]).ok();
        let heard = listener.stdout();
        let told = |action: &str| heard.contains(&format!("\"action\":\"{action}\""));
        match ["create", "start", "die", "destroy"].into_iter().all(told) {
            true => Ok(()),
            false => Err(heard),
        }
    });
    let events: Vec<Value> =
        listener.stdout().lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert!(events.iter().all(|event| event["service"] == "a" && event["type"] == "container"));
    let names = |event: &Value| event["attributes"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
    assert_eq!(
        names(&events[0]).unwrap_or_default(),
        ["image", "name"],
        "labels of Compose are left out, as docker does"
    );
    let networks = project.run(["events", "--since", "1h", "--until", "0s", "--filter", "type=network"]).ok();
    assert!(networks.stdout.contains("network create") && networks.stdout.contains("network destroy"), "{networks}");
    let past = project.run(["compose", "events", "--since", "1h", "--until", "0s", "a"]).ok();
    assert!(past.stdout.contains("container start "), "{past}");
}

#[test]
#[ignore = "needs root"]
fn a_service_or_replica_that_is_not_there_is_an_error_of_every_verb() {
    let project = Scenario::new("a typing error is not a success");
    let text =
        "services:\n  a: {image: 'busybox:1', command: [sleep, '1000'], stop_grace_period: 0s, container_name: one}\n";
    project.file("compose.yaml", text);
    for verb in ["start", "start a"] {
        project.run(verb_of(verb)).code(1).says(["service `a` has no container to start", "compose up"]);
    }
    project.run(["up", "-d"]).ok();
    for verb in ["ps nope", "down nope", "start nope", "logs nope", "up -d --scale nope=2", "top nope"] {
        project.run(verb_of(verb)).code(1).says(["nope"]);
    }
    project.run(verb_of("logs --index 2 a")).code(1).says(["no container number 2"]);
    project.run(verb_of("logs --index 1")).code(1).says(["name it"]);
    project.run(verb_of("up -d --scale a=2")).code(1).says(["fixed `container_name`"]);
    project.run(verb_of("up --wait --no-start")).code(2).says(["--no-start"]);
    project.run(verb_of("pause a")).ok();
    project.run(verb_of("exec -T a true")).code(1).says(["is paused"]);
    project.run(verb_of("unpause a")).ok();
    project
        .run([
            "run",
            "-d",
            "--name",
            "other",
            "--network",
            &format!("{}_default", project.project()),
            "busybox:1",
            "sleep",
            "1000",
        ])
        .ok();
    let down = project.run(["down"]).ok();
    assert!(down.stderr.contains("in use by other") && !down.stderr.contains("✔  delete network"), "{down}");
    project.run(["rm", "-f", "other"]).ok();
}

/// Returns the words of a verb of `compose`.
fn verb_of(words: &str) -> impl Iterator<Item = &str> {
    ["compose"].into_iter().chain(words.split(' '))
}

#[test]
#[ignore = "needs root"]
fn watch_copies_restarts_and_executes_when_files_change() {
    let project = Scenario::new("a developer saves a file and sees it run");
    project.file("src/page", "one").file("src/.git/x", "x").file("conf/app.conf", "low").file(
        "compose.yaml",
        r#"
services:
  web:
    image: busybox:1
    command: sh -c "cat /conf/app.conf; exec sleep 1000"
    stop_grace_period: 0s
    develop:
      watch:
        - {action: sync+exec, path: ./src, target: /app, ignore: [.git], initial_sync: true, exec: {command: [sh, -c, "cat /app/page > /tmp/ran"]}}
        - {action: sync+restart, path: ./conf, target: /conf}
"#,
    );
    project.run(["up", "-d"]).ok();
    let watch = project.start(["compose", "watch"]);
    let limit = std::time::Duration::from_secs(30);
    let inside = |path: &str| project.run(["compose", "exec", "-T", "web", "cat", path]).stdout;
    let becomes = |path: &str, text: &str| {
        crate::harness::eventually(&format!("{path} becomes {text}"), limit, || {
            let found = inside(path);
            if found == text { Ok(()) } else { Err(format!("{found}\n{}", watch.stderr())) }
        });
    };
    becomes("/app/page", "one");
    crate::harness::eventually("it watches", limit, || {
        if watch.stderr().contains("watching") { Ok(()) } else { Err(watch.stderr()) }
    });
    project.file("src/page", "two").file("src/new/deep", "deep").file("src/.git/y", "y");
    becomes("/app/page", "two");
    becomes("/tmp/ran", "two");
    becomes("/app/new/deep", "deep");
    assert_eq!(inside("/app/.git/x") + &inside("/app/.git/y"), "", "what is ignored is not of the first copy either");
    std::fs::remove_dir_all(project.folder().join("src/new")).expect("it was written");
    becomes("/app/new/deep", "");
    let deep = project.folder().join("src/new/deep").display().to_string();
    crate::harness::eventually("it says what became of the file", limit, || {
        let said = watch.stderr();
        let of_it: Vec<_> = said.lines().filter(|line| line.contains(&deep)).collect();
        match of_it[..] {
            [first, .., last] if first.contains("copied ") && last.contains("removed ") => Ok(()),
            _ => Err(said),
        }
    });
    let before = project.pid(&format!("{}-web-1", project.project()));
    project.file("conf/app.conf", "high\n");
    crate::harness::eventually("it is restarted with the new file", limit, || {
        let logs = project.run(["compose", "logs", "--no-log-prefix", "web"]).stdout;
        if logs.ends_with("high\n") { Ok(()) } else { Err(format!("{logs}\n{}", watch.stderr())) }
    });
    assert_ne!(project.pid(&format!("{}-web-1", project.project())), before);
    watch.signal(nix::sys::signal::Signal::SIGINT);
}

#[test]
#[ignore = "needs root"]
fn a_detached_exec_goes_on_by_itself() {
    let project = project("exec -d does not wait");
    project.run(["compose", "exec", "-d", "db", "sh", "-c", "sleep 0.3; echo done > /tmp/done"]).ok();
    crate::harness::eventually("it is done", std::time::Duration::from_secs(20), || {
        let read = project.run(["compose", "exec", "-T", "db", "cat", "/tmp/done"]);
        if read.stdout == "done\n" { Ok(()) } else { Err(read) }
    });
}

#[test]
#[ignore = "needs root"]
fn run_reads_its_flags_as_docker_compose_does() {
    let project =
        project("-i takes no word of the command, -P publishes what the service does, -q says nothing of ours");
    let run = |flags: &[&str], service: &str, command: &[&str]| {
        let all = ["compose", "run", "--rm"].iter().chain(flags).copied().chain([service]);
        project.run(all.chain(command.iter().copied())).ok().stdout
    };
    assert_eq!(run(&["-i", "-T"], "db", &["echo", "x"]), "x\n");
    assert_eq!(run(&["-T", "--entrypoint", "sh -c"], "db", &["echo y"]), "y\n", "it is split as in the file");
    assert_eq!(run(&["-q", "-d"], "db", &["true"]), "");
    project.run(["compose", "stop", "web"]).ok();
    let detached = project.run(["compose", "run", "-d", "-P", "web"]).ok();
    let ports = project.run(["port", detached.text()]).ok();
    assert!(ports.stdout.contains("80/tcp -> 127.0.0.1:800"), "{ports}");
    project.run(["compose", "run", "-P", "-p", "1:2", "web"]).code(2);
    assert!(project.run(["compose", "--version"]).ok().stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
#[ignore = "needs root"]
fn progress_is_plain_json_or_nothing_and_a_dry_run_does_nothing() {
    let project = Scenario::new("CI reads lines, programs read JSON");
    project
        .file("compose.yaml", "services: {a: {image: 'busybox:1', command: [sleep, '1000'], stop_grace_period: 0s}}\n");
    let up = project.run(["--dry-run", "up", "-d"]).ok();
    assert!(up.stdout.contains("create ") && project.containers().is_empty(), "{up}");
    let up = project.run(["--progress", "json", "up", "-d", "--quiet-pull"]).ok();
    let objects: Vec<Value> = up.stderr.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert!(objects.iter().any(|object| object["status"] == "Done" && object["text"] == "running"), "{up}");
    let failed = project.run(["--progress", "json", "up", "-d", "nobody"]).code(1).stderr;
    let failed: Value = serde_json::from_str(failed.trim()).expect("a failure is JSON too");
    assert!(failed["error"] == true && failed["message"].as_str().is_some_and(|text| text.contains("nobody")));
    assert_eq!(project.run(["--progress", "quiet", "down"]).ok().stderr, "");
    project.run(["compose", "--progress", "plain", "up", "-d"]).ok().says([" ✔  start"]);
    let down = project.run(["compose", "--dry-run", "down"]).ok();
    assert!(down.stdout.contains("delete ") && project.containers()["a"].state == "running", "{down}");
}
