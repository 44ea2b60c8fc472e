//! Whole files: what `config` prints of them, and what is said about those that are wrong.
//!
//! `testdata/` holds one folder a case: its compose files and `expected.json`, in which `@ROOT@` stands for the folder.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::render;

fn case(name: &str) -> Source {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    Source { working_directory: directory, ..Source::default() }
}

fn environment() -> Environment {
    let pairs = [("INHERITED", "from-process"), ("BAKER", "Ada")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn text(text: &str) -> Source {
    Source {
        files: vec![PathBuf::from("-")],
        stdin: Some(text.to_owned()),
        working_directory: PathBuf::from("/p/shop"),
        ..Source::default()
    }
}

/// Returns what is wrong with a text.
fn fault(yaml: &str) -> String {
    match load(&text(yaml), &environment()) {
        Ok(loaded) => format!("accepted: {}", render::json(&loaded.project)),
        Err(error) => error.to_string(),
    }
}

/// Compares what `config` prints with the expectation, and reads what it prints once more.
fn expect(name: &str, source: &Source) {
    let root = source.working_directory.display().to_string();
    let loaded = load(source, &environment()).unwrap();
    let json = render::json(&loaded.project);
    let expected = fs::read_to_string(source.working_directory.join("expected.json")).unwrap();
    assert_eq!(json, expected.replace("@ROOT@", &root), "{name}");

    let again =
        Source { project_directory: Some(source.working_directory.clone()), ..text(&render::yaml(&loaded.project)) };
    let again = load(&again, &Environment::new()).unwrap();
    assert_eq!(render::json(&again.project), json, "{name}: what `config` prints is not the same project");
}

#[test]
fn short_forms_become_long_ones() {
    expect("forms", &case("forms"));
}

#[test]
fn files_and_documents_are_merged_by_the_rules_of_their_attributes() {
    let files = ["compose.yaml", "over/compose.yaml"].map(PathBuf::from).to_vec();
    expect("merge", &Source { files, ..case("merge") });
}

#[test]
fn an_extended_service_keeps_the_paths_of_its_own_folder() {
    expect("extends", &case("extends"));
}

#[test]
fn an_included_project_has_its_own_folder_and_variables() {
    expect("include", &case("include"));
}

#[test]
fn environment_files_lie_under_what_the_service_says() {
    expect("environment", &case("environment"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases = [
        ("services: {a: {imgae: tea}}", "-:1:16: unknown key `imgae` in `services.a` (did you mean `image`?)"),
        ("colour: red\nservices: {}", "-:1:1: unknown key `colour` in the compose file"),
        ("services:\n  a:\n    image: [tea]\n", "-:3:5: `services.a.image` must be a text, not a list"),
        (
            "services: {a: {image: tea, user: 1000}}",
            "-:1:34: `services.a.user` must be a text, not a number (write it as \"1000\")",
        ),
        ("services:\n", "-:1:1: `services` must be a mapping, not nothing (take the key out, or give it a value)"),
        (
            "services: {a b: {image: x}}",
            "-:1:12: `a b` cannot be a name in `services` (names consist of letters, digits, `.`, `_` and `-`)",
        ),
        (
            "services: {a: {image: 'x:${TAG:?need a tag}'}}",
            "-:1:26: required variable `TAG` is missing a value: need a tag",
        ),
        ("services: {a: {image: 'x:${1TAG}'}}", "-:1:23: `${1TAG}` is not a variable (write `$$` for a plain dollar)"),
        ("services: {a: {command: x}}", "-:1:12: service `a` has neither `image` nor `build`"),
        (
            "services: {a: {image: x, networks: [n]}}",
            "-:1:37: service `a` refers to undefined network `n` (declare it under the top-level `networks`)",
        ),
        ("services: {a: {image: x, depends_on: [b]}}", "-:1:39: service `a` depends on undefined service `b`"),
        (
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [a]}\n",
            "-:2:30: services depend on each other: a → b → c → a",
        ),
        (
            "services: {a: {image: x, ports: ['8080:70000']}}",
            "-:1:34: `services.a.ports[0]` must be a port or a range of ports up to 65535, not `70000` (write it as [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL])",
        ),
        (
            "services: {a: {image: x, ports: ['1-3:1-2']}}",
            "-:1:34: `services.a.ports[0]` publishes 1-3 for 1-2, which are not as many",
        ),
        (
            "services: {a: {image: x, ports: ['300.1.1.1:1:1']}}",
            "-:1:34: `services.a.ports[0]` listens on `300.1.1.1`, which is no IP address",
        ),
        (
            "services: {a: {image: x, stop_grace_period: '10'}}",
            "-:1:45: `services.a.stop_grace_period` must be a duration such as 1m30s, not `10`",
        ),
        (
            "services: {a: {image: x, mem_limit: 5 potatoes}}",
            "-:1:37: `services.a.mem_limit` must be a size such as 512m, not `5 potatoes`",
        ),
        (
            "services: {a: {image: x, volumes: ['./a:/b:rw:x']}}",
            "-:1:36: `services.a.volumes[0]` must be [SOURCE:]TARGET[:OPTIONS], not `/p/shop/a:/b:rw:x`",
        ),
        (
            "services: {a: {image: x, healthcheck: {test: [curl, x]}}}",
            "-:1:47: `services.a.healthcheck.test` must begin with NONE, CMD or CMD-SHELL, not `curl` (write it as one text to run it in a shell)",
        ),
        (
            "services: {a: {image: x, command: \"echo 'open\"}}",
            "-:1:35: `services.a.command` ends within a quote (write the command as a list to leave the quotes alone)",
        ),
        (
            "services: {a: {image: x, env_file: nope.env}}",
            "-:1:36: read `/p/shop/nope.env`: No such file or directory (os error 2)",
        ),
        (
            "services: {a: {extends: {file: ghost.yaml, service: b}}}",
            "-:1:32: read `/p/shop/ghost.yaml`: No such file or directory (os error 2)",
        ),
        ("services: {a: {extends: b}, b: {extends: a}}", "-:1:42: services extend each other: a → b → a"),
        (
            "include: ['oci://example.org/x']\nservices: {}",
            "-:1:11: `include` of the remote file `oci://example.org/x` is not supported by lighter yet",
        ),
        (
            "services: {a: {image: x, scale: 2, container_name: only}}",
            "-:1:36: service `a` has a fixed `container_name` and 2 containers",
        ),
        (
            "services: {a: {image: x, network_mode: host, networks: [default]}}",
            "-:1:26: service `a` has both `network_mode` and `networks`",
        ),
        (
            "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: a, environment: B}}",
            "-:2:24: `secrets.s` has both `file` and `environment`",
        ),
        (
            "services: {a: {image: x, restart: always, cap_drop: ALL}}",
            "-:1:53: `services.a.cap_drop` must be a list, not a text",
        ),
        ("# nothing\n", "the compose file is empty"),
    ];
    for (yaml, expected) in cases {
        assert_eq!(fault(yaml), expected, "{yaml}");
    }
}

#[test]
fn what_lighter_cannot_do_is_refused_by_name_and_place() {
    let cases = [
        ("gpus: all", ""),
        (
            "gpus: [{driver: intel}]",
            "-:1:33: `services.a.gpus`: driver `intel` is not supported: use nvidia, amd or cdi",
        ),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}}",
            "-:1:72: `services.a.deploy.resources.reservations.devices` without the capability `gpu` is not supported by lighter",
        ),
        ("security_opt: ['label:disable', 'seccomp=./mine.json']", ""),
        (
            "security_opt: ['label:type:x']",
            "-:1:41: `services.a.security_opt` `label:type:x` is not supported by lighter yet",
        ),
        ("pid: 'container:x'", ""),
        ("uts: 'container:x'", "-:1:31: `services.a.uts` `container:x` is not supported by lighter yet"),
        ("ipc: sharable", "-:1:31: `services.a.ipc` `sharable` is not supported by lighter yet"),
        ("userns_mode: host", ""),
        (
            "userns_mode: keep-id",
            "-:1:39: `services.a.userns_mode` `keep-id` is not supported by lighter: only `host` and `private` are",
        ),
        ("runtime: runsc", ""),
        ("security_opt: ['apparmor=mine', writable-cgroups]", ""),
        ("devices: ['vendor.com/class=one']", ""),
        ("device_cgroup_rules: ['c 1:3 mr']", ""),
        (
            "logging: {driver: gelf}",
            "-:1:44: `services.a.logging.driver`: log driver `gelf` is not supported: use json-file, local, journald, syslog or none",
        ),
        (
            "logging: {options: {tag: x}}",
            "-:1:51: `services.a.logging.options.tag`: log driver `json-file` has no option `tag` that lighter supports",
        ),
        ("stop_signal: SIGNOPE", "-:1:39: `services.a.stop_signal` must be a signal, not `SIGNOPE`"),
        ("network_mode: other", "-:1:40: `services.a.network_mode` `other` is not supported by lighter yet"),
        (
            "networks: {default: {driver_opts: {com.docker.network.endpoint.x: 1}}}",
            "-:1:60: `services.a.networks.default.driver_opts`: option `com.docker.network.endpoint.x` of a container on a network is not supported",
        ),
        (
            "networks: {default: {interface_name: a, driver_opts: {com.docker.network.endpoint.ifname: b}}}",
            "-:1:79: `services.a.networks.default` names its interface `a` and, in `driver_opts`, `b`",
        ),
        (
            "networks: {default: {ipv4_address: 1.2.3}}",
            "-:1:61: `services.a.networks.default.ipv4_address` must be an IPv4 address, not `1.2.3`",
        ),
        (
            "volumes: ['v:/data']",
            "-:1:36: `services.a` mounts at `v:/data`, which is no absolute path below the root (a volume name of one letter reads as a drive: use the long form)",
        ),
        (
            "volumes: [{type: bind, source: /a, target: /a, bind: {recursive: readonly}}]",
            "-:1:91: `services.a.volumes.bind.recursive` `readonly` is not supported by lighter yet",
        ),
        (
            "restart: sometimes",
            "-:1:35: `services.a.restart` must be no, always, unless-stopped or on-failure[:TIMES], not `sometimes`",
        ),
    ];
    for (attribute, expected) in cases {
        let loaded = load(&text(&format!("services: {{a: {{image: x, {attribute}}}}}")), &environment()).unwrap();
        let first = loaded.project.refusals.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(first, expected, "{attribute}");
    }
}

