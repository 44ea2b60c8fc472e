use proptest::prelude::*;
use serde_json::json;

use super::*;

fn data() -> Value {
    json!({
        "Name": "/web",
        "Id": "0123456789abcdef",
        "Args": ["-g", "daemon off;"],
        "Count": 3,
        "Ratio": 1.5,
        "Running": true,
        "State": {"Pid": 17, "Status": "running"},
        "Config": {"Labels": {"com.example.team": "blue", "short": "s"}, "Env": [], "Cmd": null},
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": []},
        "Label": {"a.b": "of a row"},
    })
}

fn filled(template: &str) -> Result<String, String> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    template.fill(&data()).map_err(|error| error.to_string())
}

#[track_caller]
fn fills(table: &[(&str, &str)]) {
    for (template, expected) in table {
        assert_eq!(filled(template).as_deref(), Ok(*expected), "{template}");
    }
}

#[track_caller]
fn fails(table: &[(&str, &str)]) {
    for (template, expected) in table {
        let error = filled(template).expect_err(template);
        assert!(error.contains(expected), "{template}: {error}");
    }
}

#[test]
fn fields_keys_and_literals_are_shown_as_go_shows_them() {
    fills(&[
        ("", ""),
        ("plain { } text", "plain { } text"),
        ("{{.Name}}", "/web"),
        ("{{.State.Pid}} {{ .Count }} {{.Ratio}} {{.Running}}", "17 3 1.5 true"),
        ("{{.Args}} {{.State}}", "[-g daemon off;] map[Pid:17 Status:running]"),
        ("{{.Config.Labels.short}} {{.Config.Labels.none}}", "s <no value>"),
        ("{{.Config.Cmd}} {{json .Config.Cmd}} {{.State.Health}} {{.Config.Volumes}}", "[] null <nil> map[]"),
        ("{{(index .Ports \"80/tcp\" 0).HostPort}}", "8080"),
        (
            "{{`raw \\n`}} {{\"a\\tb\\u00e4\\x41\"}} {{'A'}} {{-3}} {{0x10}} {{1_000}} {{true}}",
            "raw \\n a\tb\u{e4}A 65 -3 16 1000 true",
        ),
        ("{{.Label \"a.b\"}}|{{.Label \"none\"}}", "of a row|"),
        ("{{\"}}\"}}", "}}"),
    ]);
}

#[test]
fn trim_markers_and_comments_take_away_what_they_should() {
    fills(&[
        ("a  {{- .Count -}}  b", "a3b"),
        ("a {{/* {{.None}} */}} b", "a  b"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("{{- \"x\" -}}\n\n y", "xy"),
        ("{{-3}}", "-3"),
    ]);
    fails(&[("{{/* x }}", "1:1: a comment has no end"), ("{{/* x */ y}}", "a comment ends with")]);
}

#[test]
fn conditions_choose_and_loops_go_over_lists_and_maps() {
    fills(&[
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if .Config.Cmd}}a{{else if eq .Count 3}}b{{else}}c{{end}}", "b"),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{with .State}}{{.Pid}} {{$.Name}}{{end}}", "17 /web"),
        ("{{with .Config.Cmd}}x{{else with .Args}}{{index . 0}}{{end}}", "-g"),
        ("{{range .Args}}[{{.}}]{{end}}", "[-g][daemon off;]"),
        ("{{range $i, $a := .Args}}{{$i}}={{$a}} {{end}}", "0=-g 1=daemon off; "),
        ("{{range $p, $b := .Ports}}{{$p}}{{range $b}}>{{.HostPort}}{{end}} {{end}}", "443/tcp 80/tcp>8080 "),
        ("{{range .Config.Env}}x{{else}}none{{end}}", "none"),
        ("{{range .Args}}{{.}}{{break}}{{end}}", "-g"),
        ("{{range .Args}}{{if eq . \"-g\"}}{{continue}}{{end}}{{.}}{{end}}", "daemon off;"),
        ("{{$x := 1}}{{range .Args}}{{$x = len .}}{{end}}{{$x}}", "11"),
        ("{{if $x := .Count}}{{$x}}{{end}}", "3"),
    ]);
    fails(&[
        ("{{range .Count}}{{end}}", "`range` goes over lists and objects, not a number"),
        ("{{if .Name}}", "1:1: `if` has no `end`"),
        ("{{end}}", "`end` ends nothing"),
        ("{{if .Name}}{{$y := 1}}{{end}}{{$y}}", "no variable `$y`"),
        ("{{break}}", "`break` is for `range` alone"),
    ]);
}

