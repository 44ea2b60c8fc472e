//! A project over time: what `up` touches, foreground `up`, volumes and binds, environment, logs.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Scenario, eventually};

const LIMIT: Duration = Duration::from_secs(30);

const TWO: &str = r#"
services:
  web:
    image: busybox:1
    command: sh -c "trap 'echo web goes; exit' TERM; echo web is here; while :; do sleep 0.1; done"
    environment: {LEVEL: low}
  db:
    image: busybox:1
    command: sh -c "trap 'echo db goes; exit' TERM; echo db is here; while :; do sleep 0.1; done"
"#;

#[test]
#[ignore = "needs root"]
fn up_recreates_only_the_service_whose_environment_changed() {
    let project = Scenario::new("an edit must not touch its neighbours");
    project.file("compose.yaml", TWO).run(["up", "-d"]).ok();
    let before = project.containers();
    project.edit("compose.yaml", "LEVEL: low", "LEVEL: high").run(["up", "-d"]).ok();
    let after = project.containers();
    assert_ne!(after["web"].id, before["web"].id);
    assert_eq!(after["db"], before["db"]);
    assert_eq!(project.run(["exec", "web", "sh", "-c", "echo $LEVEL"]).ok().text(), "high");
}

#[test]
#[ignore = "needs root"]
fn up_again_changes_nothing_and_needs_no_registry() {
    let mut project = Scenario::new("what is as it should be must be left alone");
    project.file("compose.yaml", TWO).run(["up", "-d"]).ok();
    let before = project.containers();
    project.stop_registry();
    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers(), before);
}

