//! What a container gets from elsewhere: volumes of others, files of images, configs and secrets.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, eventually};

#[test]
#[ignore = "needs root"]
fn a_service_gets_the_volumes_of_another_to_write_or_only_to_read() {
    let project = Scenario::new("volumes_from: named, bound and anonymous ones, of services and of containers");
    project.run(["run", "-d", "--name", "outsider", "-v", "/data/x", "busybox:1", "sleep", "1000"]).ok();
    project.run(["exec", "outsider", "sh", "-c", "echo x > /data/x/file"]).ok();
    let service = "    image: busybox:1\n    command: sleep 1000\n    stop_grace_period: 0s\n";
    let text = format!(
        "services:\n  db:\n{service}    volumes: ['named:/named', './bound:/bound', '/anonymous', '/own']\n    tmpfs: [/memory]\n  \
         rw:\n{service}    volumes_from: [db]\n    volumes: ['./own:/own']\n  \
         ro:\n{service}    volumes_from: ['db:ro', 'container:outsider:ro']\nvolumes: {{named: {{}}}}\n"
    );
    project.file("compose.yaml", &text).file("own/mine", "mine");
    project.run(["up", "-d"]).ok();
    let inside = |service: &str, script: &str| project.run(["compose", "exec", "-T", service, "sh", "-c", script]);
    for place in ["/named", "/bound", "/anonymous"] {
        inside("db", &format!("echo seen > {place}/file")).ok();
        assert_eq!(inside("rw", &format!("cat {place}/file && echo more >> {place}/file")).ok().stdout, "seen\n");
        assert_eq!(inside("ro", &format!("cat {place}/file")).ok().stdout, "seen\nmore\n");
        inside("ro", &format!("echo no > {place}/file")).code(1).says(["Read-only"]);
    }
    assert_eq!(inside("ro", "cat /data/x/file").ok().stdout, "x\n");
    assert_eq!(inside("rw", "cat /own/mine").ok().stdout, "mine");
    inside("rw", "grep -q ' /memory ' /proc/mounts").code(1);

    // who lends is made anew: so are those who borrow, and all keep the anonymous volume
    let before = project.containers();
    project.edit("compose.yaml", "tmpfs: [/memory]", "tmpfs: [/other]");
    project.run(["up", "-d"]).ok();
    let after = project.containers();
    assert!(["db", "rw", "ro"].iter().all(|name| before[*name].id != after[*name].id));
    assert_eq!(inside("ro", "cat /anonymous/file").ok().stdout, "seen\nmore\n");
    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers()["ro"].id, after["ro"].id, "nothing has changed");
    project.run(["compose", "run", "--rm", "-T", "rw", "cat", "/bound/file"]).ok();

    // nothing that another one has is removed with one of them, and nothing stays in the end
    let volumes = || project.run(["volume", "ls", "--quiet"]).ok().stdout.lines().count();
    assert_eq!(volumes(), 4, "named, two anonymous ones of db, one of the outsider");
    project.run(["rm", "--force", "--volumes", "outsider"]).ok();
    project.run(["down", "--volumes"]).ok();
    assert_eq!(volumes(), 0, "who has an anonymous volume last takes it along");
}

#[test]
#[ignore = "needs root"]
fn volumes_of_a_container_that_is_not_there_are_refused_by_name() {
    let project = Scenario::new("a typo must not start without data");
    project.file(
        "compose.yaml",
        "services:\n  a:\n    image: busybox:1\n    command: 'true'\n    volumes_from: ['container:nobody']\n",
    );
    project.run(["up", "-d"]).code(1).says(["take the volumes of another container", "nobody"]);
    assert!(project.containers().is_empty());
}

#[test]
#[ignore = "needs root"]
fn an_image_is_mounted_for_reading_whole_or_in_part_and_stays_while_it_is_used() {
    let project = Scenario::new("tools of one image in a container of another");
    project.file(
        "compose.yaml",
        r#"
services:
  web:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
    read_only: true
    volumes:
      - {type: image, source: "redis:7", target: /redis}
      - {type: image, source: "redis:7", target: /etc-of-redis, image: {subpath: etc}}
"#,
    );
    project.run(["up", "-d"]).ok();
    let inside = |script: &str| project.run(["compose", "exec", "-T", "web", "sh", "-c", script]);
    assert_eq!(inside("cat /redis/etc/passwd").ok().stdout, inside("cat /etc-of-redis/passwd").ok().stdout);
    inside("test -x /redis/usr/bin/redis-server -o -x /redis/usr/local/bin/redis-server").ok();
    inside("touch /redis/new").code(1).says(["Read-only"]);
    project.run(["rmi", "redis:7"]).code(1).says([&format!("{}-web-1", project.project())]);
    project.run(["compose", "restart"]).ok();
    inside("cat /redis/etc/passwd").ok();
    project.run(["down"]).ok();
    project.leaves_nothing();
    project.run(["rmi", "redis:7"]).ok();

    project.edit("compose.yaml", "subpath: etc", "subpath: nowhere");
    project.run(["up", "-d"]).code(1).says(["nowhere"]);
    project.run(["down"]).ok();
    project.edit("compose.yaml", "source: \"redis:7\", target: /redis}", "source: \"nobody:7\", target: /redis}");
    project.run(["up", "-d", "--pull", "never"]).code(1).says(["compose.yaml:8", "nobody:7"]);
}

