//! config.md, "Process" and "User": what the program finds.

use serde_json::{Value, json};

use crate::harness::{Container, inside, refused};

#[test]
#[ignore = "needs root"]
fn the_working_directory_is_cwd() {
    assert_eq!(inside(|config| config.script("pwd").set("/process/cwd", json!("/tmp"))), "/tmp");
}

#[test]
#[ignore = "needs root"]
fn a_relative_cwd_is_refused() {
    refused(|config| config.set("/process/cwd", json!("tmp")));
    refused(|config| config.set("/process/cwd", json!("")));
}

#[test]
#[ignore = "needs root"]
fn the_environment_is_the_configs_and_not_the_runtimes() {
    let container = Container::new(|config| {
        config.set("/process/args", json!(["env"])).set("/process/env", json!(["PATH=/bin", "A=b = c", "EMPTY="]))
    });
    let mut run = container.of_bundle("run");
    run.env("OF_THE_RUNTIME", "1");
    let text = container.finish(run).ok().text();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("HOME=")).collect();
    assert_eq!(lines, ["PATH=/bin", "A=b = c", "EMPTY="]);
}

#[test]
#[ignore = "needs root"]
fn the_arguments_come_through_unchanged() {
    let text = inside(|config| {
        config.set(
            "/process/args",
            json!(["sh", "-c", "printf '[%s]' \"$0\" \"$@\"", "zero", "two words", "", "$HOME", "*"]),
        )
    });
    assert_eq!(text, "[zero][two words][][$HOME][*]");
}

#[test]
#[ignore = "needs root"]
fn the_program_is_searched_in_the_containers_path_as_execvp_does() {
    let text = inside(|config| {
        config.file("rootfs/opt/echo", "");
        config.set("/process/env", json!(["PATH=/nowhere:/opt:/bin"])).set("/process/args", json!(["echo", "found"]))
    });
    assert_eq!(text, "found");
}

#[test]
#[ignore = "needs root"]
fn a_program_with_a_slash_is_not_searched() {
    let container = Container::new(|config| config.set("/process/args", json!(["./echo"])));
    container.run().fails();
    assert_eq!(
        inside(|config| config.set("/process/args", json!(["./echo", "here"])).set("/process/cwd", json!("/bin"))),
        "here"
    );
}

#[test]
#[ignore = "needs root"]
fn a_program_that_is_not_there_is_an_error() {
    let container = Container::new(|config| config.set("/process/args", json!(["/bin/nosuch"])));
    container.run().fails().says("nosuch");
}

#[test]
#[ignore = "needs root"]
fn a_process_without_arguments_is_refused() {
    refused(|config| config.set("/process/args", json!([])));
    refused(|config| config.remove("/process/args"));
}

#[test]
#[ignore = "needs root"]
fn the_exit_code_is_the_programs() {
    Container::new(|config| config.script("exit 42")).run().code(42);
}

#[test]
#[ignore = "needs root"]
fn the_user_is_uid_and_gid() {
    let text = inside(|config| config.script("id -u; id -g").set("/process/user", json!({"uid": 1000, "gid": 2000})));
    assert_eq!(text, "1000\n2000");
}

#[test]
#[ignore = "needs root"]
fn the_groups_are_the_additional_gids_alone() {
    let groups = |gids: Value| {
        inside(|config| {
            let user = json!({"uid": 1000, "gid": 2000, "additionalGids": gids});
            config.script("grep ^Groups /proc/self/status | sed 's/[^0-9]*//'").set("/process/user", user)
        })
    };
    assert_eq!(groups(json!([5, 6])), "5 6");
    assert_eq!(groups(json!([])), "");
}

#[test]
#[ignore = "needs root"]
fn a_user_may_open_the_standard_streams_again() {
    let user = json!({"uid": 1000, "gid": 2000});
    let container = Container::new(|config| config.script("echo again > /dev/stdout").set("/process/user", user));
    // By a pipe of root, as engines read.
    let output = container.of_bundle("run").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "again\n", "{output:?}");
}

#[test]
#[ignore = "needs root"]
fn the_umask_is_the_users() {
    let user = json!({"uid": 0, "gid": 0, "umask": 0o027});
    assert_eq!(inside(|config| config.script("umask").set("/process/user", user)), "0027");
}

#[test]
#[ignore = "needs root"]
fn a_process_lacks_nothing_that_it_must_have() {
    refused(|config| config.remove("/process/cwd"));
}
