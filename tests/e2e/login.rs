//! Registries that want to know who asks, and how: by password, by token, by certificate.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::harness::{Authority, Output, Registry, Scenario, TokenServer, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// The password of every registry here; it must be found in the file of logins alone.
const SECRET: &str = "sentinel-4711";

/// Its entry in an htpasswd file: bcrypt with the least cost.
const ENTRY: &str = "captain:$2y$05$abcdefghijklmnopqrstuumRPDgQSaMTEyUmSWDX42Es/z6RefOE2\n";

const NAME: &str = "127.0.0.1:5001/team/busybox:1";

/// Logs in with the password on standard input.
fn login(host: &Scenario, password: &str) -> Output {
    let file = host.directory().join("password");
    fs::write(&file, format!("{password}\n")).expect("the directory is ours");
    let mut command = host.command(["login", "--username", "captain", "--password-stdin", "127.0.0.1:5001"]);
    command.stdin(Stdio::from(fs::File::open(&file).expect("just written")));
    let output = host.finish(command);
    fs::remove_file(&file).expect("just written");
    output
}

fn htpasswd(host: &Scenario) -> String {
    let path = host.directory().join("htpasswd");
    fs::write(&path, ENTRY).expect("the directory is ours");
    format!("auth: {{htpasswd: {{realm: test, path: \"{}\"}}}}\n", path.display())
}

/// Fills the registry at port 5001 with skopeo, from the scenario's own.
fn fill(arguments: &[&str]) {
    let copy = ["copy", "--quiet", "--src-tls-verify=false", "docker://127.0.0.1:5000/library/busybox:1"];
    let target = format!("docker://{NAME}");
    run(tool("skopeo", copy.iter().chain(arguments).chain([&target.as_str()])), LIMIT).ok();
}

fn logins(host: &Scenario) -> std::path::PathBuf {
    host.directory().join("docker/config.json")
}

/// Lists files below `directory` with the secret in them.
fn with_secret(directory: &Path) -> String {
    let found = run(tool("grep", ["-rlaF".as_ref(), SECRET.as_ref(), directory.as_os_str()]), LIMIT);
    found.stdout
}

#[test]
#[ignore = "needs root"]
fn a_password_is_proved_kept_closed_used_and_forgotten() {
    let host = Scenario::new("a login must work, and be seen by nobody");
    let _registry = Registry::writable(5001, host.directory(), &htpasswd(&host));
    fill(&["--dest-tls-verify=false", "--dest-creds", &format!("captain:{SECRET}")]);
    host.run(["pull", NAME]).code(1).says(["127.0.0.1:5001/team/busybox", "nobody is logged in"]);

    login(&host, "wrong").code(1).says(["log in to `127.0.0.1:5001`", "denied to user `captain`"]);
    assert!(!logins(&host).exists(), "a login that failed is not kept");
    let output = login(&host, SECRET).ok();
    assert_eq!(output.text(), "Login Succeeded");
    assert!(!output.stderr.contains(SECRET), "{output}");
    assert_eq!(fs::metadata(logins(&host)).expect("it is kept").permissions().mode() & 0o777, 0o600);

    host.run(["pull", NAME]).ok();
    host.run(["push", NAME]).ok();
    assert_eq!(with_secret(host.directory()), "", "not even the file of logins has it as it is");
    // what we keep is what the tools of the field read
    let logins = logins(&host);
    let inspect =
        ["inspect", "--tls-verify=false", "--authfile", logins.to_str().expect("UTF-8"), &format!("docker://{NAME}")];
    run(tool("skopeo", inspect), LIMIT).ok();
    assert!(host.run(["logout", "127.0.0.1:5001"]).ok().text().contains("Removing login credentials"));
    host.run(["pull", NAME]).code(1).says(["nobody is logged in"]);
    assert_eq!(host.run(["logout", "127.0.0.1:5001"]).ok().text(), "Not logged in to 127.0.0.1:5001");
}

