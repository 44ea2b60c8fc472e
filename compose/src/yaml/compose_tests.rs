//! What the composer makes of documents, written as a compact notation: maps `{k: v}`, text quoted.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn file(text: &str) -> Arc<SourceText> {
    Arc::new(SourceText { path: PathBuf::from("c.yaml"), text: text.to_owned() })
}

fn show(node: &Node) -> String {
    let tag = match node.directive {
        Directive::None => "",
        Directive::Reset => "!reset ",
        Directive::Override => "!override ",
    };
    let value = match &node.value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let pairs: Vec<_> = map.0.iter().map(|entry| format!("{}: {}", entry.key, show(&entry.value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => node.scalar_text().unwrap_or_default(),
    };
    format!("{tag}{value}")
}

fn composed(text: &str) -> String {
    match parse(&file(text), &mut Vec::new()) {
        Ok(documents) => documents.iter().map(show).collect::<Vec<_>>().join(" --- "),
        Err(fault) => format!("error {fault}"),
    }
}

#[test]
fn aliases_and_merge_keys_are_followed() {
    let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\nd: {<<: *b}\ne: {\"<<\": 1}\n";
    let expected = "{a: {x: 1, y: 2}, b: {y: 3, z: 4}, c: {x: 9, y: 2, z: 4}, d: {y: 3, z: 4}, e: {<<: 1}}";
    assert_eq!(composed(text), expected);
}

#[test]
fn tags_steer_merging_or_are_passed_over() {
    assert_eq!(
        composed("a: !reset null\nb: !override [1]\nc: !!str 5\nd: !override {x: 1}\n"),
        "{a: !reset null, b: !override [1], c: \"5\", d: !override {x: 1}}"
    );
    let mut warnings = Vec::new();
    let documents = parse(&file("a: !secret 5\nb: !x {y: 1}\n"), &mut warnings).unwrap();
    assert_eq!(show(&documents[0]), "{a: \"5\", b: {y: 1}}");
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let hint = "means nothing here (compose files know `!reset` and `!override`)";
    let expected = ["c.yaml:1:4: the YAML tag `!secret`", "c.yaml:2:4: the YAML tag `!x`"];
    assert_eq!(warnings, expected.map(|warning| format!("{warning} {hint}")));
}

#[test]
fn several_documents_are_kept_apart() {
    assert_eq!(composed("a: &x 1\n---\nb: 2\n"), "{a: 1} --- {b: 2}");
    assert_eq!(composed("# nothing\n"), "");
}

#[test]
fn a_duplicate_key_names_both_lines() {
    assert_eq!(composed("a: 1\nb: 2\na: 3\n"), "error c.yaml:3:1: key `a` is given twice, first in line 1");
    assert_eq!(composed("x: &x {}\na: {<<: *x, <<: *x}\n"), "error c.yaml:2:13: the merge key `<<` is given twice");
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    let expected = "error c.yaml:1:2: key `TRUE` is a boolean, and a key must be text (write it as \"TRUE\")";
    assert_eq!(composed("{TRUE: 1}\n"), expected);
    assert_eq!(composed("? [a]\n: b\n"), "error c.yaml:1:3: a key must be text, not a list or a mapping");
}

#[test]
fn positions_survive_windows_line_ends_and_wide_characters() {
    let documents = parse(&file("é: 1\r\nbé: {c: ü, d: 5}\r\n"), &mut Vec::new()).unwrap();
    let entry = &documents[0].entries()[1];
    assert_eq!(entry.at.to_string(), "c.yaml:2:1");
    assert_eq!(entry.value.get("d").unwrap().span.to_string(), "c.yaml:2:15");
}

#[test]
fn an_anchor_may_not_contain_itself() {
    assert_eq!(composed("a: &a\n  b: *a\n"), "error c.yaml:2:6: an alias stands inside its own anchor");
}

#[test]
fn a_billion_laughs_end_in_an_error() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = level - 1;
        let aliases = vec![format!("*a{below}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(composed(&text).contains("aliases repeat more than 100000 values"));
}

#[test]
fn aliases_do_not_nest_deeper_than_text() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..10 {
        text.push_str(&format!("a{level}: &a{level} {}*a{}{}\n", "[".repeat(50), level - 1, "]".repeat(50)));
    }
    assert!(composed(&text).contains("values are nested deeper than 200"));
}

#[test]
fn deep_nesting_ends_in_an_error() {
    assert!(composed(&"[".repeat(250)).contains("values are nested deeper than 200"));
    // Here the parser's own limit comes first.
    assert!(composed(&"[".repeat(100_000)).starts_with("error"));
    let block: String = (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert!(composed(&block).contains("values are nested deeper than 200"));
}

proptest! {
    #[test]
    fn any_text_ends_in_a_tree_or_an_error(text in "\\PC*") {
        let _ = composed(&text);
    }

    #[test]
    fn any_yaml_like_text_ends_in_a_tree_or_an_error(text in "([-:?{}\\[\\]&*!|>'\"%#,a<~ \n]|\r\n|é|- |: |<<: ){0,60}") {
        let _ = composed(&text);
    }
}
