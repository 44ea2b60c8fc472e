//! The store as a registry: what others push to it and pull from it, by their own tools.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Output, Registry, Running, Scenario, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// `ann`, whose password is `secret`, as crypt(3) of another library hashes it.
const USERS: &str = "ann:$2b$04$waXouc6jt8I.d5lpLt1H6e7r.xL7TJsgcwM3NCbJ3AEXO6Z0suzFS\n";

/// `lighter registry serve`; it ends when this is dropped.
struct Served {
    running: Running,
    directory: PathBuf,
}

impl Served {
    /// Serves the scenario's store at 127.0.0.1:5001, and waits until it does.
    #[track_caller]
    fn start(host: &Scenario, options: &[&str]) -> Served {
        let arguments = [&["registry", "serve", "--listen", "127.0.0.1:5001"], options].concat();
        Served::of(host.command(arguments), &host.directory().join("served"))
    }

    /// Starts a server with its log in `directory`, and waits until it says that it serves.
    #[track_caller]
    fn of(command: Command, directory: &Path) -> Served {
        fs::create_dir_all(directory).expect("the scenario's directory is ours");
        let served = Served { running: Running::start(command, directory), directory: directory.to_owned() };
        served.says("serving this host's images");
        served
    }

    #[track_caller]
    fn says(&self, text: &str) {
        eventually(&format!("the server says `{text}`"), LIMIT, || {
            let log = self.running.stderr();
            if log.contains(text) { Ok(()) } else { Err(log) }
        });
    }

    /// Ends it as a service manager does.
    #[track_caller]
    fn stop(self) -> Output {
        self.running.signal(Signal::SIGTERM);
        let output = self.running.finish(LIMIT).ok();
        fs::remove_dir_all(self.directory).expect("the scenario's directory is ours");
        output
    }
}

/// Returns a command of lighter for another host, whose root is a folder of the scenario's.
fn elsewhere<'a>(host: &Scenario, config: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let path = host.directory().join("elsewhere.toml");
    fs::write(&path, config).expect("the scenario's directory is ours");
    let mut command = host.command(arguments);
    command.env("LIGHTER_ROOT", host.directory().join("elsewhere")).env("LIGHTER_CONFIG", path);
    command
}

fn skopeo(arguments: &[&str]) -> Output {
    run(tool("skopeo", [&["--insecure-policy"], arguments].concat()), LIMIT)
}

/// The digest that an image has according to skopeo.
#[track_caller]
fn digest(arguments: &[&str], image: &str) -> String {
    let inspect = ["inspect", "--format", "{{.Digest}}"];
    skopeo(&[&inspect[..], arguments, &[image]].concat()).ok().text().to_owned()
}

fn layout(image: &str) -> String {
    format!("oci:{}:{image}", Registry::images().join("layout").display())
}

/// A server's certificate for 127.0.0.1 and localhost, and the one that vouches for it.
struct Certificates {
    /// A folder with nothing but `ca.crt`, as skopeo wants it.
    trusted: String,
    ca: String,
    certificate: String,
    key: String,
}

impl Certificates {
    #[track_caller]
    fn new(host: &Scenario) -> Certificates {
        let trusted = host.directory().join("trusted").display().to_string();
        fs::create_dir_all(&trusted).expect("the scenario's directory is ours");
        let path = |name: &str| host.directory().join(name).display().to_string();
        let (ca, ca_key) = (format!("{trusted}/ca.crt"), path("ca.key"));
        let (certificate, key) = (path("server.crt"), path("server.key"));
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let root = ["-subj", "/CN=a test's own", "-keyout", &ca_key, "-out", &ca];
        run(tool("openssl", [&new[..], &root].concat()), LIMIT).ok();
        let names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=CA:FALSE"];
        let leaf = ["-subj", "/CN=server", "-CA", &ca, "-CAkey", &ca_key, "-keyout", &key, "-out", &certificate];
        run(tool("openssl", [&new[..], &names, &leaf].concat()), LIMIT).ok();
        Certificates { trusted, ca, certificate, key }
    }

    fn options(&self) -> [&str; 4] {
        ["--tls-cert", &self.certificate, "--tls-key", &self.key]
    }
}

