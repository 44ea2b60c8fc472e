//! Templates of `--format`, in the verbs that have it.

use crate::harness::Scenario;

#[test]
#[ignore = "needs root"]
fn every_verb_with_a_format_takes_templates() {
    let project = Scenario::new("one language of templates everywhere");
    project.run(["network", "create", "--label", "a=b", "n"]).ok();
    let run = ["run", "-d", "--name", "c", "--label", "com.example.team=blue", "-p", "127.0.0.1:8000:80", "-v", "v:/v"];
    project.run(run.into_iter().chain(["busybox:1", "sleep", "1000"])).ok();
    let shown = |words: &[&str]| project.run(words.iter().copied()).ok().stdout;
    let table: [(&[&str], &str); 14] = [
        (&["ps", "--format", "{{.Names}} {{.Label \"com.example.team\"}} {{title .State}}"], "c blue Running\n"),
        (&["ps", "--format", "table {{.Names}}\\t{{.Mounts}}"], "NAMES     MOUNTS\nc         v\n"),
        (&["ps", "--no-trunc", "--format", "{{if eq .State \"running\"}}{{len .ID}}{{else}}down{{end}}"], "64\n"),
        (&["images", "--format", "{{range split .Repository \"s\"}}<{{.}}>{{end}}"], "<bu><ybox>\n"),
        (
            &[
                "network",
                "ls",
                "--filter",
                "name=n",
                "--format",
                "{{if .Label \"a\"}}{{.Name}} {{.Label \"a\"}}{{end}}",
            ],
            "n b\n",
        ),
        (&["volume", "ls", "--format", "{{printf \"%-3s|\" .Name}}"], "v  |\n"),
        (
            &[
                "inspect",
                "-f",
                "{{range $p, $b := .NetworkSettings.Ports}}{{$p}} {{(index $b 0).HostPort}}{{end}}",
                "c",
            ],
            "80/tcp 8000\n",
        ),
        (&["inspect", "-f", "{{with .State}}{{.Status}}{{end}}{{- /* no */ -}} !", "c"], "running!\n"),
        (&["inspect", "-f", "{{if .State.Health}}sick{{else}}{{join .Args \"+\"}}{{end}}", "c"], "1000\n"),
        (&["volume", "inspect", "-f", "{{.Name}}", "v"], "v\n"),
        (&["image", "inspect", "-f", "{{index .RepoTags 0}}", "busybox:1"], "busybox:1\n"),
        (&["stats", "--no-stream", "--format", "{{.Name}}", "c"], "c\n"),
        (&["info", "--format", "{{.ContainersRunning}}"], "1\n"),
        (&["version", "--format", "{{.Server.Os}}"], "linux\n"),
    ];
    for (words, expected) in table {
        let output = shown(words);
        // an empty line is that of another network
        assert_eq!(output.trim_start_matches('\n'), expected, "{words:?}");
    }
    for (port, found) in [("80", "c"), ("80/tcp", "c"), ("8000", "c"), ("81", "")] {
        let words = ["ps", "--filter", &format!("publish={port}"), "--format", "{{.Names}}"];
        assert_eq!(project.run(words).ok().text(), found, "publish={port}");
    }
    project.run(["ps", "--format", "{{.Nmae}}"]).code(1).says(["template:1:3", ".Nmae"]);
    project.run(["ps", "--format", "{{if}}"]).code(2).says(["template:1:1"]);
    project.run(["inspect", "-f", "{{index .Args 7}}", "c"]).code(1).says(["index 7"]);
}

#[test]
#[ignore = "needs root"]
fn inspect_has_the_fields_that_templates_ask_for_whatever_is_set() {
    let host = Scenario::new("scripts ask for docker's fields, of what runs and of what does not");
    host.run(["create", "--name", "bare", "busybox:1", "true"]).ok();
    host.run(["create", "--name", "hosts", "--network", "host", "busybox:1", "true"]).ok();
    let flags =
        ["create", "--name", "full", "-v", "/own", "--tmpfs", "/t:size=1m", "--health-cmd", "true", "--stop-timeout"];
    let more =
        ["3", "--network-alias", "other", "--ip", "172.30.0.9", "--device-read-bps", "/dev/null:1mb", "--network"];
    host.run(["network", "create", "--subnet", "172.30.0.0/24", "n"]).ok();
    host.run(flags.iter().chain(&more).chain(&["n", "-v", "/tmp:/tmp:ro", "busybox:1", "true"])).ok();
    let addresses = "{{range .NetworkSettings.Networks}}[{{.IPAddress}}{{.EndpointID}}]{{end}}";
    let table = [
        ("bare", addresses, "[]"),
        ("hosts", addresses, "[]"),
        ("bare", "{{json .Config.Volumes}} {{json .NetworkSettings.Networks.bridge.Aliases}}", "null null"),
        ("bare", "{{.HostConfig.DeviceRequests}} {{.NetworkSettings.SecondaryIPAddresses}}", "[] []"),
        ("bare", "{{json .Config.Entrypoint}} {{json .HostConfig.CapAdd}} {{json .HostConfig.Dns}}", "null null []"),
        ("bare", "{{.Config.Entrypoint}} {{len .HostConfig.CapAdd}} {{.HostConfig.Sysctls}}", "[] 0 map[]"),
        ("bare", "{{.HostConfig.Init}} {{json .HostConfig.Init}}", "<nil> null"),
        ("full", "{{json .Config.Volumes}} {{.Config.StopTimeout}}", "{\"/own\":{}} 3"),
        ("full", "{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}", "[\"CMD-SHELL\",\"true\"] 3"),
        ("full", "{{range .Mounts}}{{.Type}}{{if .Name}}+{{end}}{{.Mode}} {{end}}", "volume+ bindro tmpfs "),
        ("full", "{{json .HostConfig.Tmpfs}}", "{\"/t\":\"size=1048576\"}"),
        ("full", "{{range .HostConfig.BlkioDeviceReadBps}}{{.Path}} {{.Rate}}{{end}}", "/dev/null 1048576"),
        (
            "full",
            "{{.NetworkSettings.Networks.n.Aliases}} {{.NetworkSettings.Networks.n.IPAMConfig.IPv4Address}}",
            "[other] 172.30.0.9",
        ),
        (
            "busybox:1",
            "{{.Config.Entrypoint}} {{.Config.User}}{{.Config.WorkingDir}}{{index .Config.Labels \"x\"}}",
            "[] ",
        ),
        ("n", "{{.ConfigOnly}} {{.Ingress}} {{.ConfigFrom.Network}}", "false false "),
    ];
    for (object, template, expected) in table {
        assert_eq!(host.run(["inspect", "-f", template, object]).ok().stdout, format!("{expected}\n"), "{template}");
    }
    host.run(["rm", "bare", "hosts", "full"]).ok();
    host.run(["network", "rm", "n"]).ok();
}
