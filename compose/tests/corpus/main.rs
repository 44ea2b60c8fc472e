//! Documents of our own, one tricky point each, and what must become of each; and what must hold of all of them.
//!
//! `../documents/*.txt` hold the cases; [`case`] tells their notation. `UPDATE_DOCUMENTS=1 cargo test --test corpus` writes
//! down what is the case now, for review.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

mod case;
mod properties;

use std::fs;
use std::path::{Path, PathBuf};

use case::Case;

/// Returns the files of cases, in order.
fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn cases(file: &Path) -> Vec<Case> {
    Case::all(&fs::read_to_string(file).unwrap())
}

#[test]
fn every_document_becomes_what_is_written_below_it() {
    let mut wrong = Vec::new();
    for file in files() {
        let mut cases = cases(&file);
        for case in &mut cases {
            let outcome = case.outcome();
            if outcome != case.expected {
                wrong.push(format!("{}: {}\n{outcome}", file.display(), case.title));
                case.expected = outcome;
            }
        }
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            fs::write(&file, cases.iter().map(Case::to_string).collect::<String>()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_is_not_small() {
    let cases = files().iter().map(|file| cases(file).len()).sum::<usize>();
    assert!(cases >= 300, "{cases}");
}
