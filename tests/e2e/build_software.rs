//! Real software: what people build, from Debian's packages and Python's index, out of Dockerfiles as they write them.
//!
//! It needs the network of the host. Where there is none, `LIGHTER_TEST_OFFLINE=yes` says so; without that, a mirror that cannot
//! be reached is a failure like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Scenario, Uplink, get, run, tool};

/// Time that fetching and unpacking packages may take.
const FETCH: Duration = Duration::from_secs(300);

/// Time in which a server begins to answer.
const ANSWER: Duration = Duration::from_secs(30);

const DOCKERFILE: &str = r#"FROM scratch AS apt
ADD debian.tar /

FROM apt AS tools
ARG DEBIAN_FRONTEND=noninteractive
RUN --mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt/lists \
    apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev nodejs python3 python3-pip

FROM tools AS c-build
COPY main.c /src/
RUN cc -static -O2 -o /hello /src/main.c

FROM scratch AS c
COPY --from=c-build /hello /hello
ENTRYPOINT ["/hello"]

FROM tools AS rust-build
COPY main.rs /src/
RUN --mount=type=bind,from=rust,source=bin/rustc,target=/rust/bin/rustc \
    --mount=type=bind,from=rust,source=lib,target=/rust/lib \
    /rust/bin/rustc -C target-feature=+crt-static -O -o /hello /src/main.rs

FROM scratch AS rust
COPY --from=rust-build /hello /hello
ENTRYPOINT ["/hello"]

FROM tools AS node
WORKDIR /app
COPY server.js .
EXPOSE 3000
CMD ["node", "server.js"]

FROM tools AS flask
WORKDIR /app
COPY requirements.txt .
ARG PIP_INDEX_URL
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=authorities \
    PIP_CERT=/run/secrets/authorities pip install --break-system-packages -r requirements.txt
COPY app.py .
EXPOSE 5080
CMD ["python3", "-m", "flask", "run", "--host=0.0.0.0", "--port=5080"]
"#;

/// Returns an archive of a Debian with apt, made by the first who asks.
fn debian() -> PathBuf {
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-apt.tar");
    if !archive.exists() {
        let new = archive.with_extension("new.tar");
        let keyring = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/files/debian-bookworm.asc");
        let source = format!("deb [signed-by={}] {} bookworm main", keyring.display(), mirror());
        let options = ["--quiet", "--mode=root", "--variant=apt", "--aptopt=APT::Sandbox::User \"root\""];
        // The keyring is the host's; inside, Debian's own is there.
        let inside = format!("--customize-hook=echo 'deb {} bookworm main' > \"$1/etc/apt/sources.list\"", mirror());
        let rest = [inside.as_str(), "bookworm", new.to_str().expect("it is a text"), &source];
        run(tool("mmdebstrap", options.into_iter().chain(rest)), FETCH).ok();
        fs::rename(new, &archive).expect("the folder is the tests'");
    }
    archive
}

/// Returns the mirror that the host's apt uses, else Debian's own name for one nearby.
fn mirror() -> String {
    let format = "$(ORIGIN) $(COMPONENT) $(REPO_URI)";
    let listed = tool("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]).output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let own = listed.lines().filter_map(|line| line.strip_prefix("Debian main ")).find(|url| !url.contains("security"));
    own.unwrap_or("http://deb.debian.org/debian/").to_owned()
}

#[test]
#[ignore = "needs root"]
fn programs_in_c_rust_python_and_javascript_are_built_and_run() {
    if std::env::var_os("LIGHTER_TEST_OFFLINE").is_some_and(|value| value == "yes") {
        return;
    }
    let uplink = Uplink::new();
    let (archive, sysroot) = (debian(), run(tool("rustc", ["--print", "sysroot"]), ANSWER).ok().text().to_owned());
    let world = Scenario::new("what people build must build");
    uplink.listen(3128);
    fs::copy(archive, world.folder().join("debian.tar")).unwrap();
    world
        .file("Dockerfile", DOCKERFILE)
        .file("main.c", "#include <stdio.h>\nint main(void) { puts(\"hello from C\"); }\n")
        .file("main.rs", "fn main() { println!(\"hello from Rust\"); }\n")
        .file("server.js", "require('http').createServer((_, a) => a.end('hello from node')).listen(3000)\n")
        .file("requirements.txt", "flask\n")
        .file(
            "app.py",
            "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\ndef index(): return 'hello from flask'\n",
        );
    let proxy = "http://127.0.0.1:3128";
    let (http, https) = (format!("http_proxy={proxy}"), format!("https_proxy={proxy}"));
    let rust = format!("rust={sysroot}");
    // Whom the host trusts, and which index it takes, if it says so.
    let host = ["--secret", "id=authorities,src=/etc/ssl/certs/ca-certificates.crt", "--build-arg", "PIP_INDEX_URL"];
    let network = ["--network", "host", "--build-arg", &http, "--build-arg", &https, "--build-context", &rust];
    let build = |target: &str| {
        let command = world.command(
            ["build", "-q", "-t", target, "--target", target].iter().chain(&network).chain(&host).chain(&["."]),
        );
        run(command, FETCH).ok();
    };
    for (target, text) in [("c", "hello from C\n"), ("rust", "hello from Rust\n")] {
        build(target);
        assert_eq!(world.run(["run", "--rm", "--network", "none", target]).ok().stdout, text);
    }
    for (target, port) in [("node", 3000), ("flask", 5080)] {
        build(target);
        let history = world.run(["history", "--no-trunc", target]).ok().stdout;
        assert!(!history.contains("3128"), "a proxy is nobody's business: {history}");
        world.run(["run", "-d", "--name", target, "--init", "-p", &format!("127.0.0.1:{port}:{port}"), target]).ok();
        assert_eq!(get(&format!("http://127.0.0.1:{port}/"), ANSWER), format!("hello from {target}"));
    }
}