#[test]
#[ignore = "needs root"]
fn what_skopeo_pushes_is_an_image_that_runs_and_is_pulled_as_it_was() {
    let host = Scenario::new("a pushed image is an image like any other");
    let served = Served::start(&host, &[]);
    let image = "docker://127.0.0.1:5001/team/busybox:1";
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", &layout("busybox:1"), image]).ok();
    let pushed = digest(&["--tls-verify=false"], image);
    let listed = host.run(["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"]).ok();
    assert_eq!(listed.text(), format!("localhost/team/busybox:1 {pushed}"));
    assert_eq!(host.run(["run", "--rm", "localhost/team/busybox:1", "echo", "it runs"]).ok().text(), "it runs");

    // back to where it came from, by skopeo and by another lighter
    let copy = format!("oci:{}:1", host.directory().join("copy").display());
    skopeo(&["copy", "--quiet", "--src-tls-verify=false", image, &copy]).ok();
    assert_eq!(digest(&[], &copy), pushed);
    let pulled = elsewhere(&host, "", ["pull", "127.0.0.1:5001/team/busybox:1"]);
    host.finish(pulled).ok();
    let listed = elsewhere(&host, "", ["images", "--format", "{{.Digest}}"]);
    assert_eq!(host.finish(listed).ok().text(), pushed);
    let log = served.stop();
    assert!(log.stderr.contains("PUT /v2/team/busybox/manifests/1 201"), "{log}");
}

#[test]
#[ignore = "needs root"]
fn every_platform_of_an_index_is_pushed_and_pulled() {
    let host = Scenario::new("an index is served as it was pushed, and this host runs its own image");
    let _served = Served::start(&host, &[]);
    let image = "docker://127.0.0.1:5001/busybox:1";
    skopeo(&["copy", "--quiet", "--all", "--dest-tls-verify=false", &layout("busybox:1"), image]).ok();
    assert_eq!(digest(&["--tls-verify=false"], image), digest(&[], &layout("busybox:1")));
    let copy = format!("oci:{}:1", host.directory().join("copy").display());
    skopeo(&["copy", "--quiet", "--all", "--src-tls-verify=false", image, &copy]).ok();
    assert_eq!(digest(&[], &copy), digest(&[], &layout("busybox:1")));
    host.run(["run", "--rm", "localhost/busybox:1", "true"]).ok();
    assert_eq!(host.run(["images", "--quiet"]).ok().text().lines().count(), 1, "one image, not one a platform");
    host.run(["rmi", "localhost/busybox:1"]).ok();
    let blobs = fs::read_dir(host.root().join("images/blobs/sha256")).expect("the store has blobs").count();
    assert_eq!(blobs, 0, "the platforms of others go with the name");
}

#[test]
#[ignore = "needs root"]
fn what_this_host_has_pulled_is_a_mirror_for_another() {
    let mut host = Scenario::new("a neighbour gets Docker Hub's images from here");
    host.run(["pull", "redis:7"]).ok();
    let served = Served::start(&host, &["--read-only"]);
    host.stop_registry();
    let config = "[registry.\"docker.io\"]\nmirrors = [\"http://127.0.0.1:5001\"]\n";
    host.finish(elsewhere(&host, config, ["pull", "redis:7"])).ok();
    let shown = |output: Output| output.ok().text().to_owned();
    let format = ["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}"];
    assert_eq!(shown(host.finish(elsewhere(&host, config, format))), shown(host.run(format)));
    let pushed = skopeo(&["copy", "--dest-tls-verify=false", &layout("busybox:1"), "docker://127.0.0.1:5001/x:1"]);
    assert!(!pushed.succeeded(), "{pushed}");
    served.stop();
}