#[test]
fn objects_that_lighter_cannot_make_are_refused_unless_they_are_external() {
    let refusal = |objects: &str| {
        let yaml = format!("services: {{a: {{image: x, networks: [n], volumes: ['vol:/v']}}}}\n{objects}");
        let loaded = load(&text(&yaml), &environment()).unwrap();
        loaded.project.refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        refusal("networks: {n: {driver: overlay, driver_opts: {x: y}}}\nvolumes: {vol: {driver_opts: {type: nfs}}}"),
        "-:2:24: `networks.n.driver` must be `bridge`, `macvlan` or `ipvlan`, not `overlay`\n\
         -:2:50: `networks.n.driver_opts`: option `x` of driver `bridge` is not supported\n\
         -:3:30: `volumes.vol.driver_opts`: volume option `device` is missing: type `nfs` has to be mounted from something"
    );
    assert_eq!(refusal("networks: {n: {external: true, driver: macvlan}}\nvolumes: {vol: {external: true}}"), "");
}

#[test]
fn what_is_odd_is_a_warning_with_its_place() {
    let yaml = "version: '3'\nservices: {a: {image: 'x:${TAG}'}}";
    let loaded = load(&text(yaml), &environment()).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "-:2:26: variable `TAG` is not set, an empty text stands for it (write ${TAG:-default} to give a default, or $$TAG for a plain dollar)",
            "-:1:1: `version` is obsolete and means nothing (remove the line)",
        ]
    );
}