#[test]
fn functions_do_what_they_do_with_docker() {
    fills(&[
        ("{{json .State}}{{json .Name}}", "{\"Pid\":17,\"Status\":\"running\"}\"/web\""),
        (
            "{{join .Args \", \"}} {{upper .Name}} {{lower \"AbC\"}} {{title \"hello big world\"}}",
            "-g, daemon off; /WEB abc Hello Big World",
        ),
        ("{{split \"a:b:c\" \":\"}} {{index (split .Name \"/\") 1}}", "[a b c] web"),
        ("{{truncate .Id 4}}|{{pad .Name 1 2}}|{{slice .Id 0 3}}|{{slice .Args 1}}", "0123| /web  |012|[daemon off;]"),
        ("{{len .Args}} {{len .Name}} {{len .Ports}}", "2 4 2"),
        ("{{index .Config.Labels \"com.example.team\"}}|{{index .Config.Labels \"none\"}}|", "blue||"),
        (
            "{{printf \"%s %d %05d %-4d| %v %q %t %x %.2f %c %%\" .Name 1 42 7 .Args \"a\" true 255 1.239 'A'}}",
            "/web 1 00042 7   | [-g daemon off;] \"a\" true ff 1.24 A %",
        ),
        ("{{printf \"%d\" .Name}}{{printf \"%s\" .Count}}", "%!d(string=/web)%!s(int=3)"),
        ("{{.Name | printf \"%-6s|\"}}{{.Name | len | printf \"%d\"}}", "/web  |4"),
        ("{{println .Count 4}}{{print 1 2 \"x\" 3}}", "3 4\n1 2x3"),
        (
            "{{eq .Count 3}} {{eq .Name \"a\" \"/web\"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1.5 1}} {{ge \"a\" \"b\"}}",
            "true true true true true true false",
        ),
        ("{{and .Count .Name}} {{or \"\" .Name}} {{not .Count}} {{and 0 (index .Args 9)}}", "/web /web false 0"),
        ("{{with $x := .State}}{{$x.Pid}}{{end}}", "17"),
    ]);
    fails(&[
        ("{{index .Args 2}}", "1:3: there is nothing at index 2 of a list of 2"),
        ("{{index (index .Ports \"1/tcp\") 0}}", "nothing at index 0"),
        ("{{eq .Name 1}}", "a text and a number cannot be compared"),
        ("{{join .Name \",\"}}", "`join` wants a list, and this is a text"),
        ("{{html .Name}}", "function `html` is not defined"),
        ("{{upper}}", "`upper` does not take 0 arguments"),
    ]);
}

#[test]
fn errors_say_where_they_are() {
    fails(&[
        ("{{.Nmae}}", "template:1:3: there is no field `.Nmae` here"),
        ("a\nb {{.State.None}}", "template:2:5: there is no field `.None`"),
        ("{{.Name.X}}", "there is no field `.X`: this is a text"),
        ("{{.Name", "template:1:1: `{{` has no `}}`"),
        ("{{.Name | 3}}", "what comes behind `|` must be a function"),
        ("{{.Name .Id}}", "only a function takes arguments"),
        ("{{\"open}}", "a text in quotes has no end"),
        ("{{(.Name}}", "`(` has no `)`"),
        ("{{.Name)}}", "`)` closes nothing"),
        ("{{}}", "a value is missing here"),
        ("{{template \"x\"}}", "`template` is not supported"),
        ("{{1x}}", "`1x` is no number"),
        ("{{?}}", "`?` means nothing here"),
    ]);
    let deep = format!("{}1{}", "{{(".to_owned() + &"(".repeat(100), ")".repeat(101) + "}}");
    assert!(filled(&deep).unwrap_err().contains("nested deeper"));
}

#[test]
fn headings_are_spared_by_functions() {
    let headings = json!({"Names": "NAMES", "ID": "CONTAINER ID"});
    let of = |text: &str| Template::parse(text).unwrap().headings(&headings).unwrap();
    assert_eq!(of("{{.Names}} {{lower .ID}} {{.State.Pid}}"), "NAMES CONTAINER ID STATE.PID");
    assert_eq!(of("{{.LocalVolumes}} {{.IPv6}} {{.CreatedAt}}"), "LOCAL VOLUMES IPV6 CREATED AT");
    assert_eq!(of("{{.Label \"com.example.the-team\"}} {{if .Names}}{{truncate .Names 2}}{{end}}"), "the team NAMES");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ABab]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Words that templates are made of, so that more of them come through the parser than by chance.
fn any_template() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{{",
        "}}",
        "{{- ",
        " -}}",
        ".",
        ".A",
        ".B",
        ".a",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "|",
        "(",
        ")",
        " ",
        "if ",
        "else ",
        "end",
        "range ",
        "with ",
        "break",
        "continue",
        "index ",
        "slice ",
        "len ",
        "join ",
        "split ",
        "printf ",
        "json ",
        "eq ",
        "lt ",
        "and ",
        "or ",
        "not ",
        "pad ",
        "truncate ",
        "title ",
        "print ",
        "println ",
        "\"%5.2f%d%s%v%q\" ",
        "\"a\" ",
        "1 ",
        "-7 ",
        "1e3 ",
        "9223372036854775807 ",
        "true ",
        "nil ",
        "/*",
        "*/",
        "'x'",
        "`",
        "\\",
        "\u{e4}",
        "\n",
        ".Label ",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_template_and_no_value_ends_the_program(template in prop_oneof![any_template(), ".{0,40}"], data in any_json()) {
        if let Ok(template) = Template::parse(&template) {
            let _ = template.fill(&data);
            let _ = template.headings(&data);
        }
    }

    #[test]
    fn text_without_actions_stays_as_it_is(text in "[^{]{0,40}") {
        let filled = Template::parse(&text).unwrap().fill(&Value::Null).unwrap();
        prop_assert_eq!(filled, text);
    }
}
