//! YAML as plain values: what files made by programs hold. Pure.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// Nesting beyond which a document is refused.
const MAX_DEPTH: usize = 64;

/// Values beyond which a document is refused: aliases repeat what they stand for.
const MAX_VALUES: usize = 100_000;

/// A list or a mapping whose end has not come yet; a mapping with the key that waits for its value.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Composer {
    open: Vec<(usize, Open)>,
    anchors: HashMap<usize, Value>,
    count: usize,
    whole: Option<Value>,
}

/// Reads the one document of a text.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let mut composer = Composer::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, _) = event.map_err(|error| error.to_string())?;
        composer.take(event)?;
    }
    Ok(composer.whole.unwrap_or(Value::Null))
}

impl Composer {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                self.put(0, value.ok_or("an alias stands for nothing")?)
            }
            Event::Scalar(text, style, anchor, _) => self.put(anchor, scalar(&text, style)),
            Event::SequenceStart(anchor, _) => self.begin(anchor, Open::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(anchor, Open::Map(Map::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((anchor, Open::List(list))) => self.put(anchor, Value::Array(list)),
                Some((anchor, Open::Map(map, _))) => self.put(anchor, Value::Object(map)),
                None => Err("an end without a beginning".to_owned()),
            },
        }
    }

    fn begin(&mut self, anchor: usize, open: Open) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("values are nested deeper than {MAX_DEPTH}"));
        }
        self.open.push((anchor, open));
        Ok(())
    }

    fn put(&mut self, anchor: usize, value: Value) -> Result<(), String> {
        self.count += size(&value);
        if self.count > MAX_VALUES {
            return Err(format!("there are more than {MAX_VALUES} values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut().map(|(_, open)| open) {
            None => self.whole = Some(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key @ Some(_))) => _ = map.insert(key.take().unwrap_or_default(), value),
            Some(Open::Map(_, key)) => *key = Some(key_of(value)?),
        }
        Ok(())
    }
}

fn key_of(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err("a key must be text".to_owned()),
    }
}

/// Counts a value and those in it.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Reads a plain scalar by the core schema (YAML 1.2.2, 10.3.2); numbers that JSON has not stay text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    let number = text.parse::<i64>().map(Number::from).ok();
    let number = number.or_else(|| i64::from_str_radix(text.strip_prefix("0o")?, 8).map(Number::from).ok());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number.map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_are_those_of_the_core_schema() {
        let text = "a: &x [1, 'two', ~]\nb: *x\nc: {d: true, 5: \"0\"}\nmode: 0o666\nversion: 0.6.0\n";
        let expected = json!({"a": [1, "two", null], "b": [1, "two", null], "c": {"d": true, "5": "0"}, "mode": 438,
                              "version": "0.6.0"});
        assert_eq!(value(text).unwrap(), expected);
    }

    #[test]
    fn documents_without_bounds_are_refused() {
        assert!(value(&"[".repeat(1000)).is_err());
        let bomb = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 10].join(",");
            format!("{text}a{n}: &a{n} [{aliases}]\n")
        });
        assert!(value(&bomb).is_err());
    }

    proptest! {
        #[test]
        fn json_reads_as_json(list: Vec<u32>, text in "[a-z ]{0,12}") {
            let whole = json!({"list": list, "text": text});
            prop_assert_eq!(value(&whole.to_string()).unwrap(), whole);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = value(&text);
        }
    }
}
