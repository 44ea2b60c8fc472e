//! The verbs of the image store: names, lists, history, what is in use, what is pruned, what is checked and mended.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

#[track_caller]
fn inspect(host: &Scenario, image: &str) -> Value {
    let text = host.run(["image", "inspect", image]).ok().stdout;
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    all[0].clone()
}

#[track_caller]
fn id(host: &Scenario, image: &str) -> String {
    inspect(host, image)["Id"].as_str().expect("Id is a text").to_owned()
}

/// Returns `REPOSITORY:TAG` of each row of `images`, sorted.
#[track_caller]
fn listed(host: &Scenario, options: &[&str]) -> Vec<String> {
    let output = host.run([&["images", "--format", "{{.Repository}}:{{.Tag}}"], options].concat()).ok();
    let mut names: Vec<_> = output.text().lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[track_caller]
fn blob_of_top_layer(host: &Scenario, image: &str) -> PathBuf {
    let manifest = inspect(host, image)["Manifest"].as_str().expect("it is a digest").to_owned();
    let path = |digest: &str| host.root().join("images/blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let text = fs::read(path(&manifest)).expect("the store has the manifest");
    let manifest: Value = serde_json::from_slice(&text).expect("a manifest is JSON");
    let layer =
        manifest["layers"].as_array().and_then(|layers| layers.last()).expect("it has layers")["digest"].clone();
    path(layer.as_str().expect("it is a digest"))
}

#[test]
#[ignore = "needs root"]
fn a_tag_is_a_further_name_that_moves_and_never_copies() {
    let host = Scenario::new("names are cheap and images are few");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    let (busybox, nginx) = (id(&host, "busybox:1"), id(&host, "nginx:1"));
    host.run(["tag", "busybox:1", "registry.example:5000/team/app:v1"]).ok();
    host.run(["image", "tag", &nginx[7..19], "app"]).ok();
    assert_eq!(id(&host, "registry.example:5000/team/app:v1"), busybox);
    assert_eq!(id(&host, "app:latest"), nginx);
    host.run(["tag", "nginx:1", "registry.example:5000/team/app:v1"]).ok();
    assert_eq!(id(&host, "registry.example:5000/team/app:v1"), nginx);
    assert_eq!(inspect(&host, "busybox:1")["RepoTags"], serde_json::json!(["busybox:1"]));
    host.run(["tag", "nothing", "a"]).code(1).says(["no such image: `nothing`"]);
    host.run(["tag", "nginx:1", "UPPER"]).code(1).says(["lowercase"]);
    host.run(["tag", "nginx:1", &format!("a@{nginx}")]).code(1).says(["digest"]);
    let skopeo = format!("oci:{}:app:latest", host.root().join("images").display());
    run(tool("skopeo", ["inspect", &skopeo]), LIMIT).ok();
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn images_are_listed_by_name_pattern_label_age_and_whether_they_have_a_name() {
    let host = Scenario::new("scripts choose images by filters");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    host.run(["create", "--name", "c", "--network", "none", "busybox:1", "true"]).ok();
    host.run(["commit", "--change", "LABEL tier=web", "c", "team/app:1"]).ok();
    host.run(["commit", "--change", "LABEL tier=db", "c"]).ok();
    host.run(["rm", "c"]).ok();
    let all = ["<none>:<none>", "busybox:1", "nginx:1", "team/app:1"];
    let table: [(&[&str], &[&str]); 13] = [
        (&[], &all),
        (&["--all"], &all),
        (&["nginx"], &["nginx:1"]),
        (&["nginx:2"], &[]),
        (&["*b*"], &["busybox:1"]),
        (&["--filter", "reference=team/*", "--filter", "reference=nginx:?"], &["nginx:1", "team/app:1"]),
        (&["--filter", "dangling=true"], &["<none>:<none>"]),
        (&["--filter", "dangling=false"], &all[1..]),
        (&["--filter", "label=tier"], &["<none>:<none>", "team/app:1"]),
        (&["--filter", "label=tier=web"], &["team/app:1"]),
        (&["--filter", "label!=tier=db", "--filter", "since=nginx:1"], &["team/app:1"]),
        (&["--filter", "before=team/app:1"], &["busybox:1", "nginx:1"]),
        (&["--filter", "until=1h"], &["busybox:1", "nginx:1"]),
    ];
    for (options, expected) in table {
        assert_eq!(listed(&host, options), expected, "{options:?}");
    }
    host.run(["images", "--filter", "colour=red"]).code(1).says(["colour=red", "dangling"]);
    let digests = host.run(["image", "ls", "--digests", "--no-trunc", "busybox"]).ok();
    assert!(digests.stdout.contains("DIGEST") && digests.stdout.matches("sha256:").count() == 2, "{digests}");
}

#[test]
#[ignore = "needs root"]
fn the_history_has_a_row_for_each_step_and_the_sizes_of_the_layers() {
    let host = Scenario::new("who wonders why an image is large looks here");
    host.run(["pull", "redis:7"]).ok();
    host.run(["create", "--name", "c", "--network", "none", "redis:7", "true"]).ok();
    host.run(["commit", "--message", "nothing new", "c", "made:1"]).ok();
    host.run(["rm", "c"]).ok();
    let text = host.run(["history", "--human=false", "--no-trunc", "--format", "json", "made:1"]).ok().stdout;
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["ID"], &rows[1]["ID"]), (&inspect(&host, "made:1")["Id"], &Value::from("<missing>")));
    assert_eq!((&rows[0]["Comment"], &rows[0]["Size"]), (&Value::from("nothing new"), &Value::from("0")));
    let sizes = rows.iter().map(|row| row["Size"].as_str().and_then(|size| size.parse::<u64>().ok()).expect("bytes"));
    assert_eq!(Some(sizes.sum()), inspect(&host, "made:1")["Size"].as_u64());
    assert_eq!(host.run(["history", "--quiet", "made:1"]).ok().text().lines().count(), 3);
    host.run(["history", "nothing"]).code(1).says(["no such image: `nothing`"]);
}

#[test]
#[ignore = "needs root"]
fn several_images_are_inspected_and_one_that_is_absent_makes_the_exit_code_1() {
    let host = Scenario::new("docker inspect shows what it finds");
    host.run(["pull", "busybox:1"]).ok();
    let output = host.run(["image", "inspect", "busybox:1", "nothing"]).code(1).says(["no such image: `nothing`"]);
    let objects: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    let object = &objects.as_array().expect("it is a list")[0];
    for (field, is_right) in [
        ("Id", Value::is_string as fn(&Value) -> bool),
        ("RepoTags", Value::is_array),
        ("RepoDigests", Value::is_array),
        ("Created", Value::is_string),
        ("Config", Value::is_object),
        ("Architecture", Value::is_string),
        ("Os", Value::is_string),
        ("Size", Value::is_u64),
        ("GraphDriver", Value::is_object),
        ("RootFS", Value::is_object),
        ("Metadata", Value::is_object),
    ] {
        assert!(is_right(&object[field]), "{field} of {object}");
    }
    let empty = host.run(["image", "inspect", "nothing"]).code(1);
    assert_eq!(empty.text(), "[]");
    host.run(["image", "inspect", "--platform", "linux/s390x", "busybox:1"]).code(1).says(["linux/s390x"]);
}

#[test]
#[ignore = "needs root"]
fn prune_takes_what_nothing_uses_after_asking_and_says_what_it_freed() {
    let host = Scenario::new("room comes back, and nothing that is needed goes");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    host.run(["create", "--name", "user", "--network", "none", "busybox:1", "true"]).ok();
    host.run(["commit", "user"]).ok();
    let asked = host.run(["image", "prune"]).code(1).says(["nobody to ask"]);
    assert!(asked.stdout.contains("[y/N]"), "{asked}");
    assert_eq!(listed(&host, &["--filter", "dangling=true"]).len(), 1, "no answer is no consent");
    let pruned = host.run(["image", "prune", "--force"]).ok();
    assert!(
        pruned.stdout.contains("deleted: sha256:") && pruned.stdout.contains("Total reclaimed space: "),
        "{pruned}"
    );
    assert_eq!(listed(&host, &[]), ["busybox:1", "nginx:1"]);
    host.run(["image", "prune", "--all", "--force", "--filter", "label=none"]).ok();
    assert_eq!(listed(&host, &[]), ["busybox:1", "nginx:1"]);
    let pruned = host.run(["image", "prune", "--all", "--force"]).ok();
    assert!(pruned.stdout.contains("untagged: nginx:1") && !pruned.stdout.ends_with("space: 0B\n"), "{pruned}");
    assert_eq!(listed(&host, &[]), ["busybox:1"]);

    host.run(["network", "create", "unused"]).ok();
    host.run(["volume", "create", "kept"]).ok();
    host.run(["run", "--name", "with-volume", "--network", "none", "--volume", "/data", "busybox:1", "true"]).ok();
    host.run(["run", "--detach", "--name", "running", "--network", "none", "busybox:1", "sleep", "1000"]).ok();
    let mut prune = host.command(["system", "prune", "--volumes"]);
    let answer = host.directory().join("answer");
    fs::write(&answer, "y\n").expect("the directory is ours");
    prune.stdin(fs::File::open(&answer).expect("it was written"));
    let pruned = host.finish(prune).ok();
    for heading in ["Deleted Containers:", "Deleted Networks:\nunused", "Deleted Volumes:", "Total reclaimed space:"] {
        assert!(pruned.stdout.contains(heading), "{heading}\n{pruned}");
    }
    assert_eq!(host.run(["ps", "--all", "--format", "{{.Names}}"]).ok().text(), "running");
    assert_eq!(host.run(["volume", "ls", "--quiet"]).ok().text(), "kept");
    assert_eq!(listed(&host, &[]), ["busybox:1"]);
    host.run(["exec", "running", "true"]).ok();
    host.run(["volume", "rm", "kept"]).ok();
}

#[test]
#[ignore = "needs root"]
fn the_room_that_is_taken_is_counted_once_and_shared_layers_are_told() {
    let host = Scenario::new("df answers where the disk has gone");
    host.run(["pull", "redis:7"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    host.run(["run", "--name", "c", "--network", "none", "redis:7", "sh", "-c", "head -c 5000000 /dev/zero >/big"])
        .ok();
    let rows = host.run(["system", "df", "--format", "json"]).ok();
    let rows: Vec<Value> = rows.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| rows.iter().find(|row| row["Type"] == kind).expect("there is a row").clone();
    assert_eq!((&of("Images")["TotalCount"], &of("Images")["Active"]), (&Value::from("2"), &Value::from("1")));
    assert_eq!(of("Containers")["Active"], "0");
    assert_eq!(of("Containers")["Size"], "5MB", "{rows:?}");
    let verbose = host.run(["system", "df", "--verbose", "--format", "json"]).ok();
    let all: Value = serde_json::from_str(&verbose.stdout).expect("JSON");
    let shared: Vec<_> = all["Images"].as_array().expect("a list").iter().map(|image| &image["SharedSize"]).collect();
    assert!(shared[0] == shared[1] && shared[0] != "0B", "{all}");
    assert!(host.run(["system", "df", "--verbose"]).ok().stdout.contains("UNIQUE SIZE"));
    host.run(["rm", "c"]).ok();
}

#[test]
#[ignore = "needs root"]
fn removing_by_force_spares_the_files_of_containers_and_forgives_what_is_absent() {
    let host = Scenario::new("scripts clean up with rmi -f");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["run", "--detach", "--name", "user", "--network", "none", "busybox:1", "sleep", "1000"]).ok();
    host.run(["image", "rm", "busybox:1"]).code(1).says(["in use by user"]);
    host.run(["rmi", "--force", "--no-prune", "busybox:1", "nothing:1"]).ok().says(["no such image"]);
    assert_eq!(listed(&host, &[]), ["<none>:<none>"]);
    host.run(["exec", "user", "busybox", "true"]).ok();
    host.run(["restart", "--time", "0", "user"]).ok();
    host.run(["rm", "--force", "user"]).ok();
    host.run(["image", "prune", "--force"]).ok();
    assert_eq!(fs::read_dir(host.root().join("layers")).expect("it is there").count(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_mounted_image_is_read_only_listed_and_in_use() {
    let host = Scenario::new("a look into an image needs no container");
    host.run(["pull", "redis:7"]).ok();
    let path = PathBuf::from(host.run(["image", "mount", "redis:7"]).ok().text());
    assert!(path.join("usr/bin/redis-server").exists());
    assert!(fs::write(path.join("x"), "").is_err(), "it can be written to");
    assert_eq!(host.run(["image", "mount", "redis:7"]).ok().text(), path.to_str().expect("text"));
    let listed = host.run(["image", "mount", "--format", "{{.Image}} {{.Path}}"]).ok();
    assert_eq!(listed.text(), format!("redis:7 {}", path.display()));
    host.run(["rmi", "redis:7"]).code(1).says(["in use by the mount"]);
    host.run(["image", "umount", "redis:7"]).ok();
    host.run(["image", "unmount", "redis:7"]).code(1).says(["not mounted"]);
    host.run(["image", "cp", "redis:7:/etc/passwd", "."]).ok();
    assert!(host.folder().join("passwd").is_file());
    host.run(["image", "cp", "redis:7:/etc", "copied"]).ok();
    assert!(host.folder().join("copied/passwd").is_file());
    host.run(["image", "cp", "redis:7:/etc", "."]).ok();
    host.run(["image", "cp", "redis:7:/etc", "."]).code(1).says(["is there already"]);
    host.run(["image", "cp", "redis:7:/nothing", "."]).code(1).says(["has no `/nothing`"]);
    host.run(["image", "cp", "redis:7", "."]).code(1).says(["IMAGE:/PATH"]);
    host.run(["rmi", "redis:7"]).ok();
}

#[test]
#[ignore = "needs root"]
fn damage_is_found_by_digest_and_mended_or_removed() {
    let host = Scenario::new("a disk that lies must be found out");
    host.run(["pull", "redis:7"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    host.run(["system", "check"]).ok();

    // a layer that is gone is unpacked again from its blob
    let layer =
        inspect(&host, "redis:7")["GraphDriver"]["Data"]["UpperDir"].as_str().map(PathBuf::from).expect("a path");
    fs::remove_dir_all(layer.parent().expect("it is in the store")).expect("it is there");
    let damaged = host.run(["system", "check"]).code(1);
    assert!(damaged.stdout.contains("of `redis:7` is not unpacked"), "{damaged}");
    host.run(["system", "check", "--repair"]).ok();
    host.run(["run", "--rm", "--network", "none", "redis:7", "redis-server", "--version"]).ok();

    // a blob that was changed, its length kept, takes its image away, and no other
    let blob = blob_of_top_layer(&host, "redis:7");
    let mut bytes = fs::read(&blob).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, &bytes).expect("the store is ours");
    let damaged = host.run(["system", "check"]).code(1);
    assert!(damaged.stdout.contains("is damaged: its content has digest"), "{damaged}");
    let repaired = host.run(["system", "check", "--repair"]).ok();
    assert!(repaired.stdout.contains("removed image `redis:7`"), "{repaired}");
    assert_eq!(listed(&host, &[]), ["nginx:1"]);
    host.run(["pull", "redis:7"]).ok();

    // unless a container has it, whose layers are all it needs
    host.run(["run", "--detach", "--name", "user", "--network", "none", "nginx:1", "sleep", "1000"]).ok();
    fs::remove_file(blob_of_top_layer(&host, "nginx:1")).expect("it is there");
    let repaired = host.run(["system", "check", "--repair"]).code(1);
    assert!(repaired.stdout.contains("is missing"), "{repaired}");
    host.run(["exec", "user", "true"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    host.run(["system", "check"]).ok();

    // an index that cannot be read costs the names, not the images
    fs::write(host.root().join("images/index.json"), "{").expect("the store is ours");
    host.run(["images"]).code(1).says(["index.json", "damaged"]);
    let repaired = host.run(["system", "check", "--repair"]).ok();
    assert!(repaired.stdout.contains("found 2 images"), "{repaired}");
    assert_eq!(listed(&host, &[]), ["<none>:<none>", "<none>:<none>"]);
    host.run(["exec", "user", "true"]).ok();
}

#[test]
#[ignore = "needs root"]
fn what_is_left_over_is_told_from_damage_and_removed_by_repair() {
    let host = Scenario::new("what a killed command leaves is harmless");
    host.run(["pull", "busybox:1"]).ok();
    let (layers, images) = (host.root().join("layers"), host.root().join("images"));
    let digits = "0".repeat(64);
    fs::create_dir_all(layers.join(format!(".staging-{}-1/fs", "0".repeat(16)))).expect("the store is ours");
    fs::create_dir_all(layers.join(&digits).join("fs")).expect("the store is ours");
    fs::write(images.join("blobs/sha256").join(&digits), "x").expect("the store is ours");
    fs::write(images.join("ingest").join(&digits), "x").expect("the store is ours");
    let found = host.run(["system", "check"]).ok();
    assert_eq!(found.stdout.matches("left over: ").count(), 4, "{found}");
    host.run(["system", "check", "--repair"]).ok();
    let found = host.run(["system", "check"]).ok();
    assert!(!found.stdout.contains("left over"), "{found}");
    host.run(["run", "--rm", "--network", "none", "busybox:1", "true"]).ok();
}
