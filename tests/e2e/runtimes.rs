//! Containers whose processes another OCI runtime makes: runc, as Debian packages it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, Terminal, eventually, get, run, tool};
use crate::lifecycle::monitor_of;

const LIMIT: Duration = Duration::from_secs(60);

/// Returns the ids that runc knows of in a container's run directory.
fn known_to(host: &Scenario, id: &str) -> String {
    let root = host.run_directory().join("containers").join(id).join("oci");
    run(tool("runc", ["--root", &root.display().to_string(), "list", "-q"]), LIMIT).ok().text().to_owned()
}

#[test]
#[ignore = "needs root"]
fn what_another_runtime_runs_looks_like_any_container() {
    let host = Scenario::new("--runtime changes who makes the processes, and nothing else");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let run = |more: &[&str]| {
        let words = ["run", "--rm", "--runtime", "runc"].into_iter().chain(more.iter().copied());
        host.run(words)
    };
    let script = "cat; echo to-err >&2; hostname; id -u; exit 7";
    let shown = run(&["--hostname", "box", "-u", "5", "busybox:1", "sh", "-c", script]).code(7);
    // the first container of a host may have been told that it forwards now
    assert_eq!((shown.stdout.as_str(), shown.stderr.lines().last()), ("box\n5\n", Some("to-err")));
    run(&["busybox:1", "no-such-program"]).code(127).says(["no-such-program"]);
    run(&["busybox:1", "/etc"]).code(126).says(["/etc"]);

    let limits = ["-m", "64m", "--pids-limit", "50", "-p", "127.0.0.1:8321:80"];
    let words = ["run", "-d", "--name", "t", "--runtime", "runc"].into_iter().chain(limits);
    let server = "echo up; mkdir /w; echo served > /w/index.html; httpd -f -p 80 -h /w";
    let id = host.run(words.chain(["busybox:1", "sh", "-c", server])).ok().text().to_owned();
    assert_eq!(known_to(&host, &id), id, "it is runc that made it");
    eventually("it serves its port", LIMIT, || match get("http://127.0.0.1:8321/", LIMIT) {
        text if text == "served\n" => Ok(()),
        text => Err(text),
    });
    let inspected = host.inspect("t");
    assert_eq!(inspected["HostConfig"]["Runtime"], "runc");
    assert_eq!(host.run(["logs", "t"]).ok().stdout, "up\n");
    let exec = |words: &[&str]| host.run(["exec"].into_iter().chain(words.iter().copied()));
    let shown = exec(&["-u", "9", "-w", "/tmp", "-e", "A=b", "t", "sh", "-c", "id -u; pwd; echo $A; exit 3"]).code(3);
    assert_eq!(shown.stdout, "9\n/tmp\nb\n");
    exec(&["t", "no-such-program"]).code(127).says(["no-such-program"]);
    assert!(host.run(["top", "t"]).ok().stdout.contains("httpd"));
    host.run(["pause", "t"]).ok();
    host.run(["unpause", "t"]).ok();
    host.run(["stop", "-t", "0", "t"]).ok();
    assert_eq!(host.inspect("t")["State"]["ExitCode"], 137);
    host.run(["start", "t"]).ok();
    host.run(["kill", "-s", "KILL", "t"]).ok();
    host.run(["wait", "t"]).ok();
    host.run(["rm", "t"]).ok();
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn it_has_a_terminal_and_its_size() {
    let host = Scenario::new("-it with another runtime, of run and of exec");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let words = ["run", "-it", "--rm", "--name", "t", "--runtime", "runc", "busybox:1", "sh"];
    let mut terminal = Terminal::start(&host.command(words), 33, 99);
    terminal.shows("# ").types("stty size\r").shows("33 99").resize(20, 70).types("stty size\r").shows("20 70");
    let mut second = Terminal::start(&host.command(["exec", "-it", "t", "sh"]), 31, 91);
    second.shows("# ").types("stty size\r").shows("31 91").types("exit 4\r").ends_with(4);
    terminal.types("exit 5\r").ends_with(5);
}

#[test]
#[ignore = "needs root"]
fn its_init_is_a_copy_that_hands_signals_on_and_reaps() {
    let host = Scenario::new("--init of a container that another runtime makes");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let run = |more: &[&str]| host.run(["run", "--init", "--runtime", "runc"].iter().chain(more).copied());
    let script = "trap 'echo ended; exit 6' TERM; (true &); echo begun; while :; do sleep 0.1; done";
    let id = run(&["-d", "--name", "t", "busybox:1", "sh", "-c", script]).ok().text().to_owned();
    let inside = |script: &str| host.run(["exec", "t", "sh", "-c", script]).ok().text().to_owned();
    assert_eq!(inside("xargs -0 < /proc/1/cmdline | cut -d ' ' -f 1-3"), "/sbin/docker-init -- sh");
    let mount = inside("grep ' /sbin/docker-init ' /proc/1/mountinfo");
    assert!(mount.contains(&format!("containers/{id}/init /sbin/docker-init ro,")), "{mount}");
    eventually("nobody is left to be reaped", LIMIT, || match inside("cat /proc/[0-9]*/stat").contains(") Z 1 ") {
        false => Ok(()),
        true => Err("a process that ended is a child of pid 1"),
    });
    host.run(["stop", "t"]).ok();
    assert_eq!(host.run(["logs", "t"]).ok().stdout, "begun\nended\n");
    assert_eq!(host.inspect("t")["State"]["ExitCode"], 6);
    host.run(["start", "t"]).ok();
    host.run(["rm", "-f", "t"]).ok();

    run(&["--rm", "-u", "5", "--read-only", "busybox:1", "sh", "-c", "kill -9 $$"]).code(137);
    run(&["--rm", "busybox:1", "no-such-program"]).code(127).says(["no-such-program"]);
    run(&["--rm", "busybox:1", "/etc"]).code(126).says(["/etc"]);
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn called_docker_init_it_ends_as_its_program_and_hands_signals_on() {
    let host = Scenario::new("what releases put into containers of other runtimes is lighter under that name");
    let program = host.directory().join("docker-init");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lighter"), &program).expect("ours");
    let init = |words: &[&str]| run(tool(program.to_str().expect("UTF-8"), words), LIMIT);
    assert_eq!(init(&["--", "echo", "--", "x"]).ok().stdout, "-- x\n");
    init(&["sh", "-c", "exit 7"]).code(7);
    init(&["--", "sh", "-c", "kill -9 $$"]).code(137);
    init(&["--", "sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID; while :; do sleep 0.1; done"]).code(5);
    init(&["--", "no-such-program"]).code(127).says(["no-such-program"]);
    init(&["--", "/etc"]).code(126).says(["/etc"]);
    init(&["--"]).code(1).says(["a program to run is missing"]);
}

#[test]
#[ignore = "needs root"]
fn an_init_that_would_not_run_in_every_image_is_refused_before_anything_is_made() {
    let host = Scenario::new("init_path of config.toml");
    host.run(["pull", "-q", "busybox:1"]).ok();
    let config = host.directory().join("config.toml");
    let run = || host.run(["run", "--init", "--runtime", "runc", "busybox:1", "true"]);
    let script = host.directory().join("script");
    fs::write(&script, "#!/bin/sh\n").expect("ours");
    for (path, why) in
        [(script.as_path(), "no program linked statically"), (Path::new("/no/such/init"), "No such file")]
    {
        fs::write(&config, format!("init_path = \"{}\"\n", path.display())).expect("ours");
        run().code(125).says(["init_path", &path.display().to_string(), why]);
    }
    fs::write(&config, "init_path = \"tini\"\n").expect("ours");
    run().code(125).says(["config.toml:1", "not absolute"]);
    host.configure("");
    assert_eq!(host.run(["ps", "-aq"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn it_is_adopted_probed_and_started_again() {
    let host = Scenario::new("the monitor's work is the same, whoever made the process");
    let script = "echo begun; trap 'echo ended; exit 6' TERM; while :; do sleep 0.1; done";
    let probe = ["--health-cmd", "test -e /proc/1", "--health-interval", "1s", "--restart", "on-failure:1"];
    let words = ["run", "-d", "--name", "t", "--runtime", "runc"].into_iter().chain(probe);
    host.run(words.chain(["busybox:1", "sh", "-c", script])).ok();
    eventually("it is healthy", LIMIT, || match &host.inspect("t")["State"]["Health"]["Status"] {
        status if status == "healthy" => Ok(()),
        status => Err(status.clone()),
    });
    let (pid, monitor) = (host.pid("t"), monitor_of(&host, "t"));
    kill(Pid::from_raw(monitor), Signal::SIGKILL).expect("it lives");
    eventually("another monitor has it", LIMIT, || match (host.pid("t"), monitor_of(&host, "t")) {
        (now, other) if now == pid && other != monitor => Ok(()),
        (now, other) => Err(format!("pid {now}, monitor {other}")),
    });
    host.run(["exec", "t", "kill", "-TERM", "1"]).ok();
    eventually("it is started again by its policy", LIMIT, || {
        let logs = host.run(["logs", "t"]).ok().stdout;
        if logs == "begun\nended\nbegun\n" && host.pid("t") != pid { Ok(()) } else { Err(logs) }
    });
    host.run(["stop", "t"]).ok();
    let state = &host.inspect("t")["State"];
    assert_eq!((&state["ExitCode"], &state["Status"]), (&6.into(), &"exited".into()));
    host.run(["rm", "t"]).ok();
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_runtime_is_found_by_configuration_name_or_path_and_refused_when_it_is_none() {
    let host = Scenario::new("a container is never made by another runtime than was asked for");
    let log = host.directory().join("runtime.log");
    let wrapper = host.directory().join("wrapper");
    fs::write(&wrapper, format!("#!/bin/sh\necho \"$@\" >> {}\nshift\nexec runc \"$@\"\n", log.display()))
        .expect("ours");
    run(tool("chmod", ["+x".as_ref(), wrapper.as_os_str()]), LIMIT).ok();
    host.configure(&format!("[runtimes.boxed]\npath = \"{}\"\nargs = [\"--fast\"]\n", wrapper.display()));
    let run = |runtime: &str| host.run(["run", "--rm", "--runtime", runtime, "busybox:1", "echo", "here"]);
    assert_eq!(run("boxed").ok().stdout, "here\n");
    let calls = fs::read_to_string(&log).expect("it was called");
    assert!(calls.lines().all(|line| line.starts_with("--fast --root ")), "{calls}");
    assert!(["create", "start", "delete"].iter().all(|verb| calls.contains(&format!(" {verb} "))), "{calls}");
    assert!(host.run(["info", "--format", "{{json .Runtimes}}"]).ok().stdout.contains("boxed"));
    assert_eq!(run("lighter").ok().stdout, "here\n");
    run("runsc").code(125).says(["no OCI runtime `runsc`", "lighter, boxed"]);
    run("/etc/passwd").code(125).says(["no OCI runtime `/etc/passwd`"]);
    host.run(["run", "-d", "--name", "t", "--runtime", "boxed", "busybox:1", "sleep", "1000"]).ok();
    fs::remove_file(&wrapper).expect("it is ours");
    host.run(["stop", "t"]).code(1).says(["boxed"]);
    host.run(["rm", "-f", "t"]).ok();
    assert_eq!(host.run(["ps", "-aq"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_service_has_a_runtime_and_one_there_is_not_is_refused_before_anything_is_made() {
    let project = Scenario::new("runtime: of a Compose file");
    let text = "services:\n  web:\n    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n    runtime: runsc\n";
    project.file("compose.yaml", text);
    project.run(["up", "-d"]).code(1).says(["no OCI runtime `runsc`"]);
    assert_eq!(project.run(["network", "ls", "-q"]).ok().text(), "");
    project.edit("compose.yaml", "runsc", "runc");
    project.run(["up", "-d"]).ok();
    let containers = project.containers();
    let id = &containers["web"].id;
    let id = project.inspect(id)["Id"].as_str().expect("it has one").to_owned();
    assert_eq!(known_to(&project, &id), id);
}
