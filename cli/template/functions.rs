//! The functions of templates: text/template's own and docker's.

use serde_json::Value;

use super::compare::compare;
use super::printf::printf;
use super::value::{Datum, is_true, kind_of, shown};
use crate::ui::format;

const NAMES: [&str; 23] = [
    "and", "or", "not", "len", "index", "slice", "print", "println", "printf", "eq", "ne", "lt", "le", "gt", "ge",
    "json", "join", "split", "lower", "upper", "title", "pad", "truncate",
];

/// Most blanks that `pad` adds on a side.
const WIDEST: i64 = 1000;

/// Returns whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Returns whether a function leaves headings as they are.
pub(super) fn spares_headings(name: &str) -> bool {
    ["json", "join", "split", "lower", "upper", "title", "pad", "truncate", "index", "slice"].contains(&name)
}

/// Calls a function that looks at all of its arguments: all but `and` and `or`.
pub(super) fn call(name: &str, arguments: &[Datum]) -> Result<Datum, String> {
    let value = match (name, arguments) {
        ("not", [one]) => Value::from(!is_true(one)),
        ("len", [one]) => Value::from(length(one)?),
        ("index", [of, keys @ ..]) => return keys.iter().try_fold(of.clone(), |value, key| index(&value, key)),
        ("slice", [of, bounds @ ..]) if bounds.len() <= 2 => slice(of, bounds)?,
        ("print", _) => Value::from(print(arguments)),
        ("println", _) => Value::from(format!("{}\n", arguments.iter().map(shown).collect::<Vec<_>>().join(" "))),
        ("printf", [format, rest @ ..]) => Value::from(printf(text(name, format)?, rest)?),
        ("eq" | "ne" | "lt" | "le" | "gt" | "ge", _) => Value::from(compare(name, arguments)?),
        ("json", [one]) => Value::from(one.as_ref().map_or_else(|| "null".to_owned(), format::without_labels)),
        ("join", [list, separator]) => Value::from(join(list, text(name, separator)?)?),
        ("split", [whole, separator]) => split(text(name, whole)?, text(name, separator)?),
        ("lower", [one]) => Value::from(text(name, one)?.to_lowercase()),
        ("upper", [one]) => Value::from(text(name, one)?.to_uppercase()),
        ("title", [one]) => Value::from(title(text(name, one)?)),
        ("pad", [one, before, after]) => Value::from(pad(text(name, one)?, before, after)?),
        ("truncate", [one, length]) => {
            let length = usize::try_from(integer(length)?).map_err(|_| "a length is not negative".to_owned())?;
            Value::from(text(name, one)?.chars().take(length).collect::<String>())
        }
        _ => return Err(format!("`{name}` does not take {} arguments", arguments.len())),
    };
    Ok(Some(value))
}

fn text<'a>(name: &str, datum: &'a Datum) -> Result<&'a str, String> {
    let text = datum.as_ref().and_then(Value::as_str);
    text.ok_or_else(|| format!("`{name}` wants a text, and this is {}", kind_of(datum)))
}

fn integer(datum: &Datum) -> Result<i64, String> {
    let integer = datum.as_ref().and_then(Value::as_i64);
    integer.ok_or_else(|| format!("this must be a whole number, and is {}", kind_of(datum)))
}

/// In bytes, as Go counts.
fn length(datum: &Datum) -> Result<usize, String> {
    match datum {
        Some(Value::String(text)) => Ok(text.len()),
        Some(Value::Array(list)) => Ok(list.len()),
        Some(Value::Object(map)) => Ok(map.len()),
        Some(Value::Null) => Ok(0), // docker's lists and maps that nobody has filled
        _ => Err(format!("{} has no length", kind_of(datum))),
    }
}