#[test]
fn a_file_is_looked_for_upwards_with_its_override() {
    let root = tempfile::tempdir().unwrap();
    let below = root.path().join("shop/a/b");
    fs::create_dir_all(&below).unwrap();
    let source = Source { working_directory: below, ..Source::default() };
    let error = load(&source, &Environment::new()).unwrap_err().to_string();
    assert_eq!(error, format!("find a compose file in `{}` or a folder above it", source.working_directory.display()));

    fs::write(root.path().join("shop/compose.yaml"), "services: {a: {image: x}}").unwrap();
    fs::write(root.path().join("shop/compose.override.yml"), "services: {a: {image: y}}").unwrap();
    let project = load(&source, &Environment::new()).unwrap().project;
    assert_eq!((project.name.as_str(), project.services["a"].image.as_deref()), ("shop", Some("y")));
    assert_eq!(project.files, ["shop/compose.yaml", "shop/compose.override.yml"].map(|file| root.path().join(file)));
}

#[test]
fn the_name_comes_from_the_nearest_that_says_it() {
    let name = |source: &Source, variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        load(source, &variables).map(|loaded| loaded.project.name).unwrap_or_else(|error| error.to_string())
    };
    let written = text("name: ${TEAM:-red}-shop\nservices: {a: {image: x}}");
    assert_eq!(name(&text("services: {a: {image: x}}"), &[]), "shop");
    assert_eq!(name(&written, &[]), "red-shop");
    assert_eq!(name(&written, &[("TEAM", "blue")]), "blue-shop");
    assert_eq!(name(&written, &[("COMPOSE_PROJECT_NAME", "env")]), "env");
    assert_eq!(name(&written, &[("FIG_PROJECT_NAME", "fig")]), "fig");
    assert_eq!(name(&text("name: Bad Name\nservices: {a: {image: x}}"), &[]), "badname");
    let spoken = Source { project_name: Some("spoken".to_owned()), ..written.clone() };
    assert_eq!(name(&spoken, &[("COMPOSE_PROJECT_NAME", "env")]), "spoken");
    let bad = Source { project_name: Some("../x".to_owned()), ..written };
    assert!(name(&bad, &[]).starts_with("`../x` is not a project name"));
}

