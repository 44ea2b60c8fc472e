//! The report of a matrix on disk: written after each guest, so that a run of hours that ends early has said what it saw, and
//! read again by one that goes on from there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::report::{Column, Report};

const JSON: &str = "report.json";
const TEXT: &str = "report.txt";

/// A report and where it is kept.
pub(crate) struct Record {
    folder: PathBuf,
    report: Report,
}

impl Record {
    /// Opens the record in `folder`, empty unless `resumes`, and unless there is one.
    pub(crate) fn open(folder: &Path, resumes: bool) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
        let earlier = if resumes { read(&folder.join(JSON))? } else { None };
        if !resumes {
            keep_old(folder)?;
        }
        Ok(Self { folder: folder.to_owned(), report: earlier.unwrap_or_default() })
    }

    /// Returns what there is of a guest, of this build and of earlier ones.
    pub(crate) fn earlier(&self, guest: &str) -> Option<&Column> {
        self.report.columns.iter().find(|column| column.guest == guest)
    }

    /// Puts `column` in the place of what there is of its guest, and writes the report.
    pub(crate) fn put(&mut self, column: Column) -> Result<()> {
        let columns = &mut self.report.columns;
        match columns.iter().position(|earlier| earlier.guest == column.guest) {
            Some(place) => columns[place] = column,
            None => columns.push(column),
        }
        write(&self.json(), &self.report.json())?;
        write(&self.folder.join(TEXT), &self.report.text())
    }

    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// The path of the report for programs.
    pub(crate) fn json(&self) -> PathBuf {
        self.folder.join(JSON)
    }
}

/// Keeps the report of the run before, of hours maybe, until the next but one.
fn keep_old(folder: &Path) -> Result<()> {
    for name in [JSON, TEXT] {
        let (path, old) = (folder.join(name), folder.join(format!("old-{name}")));
        match fs::rename(&path, &old) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("keep `{}`", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Report>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("read `{}`", path.display())).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read `{}`", path.display())),
    }
}

/// Writes a whole file or leaves the old one: the run may be ended at any time.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    fn column(guest: &str, build: &str) -> Column {
        Column { guest: guest.to_owned(), build: build.to_owned(), ..Column::default() }
    }

    #[test]
    fn what_was_seen_is_there_for_a_run_that_goes_on_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(folder.path(), false).unwrap();
        let mut seen = column("vm 6.1 v2", "b1");
        seen.extend(
            "2026-11-27",
            [
                ("vm::a".to_owned(), Verdict::Passed),
                ("vm::b".to_owned(), Verdict::Failed("why\n".to_owned())),
                ("vm::c".to_owned(), Verdict::NotApplicable("no swap".to_owned())),
            ],
        );
        record.put(seen.clone()).unwrap();
        let record = Record::open(folder.path(), true).unwrap();
        assert_eq!(record.earlier("vm 6.1 v2"), Some(&seen));
        assert_eq!(record.earlier("vm 7 v2"), None);
        assert!(Record::open(folder.path(), false).unwrap().report().columns.is_empty());
        assert!(fs::read_to_string(folder.path().join("old-report.json")).unwrap().contains("vm::b"));
    }

    #[test]
    fn a_guest_has_one_column_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(folder.path(), true).unwrap();
        for (guest, build) in [("a", "b1"), ("b", "b1"), ("a", "b2")] {
            record.put(column(guest, build)).unwrap();
        }
        let builds: Vec<_> =
            record.report().columns.iter().map(|column| format!("{} {}", column.guest, column.build)).collect();
        assert_eq!(builds, ["a b2", "b b1"]);
        assert!(fs::read_to_string(folder.path().join(TEXT)).unwrap().contains("A  a"));
    }

    #[test]
    fn what_is_no_report_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(JSON), "{").unwrap();
        let said = format!("{:#}", Record::open(folder.path(), true).err().unwrap());
        assert!(said.contains(JSON), "{said}");
    }
}
