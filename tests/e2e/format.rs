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
    project.run(["ps", "--format", "{{.Nmae}}"]).code(1).says(["template:1:3", ".Nmae"]);
    project.run(["ps", "--format", "{{if}}"]).code(2).says(["template:1:1"]);
    project.run(["inspect", "-f", "{{index .Args 7}}", "c"]).code(1).says(["index 7"]);
}
