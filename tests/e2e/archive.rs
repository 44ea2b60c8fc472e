//! `save`, `load`, `import` and `export`: images on their way through archives, compared by tools that are not ours.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Registry, Scenario, Tree, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(120);

/// Copies an image of the test images' layout to `target` with skopeo.
#[track_caller]
fn skopeo(image: &str, target: &str) {
    let layout = Registry::images().join("layout");
    let source = format!("oci:{}:{image}", layout.display());
    run(tool("skopeo", ["--insecure-policy", "copy", "--quiet", &source, target]), LIMIT).ok();
}

/// Returns the digest that skopeo finds for an image of some kind of place.
#[track_caller]
fn digest(place: &str) -> Value {
    let text = run(tool("skopeo", ["inspect", place]), LIMIT).ok().stdout;
    let inspected: Value = serde_json::from_str(&text).expect("skopeo prints JSON");
    inspected["Digest"].clone()
}

#[track_caller]
fn id(host: &Scenario, image: &str) -> String {
    host.run(["image", "inspect", "--format", "{{.Id}}", image]).ok().text().to_owned()
}

#[track_caller]
fn is_whole(host: &Scenario) {
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn an_image_has_the_same_id_and_digest_after_every_way_through_an_archive() {
    let host = Scenario::new("an archive carries an image, not another one");
    host.run(["pull", "nginx:1"]).ok();
    let (id_before, store) = (id(&host, "nginx:1"), host.root().join("images"));
    let before = digest(&format!("oci:{}:nginx:1", store.display()));
    for format in ["docker-archive", "oci-archive"] {
        let archive = host.directory().join(format!("{format}.tar"));
        let path = archive.to_str().expect("the directory's name is text");
        host.run(["save", "--format", format, "--output", path, "nginx:1"]).ok();
        let again = host.directory().join("again.tar");
        host.run(["save", "--format", format, "--output", again.to_str().expect("text"), "nginx:1"]).ok();
        assert_eq!(
            fs::read(&archive).expect("it is there"),
            fs::read(&again).expect("it is there"),
            "not deterministic"
        );
        if format == "docker-archive" {
            // skopeo makes a manifest of its own for this form, of the same layers and configuration
            run(tool("skopeo", ["inspect", &format!("docker-archive:{path}:nginx:1")]), LIMIT).ok();
        } else {
            assert_eq!(digest(&format!("oci-archive:{path}:nginx:1")), before);
        }
        host.run(["rmi", "nginx:1"]).ok();
        host.run(["load", "--input", path]).ok();
        assert_eq!(id(&host, "nginx:1"), id_before);
        assert_eq!(digest(&format!("oci:{}:nginx:1", store.display())), before);
        is_whole(&host);
    }
    host.run(["run", "--rm", "--network", "none", "nginx:1", "nginx", "-v"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_skopeo_writes_is_loaded_from_files_and_streams_in_every_compression() {
    let host = Scenario::new("archives of others come in many dresses");
    let directory = host.directory().display().to_string();
    skopeo("torture:1", &format!("docker-archive:{directory}/plain.tar:torture:docker"));
    skopeo("torture:1", &format!("oci-archive:{directory}/oci.tar:torture:oci"));
    run(tool("gzip", ["--keep", &format!("{directory}/plain.tar")]), LIMIT).ok();
    run(tool("zstd", ["--quiet", "--keep", &format!("{directory}/oci.tar")]), LIMIT).ok();
    run(tool("xz", ["--keep", &format!("{directory}/oci.tar")]), LIMIT).ok();
    let mut ids = Vec::new();
    for (file, name) in
        [("plain.tar", "docker"), ("oci.tar", "oci"), ("plain.tar.gz", "docker"), ("oci.tar.zst", "oci")]
    {
        let path = format!("{directory}/{file}");
        let image = format!("torture:{name}");
        let streamed = || {
            let mut load = host.command(["load", "--quiet"]);
            load.stdin(File::open(&path).expect("it was written"));
            host.finish(load)
        };
        let piped = || {
            let mut cat = tool("cat", [&path]).stdout(Stdio::piped()).spawn().expect("cat runs");
            let mut load = host.command(["load", "--quiet"]);
            load.stdin(cat.stdout.take().expect("it is piped"));
            let output = host.finish(load);
            assert!(cat.wait().expect("it is our child").success(), "not read to its end");
            output
        };
        for load in [&|| host.run(["load", "--quiet", "--input", &path]), &streamed, &piped] as [&dyn Fn() -> _; 3] {
            let output = load().ok();
            assert_eq!(output.text(), format!("Loaded image: {image}"));
            ids.push(id(&host, &image));
            host.run(["rmi", &image]).ok();
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    host.run(["load", "--input", &format!("{directory}/oci.tar.xz")]).code(1).says(["xz", "not supported"]);
    assert_eq!(host.run(["images", "--quiet"]).ok().text(), "");
}

#[test]
#[ignore = "needs root"]
fn a_repositorys_name_means_all_its_tags_and_an_id_none() {
    let host = Scenario::new("docker saves so");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["tag", "busybox:1", "team/box:a"]).ok();
    host.run(["tag", "busybox:1", "team/box:b"]).ok();
    let busybox = id(&host, "busybox:1");
    let archive = host.directory().join("a.tar").display().to_string();
    let loaded = |images: &[&str], then: &[&str]| {
        host.run(["save", "--output", &archive].iter().chain(images)).ok();
        host.run(["rmi", "--force", &busybox]).ok();
        let output = host.run(["load", "--quiet", "--input", &archive]).ok();
        let mut lines: Vec<_> = output.text().lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines, then);
    };
    loaded(&["team/box"], &["Loaded image: team/box:a", "Loaded image: team/box:b"]);
    loaded(&["team/box:a"], &["Loaded image: team/box:a"]);
    loaded(&[&busybox], &[&format!("Loaded image ID: {busybox}")]);
    host.run(["save", "--output", &archive, "nothing:1"]).code(1).says(["no such image: `nothing:1`"]);
    host.run(["save", "--platform", "linux/s390x", "--output", &archive, &busybox]).code(1).says(["linux/s390x"]);
}

#[test]
#[ignore = "needs root"]
fn an_archive_goes_to_a_file_that_is_whole_or_to_a_pipe_and_never_to_a_terminal() {
    let host = Scenario::new("half an archive must not look like one");
    host.run(["pull", "busybox:1"]).ok();
    let archive = host.directory().join("a.tar");
    fs::write(&archive, "before").expect("the directory is ours");
    host.run(["save", "--output", &archive.display().to_string(), "busybox:1", "nothing"]).code(1);
    assert_eq!(fs::read(&archive).expect("it is there"), b"before");
    let mut piped = host.command(["save", "busybox:1"]).stdout(Stdio::piped()).spawn().expect("lighter runs");
    drop(piped.stdout.take());
    assert_eq!(piped.wait().expect("it is our child").code(), Some(141), "as of any program in a pipeline");
    let folder = fs::read_dir(host.directory()).expect("the directory is ours").flatten();
    let left: Vec<_> = folder.filter(|entry| entry.file_name().to_string_lossy().starts_with(".a.tar")).collect();
    assert!(left.is_empty(), "{left:?}");
    let command = format!("{} save busybox:1", env!("CARGO_BIN_EXE_lighter"));
    let mut on_terminal = tool("script", ["--quiet", "--return", "--command", &command, "/dev/null"]);
    on_terminal.env("LIGHTER_ROOT", host.root());
    let refused = run(on_terminal, LIMIT).code(1);
    assert!(refused.stdout.contains("nothing for a terminal"), "{refused}");
}

#[test]
#[ignore = "needs root"]
fn archives_that_are_none_are_refused_by_what_they_lack_and_leave_nothing() {
    let host = Scenario::new("a wrong file must be named and forgotten");
    let directory = host.directory().to_owned();
    let path = directory.join("a.tar");
    let write = |files: &[(&str, &str)]| {
        let mut builder = tar::Builder::new(File::create(&path).expect("the directory is ours"));
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content.as_bytes()).expect("the directory is ours");
        }
        builder.finish().expect("the directory is ours");
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    let manifest =
        format!(r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"{digest}"}}"#);
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let with_layer = config.replace("[]", &format!("[\"{digest}\"]"));
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[], "has no images"),
        (&[("manifest.json", "[")], "malformed"),
        (&[("manifest.json", r#"[{"Config":"c.json","Layers":[]}]"#)], "no `c.json`"),
        (&[("manifest.json", r#"[{"Config":"c.json","Layers":["l"]}]"#), ("c.json", config)], "has 1 layers"),
        (&[("manifest.json", r#"[{"Config":"c.json","Layers":["l"]}]"#), ("c.json", &with_layer)], "no `l`"),
        (
            &[("manifest.json", r#"[{"Config":"c.json","Layers":["l"]}]"#), ("c.json", &with_layer), ("l", "x")],
            "is corrupt",
        ),
        (
            &[("manifest.json", r#"[{"Config":"c.json","RepoTags":["A"],"Layers":[]}]"#), ("c.json", config)],
            "lowercase",
        ),
        (
            &[("oci-layout", "{}"), ("index.json", &format!(r#"{{"schemaVersion":2,"manifests":[{manifest}]}}"#))],
            "no `blobs/",
        ),
    ];
    for (files, why) in cases {
        write(files);
        host.run(["load".as_ref(), "--input".as_ref(), path.as_os_str()]).code(1).says([why]);
    }
    fs::write(&path, "not a tar").expect("the directory is ours");
    host.run(["load".as_ref(), "--input".as_ref(), path.as_os_str()]).code(1).says(["read the archive"]);
    assert_eq!(host.run(["system", "check"]).ok().text(), "0 images, 0 blobs of 0B, 0 layers, 0 containers: whole");
}

#[test]
#[ignore = "needs root"]
fn an_export_unpacks_to_the_files_of_the_container() {
    let host = Scenario::new("what is exported is what is there, running or not");
    let script = "echo x >/etc/new; ln /etc/new /etc/again; rm /bin/vi; mkfifo /pipe; touch /done; sleep 1000";
    host.run(["run", "--detach", "--name", "c", "--network", "none", "busybox:1", "sh", "-c", script]).ok();
    eventually("the script is done", LIMIT, || {
        let done = host.run(["exec", "c", "test", "-e", "/done"]);
        if done.succeeded() { Ok(()) } else { Err(done.to_string()) }
    });
    let data = host.inspect("c")["GraphDriver"]["Data"].clone();
    let directory = |name: &str| data[name].as_str().expect("it is a path").to_owned();
    assert!(Path::new(&directory("MergedDir")).join("etc/again").exists(), "it is seen from the host");
    // the oracle is mount(8), of the container's directories
    let merged = host.directory().join("merged");
    fs::create_dir(&merged).expect("the directory is ours");
    let options = format!("ro,lowerdir={}:{}", directory("UpperDir"), directory("LowerDir"));
    let overlay: [&OsStr; 6] =
        ["-t".as_ref(), "overlay".as_ref(), "overlay".as_ref(), "-o".as_ref(), options.as_ref(), merged.as_os_str()];
    run(tool("mount", overlay), LIMIT).ok();
    let unpacked = |name: &str| {
        let (archive, target) = (host.directory().join(format!("{name}.tar")), host.directory().join(name));
        fs::create_dir(&target).expect("the directory is ours");
        host.run(["export".as_ref(), "--output".as_ref(), archive.as_os_str(), "c".as_ref()]).ok();
        let options = ["--xattrs", "--xattrs-include=*", "--same-owner", "--numeric-owner", "-xpf"];
        let paths = [archive.as_os_str(), "-C".as_ref(), target.as_os_str()];
        run(tool("tar", options.iter().map(AsRef::as_ref).chain(paths)), LIMIT).ok();
        Tree::read(&target).expect("it was unpacked")
    };
    let running = unpacked("running");
    same(&running, &Tree::read(&merged).expect("it is mounted"));
    run(tool("umount", [&merged]), LIMIT).ok();
    host.run(["stop", "--time", "0", "c"]).ok();
    same(&unpacked("stopped"), &running);
}

#[track_caller]
fn same(left: &Tree, right: &Tree) {
    let differences = left.differences(right);
    assert!(differences.is_empty(), "{}", differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
#[ignore = "needs root"]
fn an_import_of_an_export_runs_as_it_is_told_to() {
    let host = Scenario::new("export and import flatten an image");
    host.run(["run", "--name", "c", "--network", "none", "busybox:1", "sh", "-c", "echo kept >/etc/kept"]).ok();
    let archive = host.directory().join("c.tar").display().to_string();
    host.run(["export", "--output", &archive, "c"]).ok();
    run(tool("gzip", ["--keep", &archive]), LIMIT).ok();
    let change = ["--change", "CMD [\"cat\", \"/etc/kept\"]", "--change", "ENV A=b", "--message", "flat"];
    let imported = host.run([&["import"], &change[..], &[&format!("{archive}.gz"), "flat:1"]].concat()).ok();
    assert_eq!(host.run(["run", "--rm", "--network", "none", "flat:1"]).ok().text(), "kept");
    assert_eq!(id(&host, "flat:1"), imported.text());
    let mut from_stdin = host.command(["import", "--platform", "linux/arm64", "-"]);
    from_stdin.stdin(File::open(&archive).expect("it was written"));
    let second = host.finish(from_stdin).ok().text().to_owned();
    let inspected = host.run(["image", "inspect", "--format", "{{.Architecture}} {{.RepoTags}} {{.Comment}}", &second]);
    assert_eq!(inspected.ok().text(), "arm64 [] Imported from -");
    host.run(["import", "https://example.com/x.tar"]).code(1).says(["URL is not supported", "hint: curl"]);
    is_whole(&host);
}