#[test]
#[ignore = "needs root"]
fn tls_and_passwords_keep_others_out() {
    let host = Scenario::new("what is served to some is not served to all");
    let (certificates, users) = (Certificates::new(&host), host.directory().join("users").display().to_string());
    fs::write(&users, USERS).expect("the scenario's directory is ours");
    let served = Served::start(&host, &[&certificates.options()[..], &["--htpasswd", &users]].concat());
    let image = "docker://127.0.0.1:5001/team/busybox:1";
    let from = layout("busybox:1");
    let push = |credentials: &[&str]| {
        let options = ["copy", "--quiet", "--dest-cert-dir", &certificates.trusted];
        skopeo(&[&options[..], credentials, &[&from, image]].concat())
    };
    let is_kept_out = |output: Output| {
        // skopeo's words for a status of 401, of Debian 12 and of 13
        let says = ["unauthorized", "authentication required"].iter().any(|words| output.stderr.contains(words));
        assert!(!output.succeeded() && says, "{output}");
    };
    is_kept_out(push(&["--dest-no-creds"]));
    is_kept_out(push(&["--dest-creds", "ann:wrong"]));
    is_kept_out(push(&["--dest-creds", "bob:secret"]));
    push(&["--dest-creds", "ann:secret"]).ok();

    let status = |options: &[&str]| {
        let all = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
        let url = "https://127.0.0.1:5001/v2/team/busybox/tags/list";
        run(tool("curl", [&all[..], options, &[url]].concat()), LIMIT).stdout
    };
    assert_eq!(status(&["--cacert", &certificates.ca, "--user", "ann:secret"]), "200");
    assert_eq!(status(&["--cacert", &certificates.ca]), "401");
    assert_eq!(status(&["--user", "ann:secret"]), "000", "nobody vouches for the certificate");

    // a user who is taken out is out at once
    fs::write(&users, "# nobody\n").expect("the scenario's directory is ours");
    assert_eq!(status(&["--cacert", &certificates.ca, "--user", "ann:secret"]), "401");
    served.says(" ann GET /v2/team/busybox/tags/list 200");
    served.stop();
}

#[test]
#[ignore = "needs root"]
fn another_lighter_pulls_over_tls_with_a_ca_of_its_own() {
    let host = Scenario::new("a neighbour trusts the certificate that it is given");
    let certificates = Certificates::new(&host);
    host.run(["pull", "busybox:1"]).ok();
    let _served = Served::start(&host, &certificates.options());
    let config = "[registry.\"docker.io\"]\nmirrors = [\"https://localhost:5001\"]\n";
    let mut pull = elsewhere(&host, config, ["pull", "busybox:1"]);
    pull.env("SSL_CERT_FILE", &certificates.ca);
    host.finish(pull).ok();
}

#[test]
#[ignore = "needs root"]
fn a_download_that_broke_off_goes_on_where_it_was() {
    let host = Scenario::new("curl resumes a blob by Range");
    host.run(["pull", "redis:7"]).ok();
    let _served = Served::start(&host, &[]);
    let manifest = run(tool("curl", ["--silent", "http://127.0.0.1:5001/v2/library/redis/manifests/7"]), LIMIT).ok();
    let manifest: Value = serde_json::from_str(&manifest.stdout).expect("a manifest is JSON");
    let largest =
        manifest["layers"].as_array().expect("it has layers").iter().max_by_key(|layer| layer["size"].as_u64());
    let digest = largest.and_then(|layer| layer["digest"].as_str()).expect("a layer has a digest");
    let url = format!("http://127.0.0.1:5001/v2/library/redis/blobs/{digest}");
    let file = host.directory().join("blob").display().to_string();
    run(tool("curl", ["--silent", "--fail", "--range", "0-999999", "--output", &file, &url]), LIMIT).ok();
    assert_eq!(fs::metadata(&file).expect("curl has written it").len(), 1_000_000);
    run(tool("curl", ["--silent", "--fail", "--continue-at", "-", "--output", &file, &url]), LIMIT).ok();
    let sum = run(tool("sha256sum", [&file]), LIMIT).ok();
    assert_eq!(format!("sha256:{}", sum.text().split(' ').next().expect("a sum")), digest);
}

#[test]
#[ignore = "needs root"]
fn what_a_killed_server_was_taking_is_gone_after_the_next_start() {
    let host = Scenario::new("a server may be killed at any moment");
    let served = Served::start(&host, &[]);
    let begin = [
        "--silent",
        "--fail",
        "--request",
        "POST",
        "--output",
        "/dev/null",
        "--write-out",
        "%{redirect_url}%header{location}",
    ];
    let begun = run(tool("curl", [&begin[..], &["http://127.0.0.1:5001/v2/a/blobs/uploads/"]].concat()), LIMIT).ok();
    let location = begun.text().to_owned();
    let path = location.trim_start_matches("http://127.0.0.1:5001").to_owned();
    assert!(path.starts_with("/v2/a/blobs/uploads/"), "{location}");
    let patch = ["--silent", "--fail", "--request", "PATCH", "--data-binary", "half of a blob"];
    run(tool("curl", [&patch[..], &[&format!("http://127.0.0.1:5001{path}")]].concat()), LIMIT).ok();
    let uploads = || fs::read_dir(host.root().join("images/ingest")).expect("the store is there").count();
    assert_eq!(uploads(), 1);
    served.running.signal(Signal::SIGKILL);
    served.running.finish(LIMIT);
    assert_eq!(uploads(), 1);
    let served = Served::start(&host, &[]);
    assert_eq!(uploads(), 0);
    let ended = served.stop();
    assert!(!ended.stderr.contains("warning"), "{ended}");
}