#[test]
fn profiles_choose_services_and_naming_one_brings_its_own() {
    let yaml = "services: {a: {image: a}, dbg: {image: d, profiles: [debug]}, t: {image: t, profiles: [test]}}";
    let names = |source: &Source, variables: &Environment| -> Vec<String> {
        load(source, variables).unwrap().project.services.into_keys().collect()
    };
    let with = |profiles: &[&str], services: &[&str]| Source {
        profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
        ..text(yaml)
    };
    let none = Environment::new();
    assert_eq!(names(&with(&[], &[]), &none), ["a"]);
    assert_eq!(names(&with(&["debug"], &[]), &none), ["a", "dbg"]);
    assert_eq!(names(&with(&["*"], &[]), &none), ["a", "dbg", "t"]);
    assert_eq!(names(&with(&[], &["t"]), &none), ["a", "t"]);
    let variable = [("COMPOSE_PROFILES".to_owned(), "debug, test".to_owned())].into();
    assert_eq!(names(&with(&[], &[]), &variable), ["a", "dbg", "t"]);
}

#[test]
fn a_value_can_be_found_in_the_text() {
    let loaded = load(&text("services:\n  web:\n    image: tea\n"), &environment()).unwrap();
    let place = |path: &[&str]| loaded.project.span(path).map(|span| span.to_string());
    assert_eq!(place(&["services", "web", "image"]).as_deref(), Some("-:3:12"));
    assert_eq!(place(&["services", "web", "build"]).as_deref(), Some("-:2:3"));
    assert_eq!(place(&["nothing"]), None);
}

