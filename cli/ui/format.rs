//! `--format`: a table, JSON, or a template of fields.

use serde_json::{Map, Value};

use super::table;
use crate::error::Failure;
use crate::template::Template;

/// The key of a row that templates alone see: its labels, for `{{.Label "name"}}`.
pub(crate) const LABELS: &str = "Label";

/// How rows are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// Columns.
    Table,
    /// One object a line.
    Json,
    /// `{{.Name}} {{.Status}}`: text with fields.
    Template(Template),
    /// `table {{.Name}}\t{{.Status}}`: a template as columns, with headings.
    Columns(Template),
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let template = |text: &str| Template::parse(&unescape(text)).map_err(|error| error.to_string());
        match text.trim() {
            "table" | "" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            text if text.starts_with("table ") => template(text["table ".len()..].trim_start()).map(Self::Columns),
            text if text.contains("{{") => template(text).map(Self::Template),
            _ => Err("use `table`, `json`, or a template of fields: '{{.Names}} {{.Status}}'".to_owned()),
        }
    }
}

impl Format {
    /// Returns whether a template asks for a field.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        match self {
            Self::Template(template) | Self::Columns(template) => template.text().contains(&format!(".{field}")),
            Self::Table | Self::Json => false,
        }
    }
}

/// How `inspect` shows objects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inspection {
    /// `json`: on one line.
    Json,
    /// A template, for each.
    Template(Template),
}

impl std::str::FromStr for Inspection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            text => Template::parse(text).map(Self::Template).map_err(|error| error.to_string()),
        }
    }
}

/// `\t` and `\n` in a template mean what they say.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

/// Renders objects: `columns` are the table's headings and the fields below them.
pub(crate) fn render(format: &Format, columns: &[(&str, &str)], rows: &[Value]) -> Result<String, Failure> {
    let lines: Vec<String> = match format {
        Format::Table => {
            let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
            let cells = |row: &Value| columns.iter().map(|(_, field)| text_of(&row[*field])).collect();
            return Ok(table::table(&headings, &rows.iter().map(cells).collect::<Vec<Vec<_>>>()));
        }
        Format::Json => rows.iter().map(without_labels).collect(),
        Format::Columns(template) => {
            let cells = |line: String| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
            let own: Map<_, _> =
                columns.iter().map(|(heading, field)| ((*field).to_owned(), Value::from(*heading))).collect();
            let headings = cells(template.headings(&Value::Object(own))?);
            let headings: Vec<_> = headings.iter().map(String::as_str).collect();
            let rows = rows.iter().map(|row| template.fill(row).map(cells)).collect::<Result<Vec<_>, _>>()?;
            return Ok(table::table(&headings, &rows));
        }
        Format::Template(template) => rows.iter().map(|row| template.fill(row)).collect::<Result<_, _>>()?,
    };
    Ok(lines.join("\n"))
}

/// Writes a row as JSON, without what templates alone see of it.
pub(crate) fn without_labels(row: &Value) -> String {
    match row.as_object().filter(|fields| fields.contains_key(LABELS)) {
        Some(fields) => {
            let mut fields = fields.clone();
            fields.remove(LABELS);
            Value::Object(fields).to_string()
        }
        None => row.to_string(),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_shown_as_text_as_json_and_in_columns() {
        let row = json!({"Name": "web", "State": {"Pid": 1}, "Label": {"a": "b"}});
        let shown = |format: &str| {
            let format: Format = format.parse().unwrap();
            render(&format, &[("NAMES", "Name")], std::slice::from_ref(&row)).unwrap()
        };
        assert_eq!(shown("{{.Name}}\\t{{json .State}}"), "web\t{\"Pid\":1}");
        assert_eq!(shown("table {{.Name}}\\t{{.State.Pid}}"), "NAMES     STATE.PID\nweb       1");
        assert_eq!(shown("table {{.Label \"a\"}}"), "a\nb");
        assert_eq!(shown("{{json .}}"), "{\"Name\":\"web\",\"State\":{\"Pid\":1}}");
        assert_eq!(shown("table"), "NAMES\nweb");
        assert_eq!(shown("json"), "{\"Name\":\"web\",\"State\":{\"Pid\":1}}");
        assert!("{{range .X}}".parse::<Format>().unwrap_err().contains("1:1"));
        assert!("xml".parse::<Format>().is_err());
    }
}