#[test]
#[ignore = "needs root"]
fn an_empty_volume_gets_the_images_files_unless_it_shall_not_and_a_part_of_it_is_mounted_by_its_path() {
    let project = Scenario::new("nocopy and subpath");
    let html = "/usr/share/nginx/html";
    let mount = |source: &str, options: &str| {
        format!("{{type: volume, source: {source}, target: {html}, volume: {{{options}}}}}")
    };
    let service = |name: &str, mount: &str| {
        format!(
            "  {name}:\n    image: nginx:1\n    command: sleep 1000\n    stop_grace_period: 0s\n    volumes: [{mount}]\n"
        )
    };
    let services = [
        service("copied", &mount("full", "")),
        service("bare", &mount("empty", "nocopy: true")),
        service("part", &mount("full", "subpath: a/b, nocopy: true")),
    ];
    project.file("compose.yaml", &format!("services:\n{}volumes: {{full: {{}}, empty: {{}}}}\n", services.concat()));
    project.run(["up", "-d", "copied", "bare"]).ok();
    let inside = |service: &str, script: &str| project.run(["compose", "exec", "-T", service, "sh", "-c", script]).ok();
    assert_eq!(inside("copied", &format!("ls {html}")).text(), "index.html");
    assert_eq!(inside("bare", &format!("ls -A {html}")).text(), "");
    project.run(["up", "-d", "part"]).code(1).says(["a/b", "_full"]);
    inside("copied", &format!("mkdir -p {html}/a/b && echo deep > {html}/a/b/file && ln -s /etc {html}/a/out"));
    project.run(["up", "-d", "part"]).ok();
    assert_eq!(inside("part", &format!("cat {html}/file")).text(), "deep");
    // a link in the volume leads nowhere
    project.edit("compose.yaml", "subpath: a/b", "subpath: a/out");
    project.run(["up", "-d", "part"]).code(1).says(["a/out"]);
}

#[test]
#[ignore = "needs root"]
fn a_volume_that_is_filled_later_is_the_same_for_who_has_it_already() {
    let host = Scenario::new("a proxy starts before the application whose files it serves");
    let html = "/usr/share/nginx/html";
    host.run(["run", "-d", "--name", "first", "-v", &format!("v:{html}"), "busybox:1", "sleep", "1000"]).ok();
    host.run(["run", "-d", "--name", "second", "-v", &format!("v:{html}"), "nginx:1", "sleep", "1000"]).ok();
    assert_eq!(host.run(["exec", "first", "ls", html]).ok().text(), "index.html");
    host.run(["exec", "first", "touch", &format!("{html}/mine")]).ok();
    assert_eq!(host.run(["exec", "second", "ls", html]).ok().stdout, "index.html\nmine\n");
    host.run(["rm", "-f", "first", "second"]).ok();
    host.run(["volume", "rm", "v"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_part_of_a_volume_is_never_what_a_link_leads_to_that_is_exchanged_for_it() {
    let host = Scenario::new("another container with the volume exchanges the folder for a link while this one starts");
    host.run(["volume", "create", "shared"]).ok();
    let volume = host.root().join("volumes/shared/_data");
    let (part, link, outside) = (volume.join("part"), volume.join("link"), host.directory().join("outside"));
    fs::create_dir(&outside).expect("the directory is ours");
    fs::write(outside.join("secret"), "the host's").expect("it was made");
    fs::create_dir(&part).expect("the volume is ours");
    fs::write(part.join("own"), "the volume's").expect("it was made");
    symlink(&outside, &link).expect("the volume is ours");
    let over = AtomicBool::new(false);
    let mount = "type=volume,source=shared,target=/part,volume-subpath=part";
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &part, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).expect("both are there");
            }
        });
        let starts = (0..40).map(|_| host.run(["run", "--rm", "--mount", mount, "busybox:1", "ls", "/part"]));
        let seen: Vec<_> = starts.collect();
        over.store(true, Ordering::Relaxed);
        seen
    });
    // refused as a link, or the folder
    let is_right = |word: &str| matches!(word, "" | "own");
    assert!(
        seen.iter().all(|output| is_right(output.stdout.trim())),
        "{:?}",
        seen.iter().map(|o| &o.stdout).collect::<Vec<_>>()
    );
    assert!(seen.iter().any(|output| output.stdout.trim() == "own"), "some must start");
}