fn index(of: &Datum, key: &Datum) -> Result<Datum, String> {
    match of {
        Some(Value::Array(list)) => {
            let at = integer(key)?;
            let found = usize::try_from(at).ok().and_then(|at| list.get(at)).cloned();
            found.map(Some).ok_or_else(|| format!("there is nothing at index {at} of a list of {}", list.len()))
        }
        Some(Value::Object(map)) => {
            let key = text("index", key)?;
            Ok(Some(map.get(key).cloned().unwrap_or_else(|| zero_of(map.values()))))
        }
        Some(Value::String(text)) => {
            let at = integer(key)?;
            let found = usize::try_from(at).ok().and_then(|at| text.as_bytes().get(at));
            found
                .map(|byte| Some(Value::from(*byte)))
                .ok_or_else(|| format!("there is nothing at index {at} of the text"))
        }
        _ => Err(format!("{} cannot be indexed", kind_of(of))),
    }
}

/// What a map of Go has where it has nothing: the empty value of the kind that its others are of.
fn zero_of<'a>(mut values: impl Iterator<Item = &'a Value>) -> Value {
    match values.next() {
        None | Some(Value::String(_)) => Value::from(""),
        Some(Value::Array(_)) => Value::Array(Vec::new()),
        Some(Value::Number(_)) => Value::from(0),
        Some(Value::Bool(_)) => Value::from(false),
        Some(Value::Null | Value::Object(_)) => Value::Null,
    }
}

fn slice(of: &Datum, bounds: &[Datum]) -> Result<Value, String> {
    let whole = length(of)?;
    let bound = |index: usize, default: usize| {
        let bound = bounds.get(index).map_or(Ok(default as i64), integer)?;
        usize::try_from(bound).map_err(|_| format!("{bound} is no index"))
    };
    let (from, to) = (bound(0, 0)?, bound(1, whole)?);
    let outside = || format!("{from} to {to} is not within {whole}");
    match of {
        Some(Value::String(text)) => text.get(from..to).map(Value::from).ok_or_else(outside),
        Some(Value::Array(list)) => list.get(from..to).map(|part| Value::Array(part.to_vec())).ok_or_else(outside),
        _ => Err(format!("{} cannot be sliced", kind_of(of))),
    }
}

/// Blanks are between two values neither of which is a text.
fn print(values: &[Datum]) -> String {
    let mut out = String::new();
    let mut after_text = true;
    for value in values {
        let is_text = matches!(value, Some(Value::String(_)));
        if !out.is_empty() && !after_text && !is_text {
            out.push(' ');
        }
        out.push_str(&shown(value));
        after_text = is_text;
    }
    out
}

fn join(list: &Datum, separator: &str) -> Result<String, String> {
    match list {
        Some(Value::Array(list)) => {
            let texts =
                list.iter().map(|item| item.as_str().map_or_else(|| super::value::text_of(item), str::to_owned));
            Ok(texts.collect::<Vec<_>>().join(separator))
        }
        Some(Value::Null) => Ok(String::new()),
        _ => Err(format!("`join` wants a list, and this is {}", kind_of(list))),
    }
}

fn split(whole: &str, separator: &str) -> Value {
    match separator {
        "" => whole.chars().map(|char| char.to_string()).collect(),
        _ => whole.split(separator).collect(),
    }
}

fn title(text: &str) -> String {
    let mut is_inside = false;
    let mut out = String::new();
    for char in text.chars() {
        match is_inside {
            true => out.push(char),
            false => out.extend(char.to_uppercase()),
        }
        is_inside = char.is_alphanumeric() || char == '_' || char == '\'';
    }
    out
}

fn pad(text: &str, before: &Datum, after: &Datum) -> Result<String, String> {
    let blanks = |datum: &Datum| match integer(datum)? {
        count @ 0..=WIDEST => Ok(" ".repeat(usize::try_from(count).unwrap_or(0))),
        count => Err(format!("`pad` adds up to {WIDEST} blanks, not {count}")),
    };
    let (before, after) = (blanks(before)?, blanks(after)?);
    Ok(if text.is_empty() { String::new() } else { format!("{before}{text}{after}") })
}