#[test]
#[ignore = "needs root"]
fn the_name_of_a_service_comes_before_the_beginning_of_an_id() {
    let project = Scenario::new("a service called `db` must be found whatever ids there are");
    let id = project.run(["create", "busybox:1", "true"]).ok().text().to_owned();
    let service = &id[..2];
    let file = format!("services: {{'{service}': {{image: 'busybox:1', command: sleep 60, init: true}}}}");
    project.file("compose.yaml", &file).run(["up", "-d"]).ok();
    assert_eq!(project.run(["exec", service, "printf", "there"]).ok().text(), "there");
    project.run(["rm", &id[..20]]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_foreground_up_shows_prefixed_logs_and_stops_on_sigint() {
    let project = Scenario::new("Ctrl-C must stop the project in order");
    let up = project.file("compose.yaml", TWO).start(["up"]);
    up.shows("web is here", LIMIT);
    up.shows("db is here", LIMIT);
    let prefixed = |text: &str, service: &str, message: &str| {
        text.lines()
            .any(|line| line.split_once('|').is_some_and(|(who, what)| who.contains(service) && what.trim() == message))
    };
    assert!(prefixed(&up.stdout(), "web-1", "web is here"), "{}", up.stdout());
    up.signal(Signal::SIGINT);
    let ended = up.finish(LIMIT).code(130);
    assert!(prefixed(&ended.stdout, "db-1", "db goes"), "{ended}");
    assert!(project.containers().values().all(|container| container.state == "exited"));
}

#[test]
#[ignore = "needs root"]
fn a_second_sigint_kills() {
    let project = Scenario::new("whoever asks twice does not want to wait");
    let stubborn = "services:\n  deaf:\n    image: busybox:1\n    command: sh -c \"trap '' TERM; echo here; while :; do sleep 1; done\"\n    stop_grace_period: 10m\n";
    let up = project.file("compose.yaml", stubborn).start(["up"]);
    up.shows("here", LIMIT);
    up.signal(Signal::SIGINT);
    eventually("it is being stopped", LIMIT, || {
        let seen = up.stderr();
        if seen.to_lowercase().contains("stopping") { Ok(()) } else { Err(seen) }
    });
    up.signal(Signal::SIGINT);
    up.finish(LIMIT).code(130);
    assert_eq!(project.containers()["deaf"].exit_code, 137);
}

#[test]
#[ignore = "needs root"]
fn two_ups_at_once_both_succeed_and_make_one_of_each() {
    let project = Scenario::new("two commands must not make two containers");
    project.file("compose.yaml", TWO).run(["pull", "busybox:1"]).ok();
    let both: Vec<_> = (0..2)
        .map(|n| {
            let directory = project.directory().join(format!("up-{n}"));
            std::fs::create_dir(&directory).expect("the directory is ours");
            crate::harness::Running::start(project.command(["up", "-d"]), &directory)
        })
        .collect();
    for up in both {
        up.finish(LIMIT).ok();
    }
    let ids = project.run(["ps", "--all", "--quiet"]).ok();
    assert_eq!(ids.text().lines().count(), 2, "{ids}");
}

#[test]
#[ignore = "needs root"]
fn volumes_binds_and_env_files_arrive() {
    let project = Scenario::new("what a service is given must be what it finds");
    project
        .file(
            "compose.yaml",
            r#"
services:
  one:
    image: busybox:1
    command: sleep 1000
    env_file: some.env
    environment: {B: from compose, D: "${D:-default}", E: "${E}"}
    volumes:
      - data:/data
      - ./files:/files:ro
  two:
    image: busybox:1
    command: sleep 1000
    volumes: ["data:/data"]
volumes:
  data:
"#,
        )
        .file("some.env", "A='single $$ quoted'\nB=from file\nexport C=\"a\\tb\"\n")
        .file(".env", "E=from .env\n")
        .file("files/there", "bound\n");
    project.run(["up", "-d"]).ok();
    let value =
        |name: &str| project.run(["exec", "one", "sh", "-c", &format!("printf %s \"${name}\"")]).ok().text().to_owned();
    assert_eq!(
        ["A", "B", "C", "D", "E"].map(value),
        ["single $$ quoted", "from compose", "a\tb", "default", "from .env"]
    );
    project.run(["exec", "one", "sh", "-c", "echo shared > /data/file"]).ok();
    assert_eq!(project.run(["exec", "two", "cat", "/data/file"]).ok().text(), "shared");
    assert_eq!(project.run(["exec", "one", "cat", "/files/there"]).ok().text(), "bound");
    project.run(["exec", "one", "touch", "/files/new"]).code(1).says(["Read-only file system"]);
}

#[test]
#[ignore = "needs root"]
fn a_new_volume_takes_over_what_the_image_has_there() {
    let project = Scenario::new("an image's own files must be on a fresh volume, owners and modes kept");
    project.file("compose.yaml", "services:\n  r:\n    image: redis:7\n    command: sleep 1000\n    volumes: ['data:/data', 'etc:/etc/alternatives']\nvolumes:\n  data:\n  etc:\n");
    project.run(["up", "-d"]).ok();
    assert_eq!(project.run(["exec", "r", "stat", "-c", "%u:%g", "/data"]).ok().text(), "999:999");
    project.run(["exec", "r", "test", "-e", "/etc/alternatives/README"]).ok();
}

#[test]
#[ignore = "needs root"]
fn stop_start_and_restart_act_on_the_named_service_only() {
    let project = Scenario::new("a verb with a service's name is about that service");
    project.file("compose.yaml", TWO).run(["up", "-d"]).ok();
    let pid = |service: &str| project.pid(&project.containers()[service].name);
    let (web, db) = (pid("web"), pid("db"));
    project.run(["restart", "web"]).ok();
    assert_ne!(pid("web"), web);
    project.run(["compose", "stop", "web"]).ok();
    assert_eq!(project.containers()["web"].state, "exited");
    project.run(["compose", "start", "web"]).ok();
    assert_eq!(project.containers()["web"].state, "running");
    assert_eq!(pid("db"), db);
    let logs = project.run(["compose", "logs", "web"]).ok().stdout;
    assert_eq!(logs.matches("web is here").count(), 3, "{logs}");
    assert!(!logs.contains("db is here"), "{logs}");
}

#[test]
#[ignore = "needs root"]
fn proxies_of_dockers_configuration_reach_services_and_a_change_of_them_recreates_nothing() {
    let project = Scenario::new("behind a proxy, a project that worked with docker must work");
    let configure = |proxy: &str| {
        let config = format!(r#"{{"proxies": {{"default": {{"httpProxy": "{proxy}", "noProxy": ".b"}}}}}}"#);
        project.file("../docker/config.json", &config);
    };
    project.file(
        "compose.yaml",
        r#"
services:
  plain: {image: "busybox:1", command: sleep 1000}
  own: {image: "busybox:1", command: sleep 1000, environment: {HTTP_PROXY: mine, NO_PROXY: null}}
"#,
    );
    let proxies = |service: &str| {
        let text = project.run(["exec", service, "sh", "-c", "env | grep -i _proxy | sort"]).ok();
        text.stdout.lines().collect::<Vec<_>>().join(" ")
    };
    configure("http://a:1");
    project.run(["up", "-d"]).ok();
    assert_eq!(proxies("plain"), "HTTP_PROXY=http://a:1 NO_PROXY=.b http_proxy=http://a:1 no_proxy=.b");
    assert_eq!(proxies("own"), "HTTP_PROXY=mine http_proxy=http://a:1 no_proxy=.b");

    let before = project.containers();
    configure("http://c:2");
    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers(), before);
    let one_off =
        ["compose", "run", "--rm", "-e", "http_proxy=said", "plain", "sh", "-c", "echo $HTTP_PROXY $http_proxy"];
    assert_eq!(project.run(one_off).ok().text(), "http://c:2 said");
    project.run(["up", "-d", "--force-recreate", "plain"]).ok();
    assert!(proxies("plain").starts_with("HTTP_PROXY=http://c:2 "), "{}", proxies("plain"));

    configure("http://me:hush@d:3");
    project.edit("compose.yaml", "command: sleep 1000}\n  own", "command: sleep 1001}\n  own");
    let planned = project.run(["plan", "-o", "plan.json", "plain"]).ok();
    let difference = "environment.HTTP_PROXY `http://c:2` → `http://me:…@d:3`";
    assert!(planned.stdout.contains(difference) && !planned.stdout.contains("hush"), "{planned}");
    project.run(["apply", "plan.json"]).ok();
    assert!(proxies("plain").starts_with("HTTP_PROXY=http://me:hush@d:3 "), "who applies a plan needs the password");
}
