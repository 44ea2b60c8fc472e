//! `eq ne lt le gt ge`.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::value::{Datum, kind_of};

/// Applies a comparison; `eq` takes several values and asks whether the first is among the others.
pub(super) fn compare(name: &str, arguments: &[Datum]) -> Result<bool, String> {
    let (first, others) = match arguments {
        [first, others @ ..] if !others.is_empty() => (first, others),
        _ => return Err(format!("`{name}` compares two values")),
    };
    if name == "eq" {
        return others.iter().map(|other| equal(first, other)).try_fold(false, |any, one| Ok(any || one?));
    }
    let [other] = others else { return Err(format!("`{name}` compares two values")) };
    if name == "ne" {
        return Ok(!equal(first, other)?);
    }
    let order = order(first, other)?;
    Ok(match name {
        "lt" => order == Ordering::Less,
        "le" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn equal(a: &Datum, b: &Datum) -> Result<bool, String> {
    let nothing = |datum: &Datum| matches!(datum, None | Some(Value::Null));
    match (a, b) {
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => Ok(a == b),
        _ if nothing(a) || nothing(b) => Ok(nothing(a) && nothing(b)),
        _ => order(a, b).map(Ordering::is_eq),
    }
}

fn order(a: &Datum, b: &Datum) -> Result<Ordering, String> {
    match (a, b) {
        (Some(Value::String(a)), Some(Value::String(b))) => Ok(a.cmp(b)),
        (Some(Value::Number(a)), Some(Value::Number(b))) => Ok(numbers(a, b)),
        _ => Err(format!("{} and {} cannot be compared", kind_of(a), kind_of(b))),
    }
}

fn numbers(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    }
}
