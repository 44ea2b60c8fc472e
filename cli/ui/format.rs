//! `--format`: a table, JSON, or a template of fields.

use serde_json::Value;

use super::table;
use crate::error::Failure;

/// How rows are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// Columns.
    Table,
    /// One object a line.
    Json,
    /// `{{.Name}} {{.Status}}`: text with fields.
    Template(Vec<Piece>),
    /// `table {{.Name}}\t{{.Status}}`: a template as columns, with headings.
    Columns(Vec<Piece>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it is.
    Text(String),
    /// The value at this path.
    Field(Vec<String>),
    /// The value at this path, as JSON.
    Json(Vec<String>),
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" | "" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ if text.starts_with("table ") => pieces(&text["table ".len()..]).map(Self::Columns),
            _ if text.contains("{{") => pieces(text).map(Self::Template),
            _ => Err("use `table`, `json`, or a template of fields: '{{.Names}} {{.Status}}'".to_owned()),
        }
    }
}

fn pieces(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("a `{{` has no `}}`")?;
        pieces.push(Piece::Text(unescape(text)));
        pieces.push(action_of(action.trim())?);
        rest = after;
    }
    pieces.push(Piece::Text(unescape(rest)));
    Ok(pieces)
}

fn action_of(action: &str) -> Result<Piece, String> {
    let path = |text: &str| -> Option<Vec<String>> {
        let path = text.strip_prefix('.')?;
        let names: Vec<String> = path.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.iter().all(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(names)
    };
    let piece = match action.strip_prefix("json ") {
        Some(argument) => path(argument.trim()).map(Piece::Json),
        None => path(action).map(Piece::Field),
    };
    piece.ok_or_else(|| {
        format!("`{{{{{action}}}}}` is not supported: use fields (`{{{{.Name}}}}`) and `{{{{json .Name}}}}`")
    })
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
        Format::Json => rows.iter().map(Value::to_string).collect(),
        Format::Columns(pieces) => {
            let cells = |line: String| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
            let headings = cells(pieces.iter().map(|piece| heading(piece, columns)).collect());
            let headings: Vec<_> = headings.iter().map(String::as_str).collect();
            let rows = rows.iter().map(|row| fill(pieces, row).map(cells)).collect::<Result<Vec<_>, _>>()?;
            return Ok(table::table(&headings, &rows));
        }
        Format::Template(pieces) => rows.iter().map(|row| fill(pieces, row)).collect::<Result<_, _>>()?,
    };
    Ok(lines.join("\n"))
}

/// Returns the heading of a field: the table's own, or else the field's name.
fn heading(piece: &Piece, columns: &[(&str, &str)]) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Field(path) | Piece::Json(path) => {
            let field = path.join(".");
            let own = columns.iter().find(|(_, name)| *name == field).map(|(heading, _)| (*heading).to_owned());
            own.unwrap_or_else(|| field.to_uppercase())
        }
    }
}

/// Fills a template with the fields of one object.
pub(crate) fn fill(pieces: &[Piece], object: &Value) -> Result<String, Failure> {
    let find = |path: &[String]| {
        let found = path.iter().try_fold(object, |value, name| value.get(name));
        found.ok_or_else(|| Failure::text(format!("template: there is no field `.{}` here", path.join("."))))
    };
    let mut line = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => line.push_str(text),
            Piece::Field(path) => line.push_str(&super::printable(&text_of(find(path)?))),
            Piece::Json(path) => line.push_str(&find(path)?.to_string()),
        }
    }
    Ok(line)
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
    fn templates_are_filled_and_what_they_cannot_do_is_refused_by_name() {
        let format: Format = "{{.Name}}\\t{{json .State}}".parse().unwrap();
        let row = json!({"Name": "web", "State": {"Pid": 1}});
        assert_eq!(render(&format, &[], std::slice::from_ref(&row)).unwrap(), "web\t{\"Pid\":1}");
        let nested: Format = "{{.State.Pid}}".parse().unwrap();
        assert_eq!(render(&nested, &[], std::slice::from_ref(&row)).unwrap(), "1");
        let columns: Format = "table {{.Name}}\\t{{.State.Pid}}".parse().unwrap();
        assert_eq!(
            render(&columns, &[("NAMES", "Name")], std::slice::from_ref(&row)).unwrap(),
            "NAMES   STATE.PID\nweb     1"
        );
        assert!("{{range .X}}".parse::<Format>().unwrap_err().contains("range"));
        assert!("xml".parse::<Format>().is_err());
    }
}
