//! Images that go from an engine by a registry to lighter, and back.

use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::harness::{BUSYBOX, Engine, LIMIT, eventually, run, tool};

/// Where the engine pushes to, and where lighter does.
const THEIRS: u16 = 5001;
const OURS: u16 = 5002;

/// Debian's docker-registry with an empty storage; it ends when this is dropped.
struct Registry(Child);

impl Registry {
    fn start(engine: &Engine, port: u16) -> Self {
        let (file, storage) = (engine.path(&format!("{port}.yml")), engine.path(&format!("storage-{port}")));
        let text = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: \"{storage}\"}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n"
        );
        std::fs::write(&file, text).expect("the test's directory is ours");
        let mut command = tool("docker-registry", ["serve", &file]);
        let registry = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it was found"));
        eventually("the registry answers", LIMIT, || TcpStream::connect(("127.0.0.1", port)));
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lighter(engine: &Engine, arguments: &[&str]) -> String {
    let mut command = tool(env!("CARGO_BIN_EXE_lighter"), arguments);
    let config = format!("[registry.'127.0.0.1:{OURS}']\nmirrors = ['http://127.0.0.1:{THEIRS}']\n");
    std::fs::write(engine.path("config.toml"), config).expect("the test's directory is ours");
    command.env("LIGHTER_CONFIG", engine.path("config.toml")).env("DOCKER_CONFIG", engine.path("none"));
    command.env("LIGHTER_ROOT", engine.path("root")).env("LIGHTER_RUN", engine.path("run"));
    run(command, engine.path("").as_ref()).ok().text()
}

/// Returns the bytes of a manifest as the registry has it.
fn manifest(engine: &Engine, port: u16) -> String {
    let name = format!("docker://127.0.0.1:{port}/app:1");
    run(tool("skopeo", ["inspect", "--raw", "--tls-verify=false", &name]), engine.path("").as_ref()).ok().stdout
}

fn goes_round(engine: &Engine, plain: &[&str]) {
    let _registries = [THEIRS, OURS].map(|port| Registry::start(engine, port));
    let [theirs, ours] = [THEIRS, OURS].map(|port| format!("127.0.0.1:{port}/app:1"));
    engine.call(["tag", BUSYBOX, &theirs]).ok();
    engine.call([&["push", "--quiet"], plain, &[&theirs]].concat()).ok();
    let id = engine.call(["image", "inspect", "--format", "{{.Id}}", BUSYBOX]).ok().text();
    engine.call(["rmi", "--force", BUSYBOX, &theirs]).ok();

    lighter(engine, &["pull", "--quiet", &ours]);
    let pushed = lighter(engine, &["push", &ours]);
    assert_eq!(manifest(engine, THEIRS), manifest(engine, OURS), "the manifest is the same to the byte");

    engine.call([&["pull", "--quiet"], plain, &[&ours]].concat()).ok();
    assert_eq!(engine.call(["image", "inspect", "--format", "{{.Id}}", &ours]).ok().text(), id);
    let digests = engine.call(["image", "inspect", "--format", "{{.RepoDigests}}", &ours]).ok().text();
    let digest = pushed.split(' ').nth(2).expect("`TAG: digest: DIGEST size: N`");
    assert!(digests.contains(&format!("127.0.0.1:{OURS}/app@{digest}")), "{digest} in {digests}");
    engine.call(["tag", &ours, BUSYBOX]).ok();
    assert_eq!(engine.inside("--network none", "echo arrived"), "arrived");
}

#[test]
#[ignore = "needs root"]
fn what_podman_pushes_lighter_pulls_and_pushes_and_podman_pulls_is_one_image() {
    goes_round(&Engine::podman(), &["--tls-verify=false"]);
}

#[test]
#[ignore = "needs root"]
fn what_docker_pushes_lighter_pulls_and_pushes_and_docker_pulls_is_one_image() {
    goes_round(&Engine::docker(), &[]);
}
