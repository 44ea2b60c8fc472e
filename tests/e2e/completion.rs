//! Completion in real shells.

use std::time::Duration;

use crate::harness::{Output, Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// A host with a container, an image, a network, a volume, a context and a project.
fn furnished() -> Scenario {
    let host = Scenario::new("names are what people type most");
    host.file("compose.yaml", "services: {webserver: {image: \"busybox:1\", profiles: [later]}}\n");
    host.run(["create", "--name", "some-container", "busybox:1"]).ok();
    host.run(["network", "create", "some-network"]).ok();
    host.run(["volume", "create", "some-volume"]).ok();
    let mut command = host.command(["context", "create", "some-context", "--docker", "host=ssh://root@x"]);
    command.env("XDG_CONFIG_HOME", host.directory());
    host.finish(command).ok();
    host
}

/// Empties it.
fn clear(host: &Scenario) {
    host.run(["rm", "some-container"]).ok();
    host.run(["network", "rm", "some-network"]).ok();
    host.run(["volume", "rm", "some-volume"]).ok();
}

/// What is typed, and what is to be among the candidates.
const CASES: [(&[&str], &str); 12] = [
    (&["sto"], "stop"),
    (&["stop", "some"], "some-container"),
    (&["exec", "some"], "some-container"),
    (&["logs", "web"], "webserver"),
    (&["compose", "up", "web"], "webserver"),
    (&["rmi", "busy"], "busybox:1"),
    (&["run", "--rm", "busy"], "busybox:1"),
    (&["run", "--network", "some"], "some-network"),
    (&["network", "rm", "some"], "some-network"),
    (&["volume", "rm", "some"], "some-volume"),
    (&["context", "use", "some"], "some-context"),
    (&["run", "--detach-k"], "--detach-keys"),
];

/// Runs a script of a shell that finds lighter in its search path.
fn shell(host: &Scenario, program: &str, arguments: &[&str]) -> Output {
    let lighter = std::path::Path::new(env!("CARGO_BIN_EXE_lighter"));
    let folder = lighter.parent().expect("it is in a folder");
    let ours = host.command(["version"]);
    let mut command = tool(program, arguments);
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).expect("no colons"));
    command.env("XDG_CONFIG_HOME", host.directory()).env("HOME", host.directory()).current_dir(host.folder());
    run(command, LIMIT)
}

#[test]
#[ignore = "needs root"]
fn bash_completes_names() {
    let host = furnished();
    for (words, expected) in CASES {
        // what readline does: the words, the cursor, then the function that is registered
        let typed = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let script = format!(
            "source <(lighter completion bash); COMP_WORDS=(lighter {typed}); COMP_CWORD={at}; COMP_TYPE=9; \
             function=$(complete -p lighter | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
             $function lighter '{last}' '' ; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            at = words.len(),
            last = words.last().expect("there are words"),
        );
        let shown = shell(&host, "bash", &["--norc", "-c", &script]).ok();
        // readline parts words at colons: what follows the last one is what the function may give
        let last = expected.rsplit(':').next();
        let found = shown.stdout.lines().map(str::trim).any(|line| line == expected || Some(line) == last);
        assert!(found, "{words:?} does not give {expected}\n{shown}");
    }
    clear(&host);
}

#[test]
#[ignore = "needs root"]
fn fish_completes_names() {
    let host = furnished();
    for (words, expected) in CASES {
        let script = format!("lighter completion fish | source; complete -C 'lighter {}'", words.join(" "));
        let shown = shell(&host, "fish", &["--no-config", "-c", &script]).ok();
        let found = shown.stdout.lines().any(|line| line.split('\t').next() == Some(expected));
        assert!(found, "{words:?} does not give {expected}\n{shown}");
    }
    clear(&host);
}

#[test]
#[ignore = "needs root"]
fn zsh_takes_the_script() {
    let host = furnished();
    let script = "autoload -Uz compinit && compinit -u -D; source <(lighter completion zsh); \
                  print -r -- ${_comps[lighter]}";
    let shown = shell(&host, "zsh", &["-f", "-c", script]).ok();
    assert!(shown.text().contains("lighter"), "{shown}");
    clear(&host);
}

#[test]
#[ignore = "needs root"]
fn every_verb_has_a_man_page() {
    let host = Scenario::new("man lighter-run");
    host.run(["man", "pages"]).ok();
    let pages = std::fs::read_dir(host.folder().join("pages")).expect("it was made").count();
    assert!(pages > 60, "{pages} pages");
    for page in
        ["lighter.1", "lighter-run.1", "lighter-compose-up.1", "lighter-context-create.1", "lighter-machine-add.1"]
    {
        let text = std::fs::read_to_string(host.folder().join("pages").join(page)).expect(page);
        assert!(text.starts_with(".ie"), "{page} is no man page");
    }
}