#[test]
#[ignore = "needs root"]
fn an_image_in_use_is_not_deleted_by_a_client() {
    let host = Scenario::new("the files of a running program must stay");
    let _served = Served::start(&host, &[]);
    let image = "docker://127.0.0.1:5001/busybox:1";
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", &layout("busybox:1"), image]).ok();
    host.run(["run", "--detach", "--name", "user", "localhost/busybox:1", "sleep", "1000"]).ok();
    let deleted = skopeo(&["delete", "--tls-verify=false", image]);
    assert!(!deleted.succeeded() && deleted.stderr.contains("in use by user"), "{deleted}");
    host.run(["exec", "user", "true"]).ok();
    host.run(["rm", "--force", "user"]).ok();
    skopeo(&["delete", "--tls-verify=false", image]).ok();
    assert_eq!(host.run(["images", "--quiet"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_server_for_the_network_says_who_may_use_it() {
    let host = Scenario::new("nobody opens a store to the network unawares");
    let served =
        Served::of(host.command(["registry", "serve", "--listen", "0.0.0.0:5001"]), &host.directory().join("s"));
    served.says("there is no --htpasswd");
    served.says("there is no --tls-cert");
    served.stop();
    host.run(["registry", "serve", "--listen", "127.0.0.1:5000"]).code(1).says(["listen at 127.0.0.1:5000", "in use"]);
    fs::write(host.folder().join("users"), "ann:{SHA}x\n").expect("the folder is ours");
    host.run(["registry", "serve", "--htpasswd", "users"]).code(1).says(["users", "line 1", "bcrypt"]);
    host.run(["registry", "serve", "--tls-cert", "users"]).code(2).says(["--tls-key"]);
}

#[test]
#[ignore = "needs root"]
fn whoever_is_told_that_it_serves_can_end_it_in_order() {
    let host = Scenario::new("a service manager stops what it has just started");
    for _ in 0..20 {
        let mut command = host.command(["registry", "serve", "--listen", "127.0.0.1:5001"]);
        let mut server = command.stderr(Stdio::piped()).spawn().expect("lighter is built");
        let mut said = BufReader::new(server.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        assert!(said.any(|line| line.contains("serving this host's images")));
        kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGTERM).expect("it is not yet waited for");
        let status = eventually("it ends", LIMIT, || server.try_wait().expect("it is ours").ok_or("it runs"));
        assert!(status.success(), "{status}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_signal_that_comes_while_it_starts_is_not_lost() {
    let host = Scenario::new("a service manager may change its mind at once");
    let trace = host.directory().join("trace");
    // SIGTERM as the first handler is installed, as the second one is, … until it is SIGTERM's own.
    for nth in 1.. {
        let inject = format!("inject=rt_sigaction:signal=TERM:when={nth}");
        let server = host.command(["registry", "serve", "--listen", "127.0.0.1:5001"]);
        let mut traced = tool("strace", ["-e", "trace=rt_sigaction", "-e", &inject, "-o"]);
        traced.arg(&trace).arg(server.get_program()).args(server.get_args());
        traced.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = run(traced, LIMIT);
        let calls = fs::read_to_string(&trace).expect("strace has written it");
        if calls.contains("SIGTERM, {sa_handler=0x") {
            output.ok();
            return;
        }
        assert!(calls.contains("+++ killed by SIGTERM"), "it ended otherwise, or installs no handler: {calls}");
    }
}

#[test]
#[ignore = "needs root"]
fn pushing_and_pulling_the_largest_image_needs_little_memory() {
    let host = Scenario::new("memory is bounded whatever is pushed");
    let served = Served::start(&host, &[]);
    let image = "docker://127.0.0.1:5001/postgres:15";
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", &layout("postgres:15"), image]).ok();
    let copy = format!("dir:{}", host.directory().join("copy").display());
    skopeo(&["copy", "--quiet", "--src-tls-verify=false", image, &copy]).ok();
    let peak = served.running.peak_memory();
    assert!(peak < 48 * 1024, "{peak} KiB");
}

#[test]
#[ignore = "needs root"]
fn another_lighter_logs_in_pushes_and_pulls() {
    let host = Scenario::new("lighter is a registry for lighter");
    let users = host.directory().join("users").display().to_string();
    fs::write(&users, USERS).expect("the scenario's directory is ours");
    let served = Served::start(&host, &["--htpasswd", &users]);
    let config = "[registry.\"docker.io\"]\nmirrors = [\"http://127.0.0.1:5000\"]\n";
    let there = |arguments: &[&str]| {
        let mut command = elsewhere(&host, config, arguments.iter().copied());
        command.env("HOME", host.directory());
        host.finish(command)
    };
    let image = "127.0.0.1:5001/team/redis:7";
    there(&["pull", "redis:7"]).ok();
    there(&["tag", "redis:7", image]).ok();
    assert!(!there(&["push", image]).succeeded(), "nobody has logged in");
    there(&["login", "--username", "ann", "--password", "secret", "127.0.0.1:5001"]).ok();
    there(&["push", image]).ok();
    let shown = |output: Output| output.ok().text().to_owned();
    let pushed = shown(host.run(["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}"]));
    there(&["rmi", image]).ok();
    there(&["pull", image]).ok();
    let format = ["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}}", "127.0.0.1:5001/team/redis"];
    assert_eq!(shown(there(&format)).replace("127.0.0.1:5001", "localhost"), pushed);
    served.stop();
}

#[test]
#[ignore = "needs root"]
fn what_is_pushed_is_whole_for_every_verb_before_and_after_it_is_unpacked() {
    let host = Scenario::new("an image that is not unpacked yet is none that is damaged");
    let _served = Served::start(&host, &[]);
    let push = |image: &str, name: &str| {
        let to = format!("docker://127.0.0.1:5001/{name}");
        skopeo(&["copy", "--quiet", "--all", "--dest-tls-verify=false", &layout(image), &to]).ok();
    };
    push("busybox:1", "busybox:1");
    push("redis:7", "redis:7");
    host.run(["tag", "localhost/redis:7", "mine:1"]).ok();
    host.run(["system", "check"]).ok();
    host.run(["system", "check", "--repair"]).ok();
    let archive = host.directory().join("saved.tar").display().to_string();
    host.run(["save", "--output", &archive, "localhost/redis:7"]).ok();
    let mounted = host.run(["image", "mount", "localhost/redis:7"]).ok();
    let place = mounted.text().split_whitespace().last().expect("the place is printed").to_owned();
    assert!(Path::new(&place).join("usr/bin/redis-server").exists(), "{mounted}");
    host.run(["image", "unmount", "localhost/redis:7"]).ok();
    host.run(["run", "--rm", "localhost/busybox:1", "true"]).ok();
    host.run(["system", "check"]).ok();
    host.run(["rmi", "mine:1", "localhost/redis:7", "localhost/busybox:1"]).ok();
    let blobs = fs::read_dir(host.root().join("images/blobs/sha256")).expect("the store has blobs").count();
    assert_eq!(blobs, 0, "nothing is left of either");
}

#[test]
#[ignore = "needs root"]
fn a_server_that_is_killed_during_pushes_lists_nothing_that_is_not_whole() {
    let host = Scenario::new("what is listed is whole, whenever the server dies");
    let image = "docker://127.0.0.1:5001/postgres:15";
    let from = layout("postgres:15");
    for round in 0..6 {
        let served = Served::of(
            host.command(["registry", "serve", "--listen", "127.0.0.1:5001"]),
            &host.directory().join(format!("served-{round}")),
        );
        let pushing = host.directory().join(format!("pushing-{round}"));
        fs::create_dir_all(&pushing).expect("the scenario's directory is ours");
        let copy = ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", &from, image];
        let push = Running::start(tool("skopeo", copy), &pushing);
        // Each round a little later: in the first blob, between two, at the manifest.
        let wanted = [" POST ", " PATCH ", " PUT ", "PUT /v2/postgres/blobs", "postgres/manifests/15", "HEAD"][round];
        served.says(wanted);
        served.running.signal(Signal::SIGKILL);
        served.running.finish(LIMIT);
        push.finish(LIMIT);
        host.run(["system", "check"]).ok();
    }
    let _served = Served::start(&host, &[]);
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", &from, image]).ok();
    host.run(["run", "--rm", "--entrypoint", "true", "localhost/postgres:15"]).ok();
    let uploads = fs::read_dir(host.root().join("images/ingest")).expect("the store is there").count();
    assert_eq!(uploads, 0);
}
