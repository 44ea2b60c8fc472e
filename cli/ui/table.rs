//! Aligned columns, as docker's tables have them.

use std::io::Write;

use tabwriter::TabWriter;

use super::printable;

/// Narrowest column, without the three blanks behind it: docker's are ten wide with them.
const NARROWEST: usize = 7;

/// Returns the rows below their headings, columns three blanks apart.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut writer = TabWriter::new(Vec::new()).padding(3).minwidth(NARROWEST);
    let header = headings.join("\t");
    let lines = rows.iter().map(|row| row.iter().map(|cell| cell_text(cell)).collect::<Vec<_>>().join("\t"));
    for line in std::iter::once(header).chain(lines) {
        writeln!(writer, "{line}").expect("writing to memory cannot fail");
    }
    let bytes = writer.into_inner().expect("flushing to memory cannot fail");
    let text = String::from_utf8_lossy(&bytes);
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    trimmed.join("\n")
}

fn cell_text(cell: &str) -> String {
    printable(cell).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_stay_on_their_line() {
        let rows = [vec!["a".to_owned(), "x\ny".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "NAME"], &rows), "ID        NAME\na         x y\nlonger");
    }
}
