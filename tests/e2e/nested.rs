//! lighter in a container: what a job of CI is, and how it is tried out.

use std::time::Duration;

use crate::harness::{Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// Arguments that run `script` in a privileged container that has lighter and reaches the scenario's registry.
fn inside<'a>(host: &Scenario, options: &[&'a str], script: &'a str) -> Vec<String> {
    let program = format!("{}:/usr/bin/lighter:ro", env!("CARGO_BIN_EXE_lighter"));
    let config = format!("{}:/etc/lighter/config.toml:ro", host.directory().join("config.toml").display());
    let fixed = ["run", "--rm", "--privileged", "--network", "host", "--volume", &program, "--volume", &config];
    let command = ["debian:12-slim", "sh", "-ec", script];
    fixed.iter().chain(options).chain(&command).map(|word| (*word).to_owned()).collect()
}

#[test]
#[ignore = "needs root"]
fn lighter_runs_in_a_privileged_container_with_its_data_on_a_volume() {
    let host = Scenario::new("a job of CI is a container, and has no engine");
    let script = "
        test $(lighter run --rm --network none busybox:1 echo inner) = inner
        lighter run --detach --name box --network none --memory 64m busybox:1 sleep 60
        lighter exec box sh -c 'test $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes \
            /sys/fs/cgroup/memory.max 2>/dev/null) = 67108864'
        lighter rm --force box
        test -z \"$(lighter ps --all --quiet)\"";
    host.run(inside(&host, &["--volume", "data:/var/lib/lighter"], script)).ok();
    host.run(["volume", "rm", "data"]).ok();
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn on_overlay_the_layers_are_copied_and_show_what_overlay_would() {
    let host = Scenario::new("a job has no volume: its root is overlay, which takes no writable layer of another");
    let listing = "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -path /etc -prune -o \
                   -exec stat -c '%n %F %a %u %g %h %s %Y' {} + | grep -v '^/ ' | sort | sed 's/directory \\(.*\\) [0-9]* [0-9]* /directory \\1 /'";
    let stacked = host.run(["run", "--rm", "--network", "none", "torture:1", "sh", "-c", listing]).ok().stdout;
    assert!(stacked.lines().count() > 100, "{stacked}");
    let script = "lighter run --rm --network none torture:1 sh -c \"$LISTING\"";
    let copied = host.run(inside(&host, &["--env", &format!("LISTING={listing}")], script)).ok();
    assert_eq!(copied.stdout, stacked);
    assert_eq!(copied.stderr.matches("copied").count(), 1, "{copied}");
}

#[test]
#[ignore = "needs root"]
fn a_container_on_a_copy_keeps_what_it_wrote() {
    let host = Scenario::new("the copy is the container's own, and is made once");
    let script = "
        lighter run --name box --network none busybox:1 sh -c 'echo kept >> /file; rm -f /bin/vi; cat /file' 2> /first
        grep -q copied /first
        lighter start --attach box > /second 2>&1
        test \"$(cat /second)\" = \"$(printf 'kept\\nkept')\"
        lighter rm box
        test -z \"$(ls /var/lib/lighter/containers)\"";
    host.run(inside(&host, &[], script)).ok();
    host.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_container_on_a_copy_is_committed_and_exported_with_what_it_changed() {
    let host = Scenario::new("a job builds images too");
    let script = "
        lighter run --name box --network none busybox:1 sh -c 'echo new > /etc/new; rm -f /bin/vi; chmod 700 /tmp; \
            mkdir /srv; ln -s /x /srv/link; ln /etc/new /etc/again' 2> /dev/null
        lighter commit box made:1 > /dev/null
        lighter export --output /out/box.tar box
        lighter save --output /out/made.tar made:1
        lighter run --rm --network none made:1 sh -c 'cat /etc/again; test ! -e /bin/vi' 2> /dev/null
        lighter system check > /dev/null";
    let out = format!("{}:/out", host.folder().display());
    assert_eq!(host.run(inside(&host, &["--volume", &out], script)).ok().text(), "new");
    host.leaves_nothing();

    // here, where layers are stacked, it is the same image, and its layer has what was changed and no more
    host.run(["load", "--quiet", "--input", "made.tar"]).ok();
    let upper =
        host.run(["image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "made:1"]).ok().text().to_owned();
    let listed = tool("sh", ["-c", "cd \"$0\" && find . -mindepth 1 | LC_ALL=C sort", &upper]);
    let expected = "./bin ./bin/vi ./etc ./etc/again ./etc/new ./srv ./srv/link ./tmp";
    let listed = run(listed, LIMIT).ok();
    assert_eq!(listed.text().split('\n').collect::<Vec<_>>().join(" "), expected);
    let exported = host.folder().join("box.tar");
    let names = run(tool("tar", ["-tf".as_ref(), exported.as_os_str()]), LIMIT).ok();
    assert!(names.stdout.contains("etc/again\n") && !names.stdout.contains("bin/vi\n"), "{names}");
}