#[test]
#[ignore = "needs root"]
fn a_login_that_skopeo_or_a_helper_keeps_is_used() {
    let host = Scenario::new("logins made with other tools must count");
    let _registry = Registry::writable(5001, host.directory(), &htpasswd(&host));
    fill(&["--dest-tls-verify=false", "--dest-creds", &format!("captain:{SECRET}")]);
    let theirs = host.directory().join("auth.json");
    let file = theirs.to_str().expect("UTF-8");
    let login = ["login", "--tls-verify=false", "--authfile", file, "-u", "captain", "-p", SECRET, "127.0.0.1:5001"];
    run(tool("skopeo", login), LIMIT).ok();
    let mut pull = host.command(["pull", NAME]);
    pull.env("REGISTRY_AUTH_FILE", &theirs);
    host.finish(pull).ok();

    host.run(["rmi", NAME]).ok();
    fs::create_dir_all(host.directory().join("docker")).expect("the directory is ours");
    fs::write(logins(&host), r#"{"credHelpers": {"127.0.0.1:5001": "keyring", "127.0.0.1:5000": "gone"}}"#)
        .expect("ours");
    let helper = host.directory().join("docker-credential-keyring");
    let script = format!(
        r#"#!/bin/sh
[ "$1" = get ] && [ "$(cat)" = 127.0.0.1:5001 ] || exit 1
echo '{{"ServerURL": "127.0.0.1:5001", "Username": "captain", "Secret": "{SECRET}"}}'"#
    );
    fs::write(&helper, script).expect("the directory is ours");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let mut pull = host.command(["pull", NAME]);
    pull.env("PATH", format!("{}:/usr/bin:/bin", host.directory().display()));
    host.finish(pull).ok();
    host.run(["pull", "127.0.0.1:5000/library/nginx:1"]).ok();
}

#[test]
#[ignore = "needs root"]
fn tokens_of_a_token_server_open_the_registry() {
    let host = Scenario::new("the scheme of Docker Hub, with docker's registry behind it");
    let authority = Authority::new(host.directory());
    let server = TokenServer::start(5003, host.directory(), &authority, &format!("captain:{SECRET}"));
    let _registry = Registry::writable(5001, host.directory(), &server.settings(&authority));
    fill(&["--dest-tls-verify=false", "--dest-creds", &format!("captain:{SECRET}")]);
    // whoever comes may pull
    host.run(["pull", NAME]).ok();
    host.configure("[registry.'127.0.0.1:5001']\nmirrors = ['http://127.0.0.1:5000']\n");
    host.run(["pull", "127.0.0.1:5001/library/nginx:1"]).ok();
    host.run(["push", "127.0.0.1:5001/library/nginx:1"]).code(1).says([
        "denied",
        "nobody is logged in",
        "lighter login REGISTRY",
    ]);
    login(&host, "wrong").code(1).says(["token server `127.0.0.1` answers 401", "user `captain`"]);
    login(&host, SECRET).ok();
    host.run(["push", "127.0.0.1:5001/library/nginx:1"]).ok();
    let asked = server.asked();
    assert!(asked.iter().any(|path| path.contains("scope=repository%3Alibrary%2Fnginx%3Apull%2Cpush&")), "{asked:?}");
}

#[test]
#[ignore = "needs root"]
fn a_certificate_counts_when_somebody_trusted_vouches_for_it() {
    let host = Scenario::new("TLS with an authority of one's own");
    let authority = Authority::new(host.directory());
    let (certificate, key) = authority.issue("registry");
    let (client, client_key) = authority.issue("client");
    let settings = |more: &str| {
        format!("  tls: {{certificate: \"{}\", key: \"{}\"{more}}}\n", certificate.display(), key.display())
    };
    let registry = Registry::writable(5001, host.directory(), &settings(""));
    let ca = host.directory().join("theirs");
    fs::create_dir(&ca).and_then(|()| fs::copy(authority.certificate(), ca.join("ca.crt"))).expect("ours");
    fill(&["--dest-cert-dir", ca.to_str().expect("UTF-8")]);

    host.run(["pull", NAME]).code(1).says(["https://127.0.0.1:5001", "UnknownIssuer", "hint: say which authority"]);
    let (other, other_key) = authority.issue_for("other", "DNS:elsewhere.test");
    let wrong = format!("  tls: {{certificate: \"{}\", key: \"{}\"}}\n", other.display(), other_key.display());
    let misnamed = Registry::writable(5003, host.directory(), &wrong);
    host.configure(&format!("[registry.'127.0.0.1:5003']\nca = '{}'\n", authority.certificate().display()));
    host.run(["pull", "127.0.0.1:5003/x:1"]).code(1).says(["https://127.0.0.1:5003", "not valid for name"]);
    drop(misnamed);
    host.configure(&format!("[registry.'127.0.0.1:5001']\nca = '{}'\n", authority.certificate().display()));
    host.run(["pull", NAME]).ok();
    host.run(["push", NAME]).ok();
    host.run(["rmi", NAME]).ok();
    host.configure("[registry.'127.0.0.1:5001']\ninsecure = true\n");
    host.run(["pull", NAME]).ok();
    drop(registry);

    // one that wants to see a certificate too; where docker keeps them
    host.configure("").run(["rmi", NAME]).ok();
    let clients = format!(", clientcas: [\"{}\"]", authority.certificate().display());
    let _registry = Registry::writable(5001, host.directory(), &settings(&clients));
    let folder = host.directory().join("certs.d/127.0.0.1:5001");
    fs::create_dir_all(&folder).expect("the directory is ours");
    fs::copy(authority.certificate(), folder.join("ca.crt")).expect("the directory is ours");
    host.run(["pull", NAME]).code(1).says(["https://127.0.0.1:5001"]);
    fs::copy(client, folder.join("me.cert")).expect("the directory is ours");
    fs::copy(client_key, folder.join("me.key")).expect("the directory is ours");
    host.run(["pull", NAME]).ok();
    fs::remove_file(folder.join("me.key")).expect("just written");
    host.run(["pull", NAME]).code(1).says(["read client key", "me.key"]);
}

#[test]
#[ignore = "needs root"]
fn a_proxy_is_used_for_what_it_is_meant_for() {
    use crate::harness::FaultProxy;
    let host = Scenario::new("the environment says how the world is reached");
    // It passes on whatever is asked to the registry, which takes the absolute form of a request's target.
    let proxy = FaultProxy::start(5004, 5000);
    host.configure("[registry.'registry.test']\ninsecure = true\n");
    let pull = |no_proxy: &str| {
        let mut command = host.command(["pull", "registry.test/library/busybox:1"]);
        command.env("HTTP_PROXY", "http://user:sentinel-4711@127.0.0.1:5004").env("NO_PROXY", no_proxy);
        host.finish(command)
    };
    let output = pull("registry.test").code(1);
    assert_eq!(proxy.passed("").requests, 0, "{output}");
    pull("").ok();
    assert!(proxy.passed("http://registry.test/v2/library/busybox/blobs/").requests > 0);
    let output = host.run(["pull", "127.0.0.1:5000/library/busybox:1"]).ok();
    assert!(!output.stderr.contains(SECRET), "{output}");
}