#[test]
fn a_bad_value_names_the_variable_it_came_from() {
    let yaml = "services: {a: {image: x, ports: ['${BAKER}:80']}}";
    assert!(fault(yaml).ends_with("not `Ada` (the value comes from the variable `BAKER`)"), "{}", fault(yaml));
}

#[test]
fn a_part_of_a_project_has_what_its_services_need() {
    let yaml = "services: {a: {image: x, depends_on: [b], networks: [n]}, b: {image: y}, c: {image: z, volumes: ['vol:/v']}}\nnetworks: {n: }\nvolumes: {vol: }";
    let mut project = load(&text(yaml), &environment()).unwrap().project;
    project.restrict(&["a".to_owned()]).unwrap();
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(project.volumes.is_empty() && !render::yaml(&project).contains("vol"));
    project.set_image("a", "x@sha256:1");
    project.keep_images();
    assert_eq!(render::yaml(&project), "services:\n  a:\n    image: x@sha256:1\n  b:\n    image: \"y\"\n");
    assert!(project.restrict(&["d".to_owned()]).is_err());
}

/// The reference's users compare these across runs and machines, so no version of lighter may change one.
#[test]
fn the_hash_of_a_service_is_the_same_in_every_version() {
    let yaml = "services: {a: {image: 'tea:1', command: [pour, hot], environment: {CUPS: 2}, ports: ['80:8080']}}";
    let project = load(&text(yaml), &environment()).unwrap().project;
    assert_eq!(
        crate::hash::config_hash(&project.services["a"]),
        "4038b048a4bda771cab76e37894c93d6e6adb558daf84e488bba4b2b5b972e13"
    );
}

#[test]
fn only_what_a_container_shows_is_hashed() {
    let hash = |attributes: &str| {
        let yaml = format!("services: {{a: {{image: x, {attributes}}}, b: {{image: x}}}}");
        crate::hash::config_hash(&load(&text(&yaml), &environment()).unwrap().project.services["a"])
    };
    let plain = hash("tty: false");
    for same in ["scale: 3", "depends_on: [b]", "pull_policy: always", "x-note: 1", "command: "] {
        assert_eq!(hash(same), plain, "{same}");
    }
    for other in ["tty: true", "command: []", "environment: {A: 1}", "ports: [80]", "user: a"] {
        assert_ne!(hash(other), plain, "{other}");
    }
}

proptest! {
    /// Short notations of one's own, and texts in places of numbers, sizes and durations.
    #[test]
    fn any_short_notation_ends_in_a_project_or_an_error(
        port in "[0-9:/.\\[\\]a-z-]{0,14}",
        volume in "[./~a-zA-Z:,]{0,14}",
        device in "[/a-z:=]{0,12}",
        size in "[0-9.kmgb -]{0,8}",
    ) {
        let yaml = format!(
            "services: {{a: {{image: x, ports: ['{port}'], volumes: ['{volume}'], devices: ['{device}'], \
             mem_limit: '{size}', stop_grace_period: '{size}', tmpfs: '{volume}', extra_hosts: ['{volume}']}}}}"
        );
        if let Ok(loaded) = load(&text(&yaml), &Environment::new()) {
            let _ = render::yaml(&loaded.project);
        }
    }

    /// Well-formed YAML with the words of compose files in places where they do not belong.
    #[test]
    fn any_document_ends_in_a_project_or_an_error(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "services", "a", "image", "build", "x", "ports", "- ", "{", "}", "[", "]", ": ", ", ", "\n", "  ",
                "environment", "depends_on", "extends", "include", "networks", "null", "!reset ", "!override ", "&a ",
                "*a", "<<: ", "${A:-b}", "80:80", "deploy", "volumes", "healthcheck", "test", "secrets", "'", "---\n",
            ]),
            0..40,
        )
    ) {
        let _ = load(&text(&words.concat()), &Environment::new()).map(|loaded| render::json(&loaded.project));
    }
}