#[test]
#[ignore = "needs root"]
fn configs_and_secrets_have_their_owners_and_modes_and_nobody_else_on_the_host_reads_them() {
    let project = Scenario::new("whoever may read a secret is said in the file");
    project.file("word", "from a file\n").file("bytes", "plain").file(
        "compose.yaml",
        r#"
services:
  web:
    image: busybox:1
    command: sleep 1000
    stop_grace_period: 0s
    read_only: true
    user: "1000:1001"
    secrets:
      - {source: of_file, uid: "1000", gid: "1001", mode: 0400}
      - {source: of_variable, uid: "1000", mode: 0440}
      - plain
    configs:
      - {source: inline, target: /etc/app/inline.conf, mode: 0555}
secrets:
  of_file: {file: ./word}
  of_variable: {environment: WORD}
  plain: {file: ./bytes}
configs:
  inline: {content: "a ${WORD} b"}
"#,
    );
    let mut up = project.command(["up", "-d"]);
    up.env("WORD", "from a variable");
    project.finish(up).ok();
    let inside = |script: &str| project.run(["compose", "exec", "-T", "web", "sh", "-c", script]).ok().stdout;
    let shown = |path: &str| inside(&format!("stat -c '%u:%g %a' {path}; cat {path}"));
    assert_eq!(shown("/run/secrets/of_file"), "1000:1001 400\nfrom a file\n");
    assert_eq!(shown("/run/secrets/of_variable"), "1000:0 440\nfrom a variable");
    assert_eq!(shown("/etc/app/inline.conf"), "0:0 555\na from a variable b");
    assert_eq!(inside("cat /run/secrets/plain"), "plain");
    // what stands between others on the host and the content is its folder
    let folder = project.root().join("projects").join(project.project());
    let mode = std::fs::metadata(&folder).expect("it is there").mode();
    assert_eq!(mode & 0o7777, 0o700);
    assert!(!inside("cat /proc/1/environ").contains("from a variable"));

    // another content is another container, from a file that is copied too
    let before = project.containers()["web"].id.clone();
    project.file("word", "another\n");
    let mut up = project.command(["up", "-d"]);
    up.env("WORD", "from a variable");
    project.finish(up).ok();
    assert_ne!(project.containers()["web"].id, before);
    assert_eq!(inside("cat /run/secrets/of_file"), "another\n");
    project.run(["down"]).ok();
    assert!(!folder.exists());
}

#[test]
#[ignore = "needs root"]
fn external_secrets_are_refused_with_what_to_do_instead() {
    let project = Scenario::new("a secret that nobody keeps cannot be had");
    project
        .file("compose.yaml", "services: {a: {image: 'busybox:1', secrets: [s]}}\nsecrets:\n  s: {external: true}\n");
    project.run(["up", "-d"]).code(1).says(["compose.yaml:3", "secrets.s.external", "file: PATH"]);
}

#[test]
#[ignore = "needs root"]
fn who_starts_again_joins_those_who_lend_as_they_are_then() {
    let host = Scenario::new("a lender that has started again has other namespaces, and its old pid may be another's");
    let sleeper = |name: &str, more: &[&str]| {
        host.run([&["run", "-d", "--name", name][..], more, &["busybox:1", "sleep", "1000"]].concat()).ok();
    };
    sleeper("lender", &["--ipc", "shareable"]);
    let shares = ["--network", "container:lender", "--pid", "container:lender", "--ipc", "container:lender"];
    sleeper("borrower", &[&["--restart", "always"][..], &shares].concat());
    let namespaces = |container: &str| {
        let pid = host.pid(container);
        ["net", "pid", "ipc"].map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok())
    };
    let before = namespaces("lender");
    assert_eq!(namespaces("borrower"), before);
    let old = host.pid("borrower");
    // the numbers of namespaces that are gone are given to new ones
    let kept = ["net", "pid", "ipc"].map(|kind| fs::File::open(format!("/proc/{old}/ns/{kind}")).expect("it runs"));
    host.run(["restart", "-t", "0", "lender"]).ok();
    assert_ne!(namespaces("lender"), before);
    let _gone_with_the_lenders_first = kill(Pid::from_raw(old), Signal::SIGKILL);
    eventually("the borrower is where the lender is", Duration::from_secs(20), || {
        let (of_lender, of_borrower) = (namespaces("lender"), namespaces("borrower"));
        if of_borrower == of_lender { Ok(()) } else { Err(format!("{of_borrower:?}, not {of_lender:?}")) }
    });
    drop(kept);
    host.run(["rm", "-f", "borrower", "lender"]).ok();
}
