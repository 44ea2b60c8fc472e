//! The table of clauses in docs/runtime-spec.md names the tests that are there.

use std::collections::BTreeSet;

use crate::harness::{run, tool};

const TABLE: &str = include_str!("../../docs/runtime-spec.md");

/// The tests of this program, but for the ones of this file.
fn tests() -> BTreeSet<String> {
    let program = std::env::current_exe().expect("procfs is mounted");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("table-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the scratch folder is ours");
    let listed = run(tool(program.to_str().expect("paths of tests are text"), ["--list"]), &folder, "list").ok().text();
    std::fs::remove_dir_all(&folder).expect("the scratch folder is ours");
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("table::")).map(str::to_owned).collect()
}

/// What is in code quotes and has the form of a test's path.
fn named() -> BTreeSet<String> {
    TABLE.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::")).map(str::to_owned).collect()
}

#[test]
fn the_table_names_every_test_and_no_other() {
    let (tests, named) = (tests(), named());
    assert_eq!(named.difference(&tests).collect::<Vec<_>>(), Vec::<&String>::new(), "named, but not there");
    assert_eq!(tests.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "there, but not named");
}
