//! Annotations `org.systemd.property.NAME`: properties of the unit, as GVariant text.
//!
//! *Pure.* The grammar is that of GLib's "GVariant Text Format", without what no property of a unit needs:
//! tuples, dictionaries, maybe-types. As with runc, `…Sec` is a number of seconds for the property `…USec`.

use super::bus::Value;
use crate::cgroup::CgroupError;

const PREFIX: &str = "org.systemd.property.";

/// Reads one annotation; `None` when it is about something else.
///
/// # Errors
/// [`CgroupError::Refused`] for a name or value that is none.
pub(super) fn read(key: &str, text: &str) -> Result<Option<(String, Value)>, CgroupError> {
    let Some(name) = key.strip_prefix(PREFIX) else { return Ok(None) };
    let refused = |why: &str| {
        let why = format!("`{}`: {why}", text.escape_default());
        CgroupError::Refused { key: format!("annotations.{}", key.escape_default()), why }
    };
    if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(refused("it names no property"));
    }
    let value = parse(text).ok_or_else(|| refused("it is no value that lighter knows how to pass on"))?;
    match name.strip_suffix("Sec").filter(|stem| !stem.ends_with('U')) {
        None => Ok(Some((name.to_owned(), value))),
        Some(stem) => {
            let microseconds = microseconds(&value).ok_or_else(|| refused("it is no number of seconds"))?;
            Ok(Some((format!("{stem}USec"), Value::U64(microseconds))))
        }
    }
}

fn microseconds(seconds: &Value) -> Option<u64> {
    let whole = |seconds: u64| seconds.checked_mul(1_000_000);
    match seconds {
        Value::I32(value) => u64::try_from(*value).ok().and_then(whole),
        Value::I64(value) => u64::try_from(*value).ok().and_then(whole),
        Value::U32(value) => whole(u64::from(*value)),
        Value::U64(value) => whole(*value),
        Value::F64(value) if *value >= 0.0 && *value < 1e12 => Some((*value * 1e6) as u64),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text };
    let value = parser.value()?;
    parser.skip_blanks();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_blanks();
        match self.rest.chars().next()? {
            '\'' | '"' => self.text().map(Value::Str),
            '[' => self.array(None),
            '@' => {
                let signature = self.word();
                self.typed(signature.strip_prefix('@')?)
            }
            _ => match self.word() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                keyword @ ("boolean" | "byte" | "int32" | "uint32" | "int64" | "uint64" | "double" | "string"
                | "objectpath") => self.typed(keyword),
                number => number_of(number),
            },
        }
    }

    /// A value whose type stands in front of it, by its keyword or its signature.
    fn typed(&mut self, kind: &str) -> Option<Value> {
        self.skip_blanks();
        let element = match kind {
            "ay" => Some("y"),
            "ab" => Some("b"),
            "ai" => Some("i"),
            "au" => Some("u"),
            "ax" => Some("x"),
            "at" => Some("t"),
            "ad" => Some("d"),
            "as" => Some("s"),
            "ao" => Some("o"),
            _ => None,
        };
        if element.is_some() {
            return self.array(element);
        }
        match kind {
            "string" | "s" => self.text().map(Value::Str),
            "objectpath" | "o" => self.text().map(Value::Path),
            _ => convert(kind, self.word()),
        }
    }

    /// Elements of one type: the given one, or that of the first.
    fn array(&mut self, element: Option<&'static str>) -> Option<Value> {
        self.rest = self.rest.strip_prefix('[')?;
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                break;
            }
            if !values.is_empty() {
                self.rest = self.rest.strip_prefix(',')?;
                self.skip_blanks();
            }
            values.push(match element {
                Some(kind) => self.typed(kind)?,
                None => self.value()?,
            });
        }
        let element = element.or_else(|| values.first().and_then(kind_of))?;
        values.iter().all(|value| kind_of(value) == Some(element)).then_some(Value::Array(element, values))
    }

    fn word(&mut self) -> &'a str {
        let end =
            self.rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '[')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Text in quotes of either kind; a backslash escapes as in C.
    fn text(&mut self) -> Option<String> {
        let mut characters = self.rest.char_indices();
        let (_, quote) = characters.next().filter(|(_, quote)| matches!(quote, '\'' | '"'))?;
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.push(match characters.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    // Control characters and code points by number are of no use here.
                    'a' | 'b' | 'f' | 'r' | 'v' | 'u' | 'U' => return None,
                    other => other,
                }),
                // A text of D-Bus cannot hold it.
                '\0' => return None,
                character if character == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                character => text.push(character),
            }
        }
        None
    }
}

/// A number without a type is an int32, or with a point or exponent a double.
fn number_of(word: &str) -> Option<Value> {
    let is_number = word.trim_start_matches(['-', '+']).starts_with(|character: char| character.is_ascii_digit());
    let is_double = word.contains('.') || (word.contains(['e', 'E']) && !word.contains("0x"));
    if !is_number { None } else { convert(if is_double { "d" } else { "i" }, word) }
}

fn convert(kind: &str, word: &str) -> Option<Value> {
    let number = || match word.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => word.parse::<i128>().ok(),
    };
    Some(match kind {
        "boolean" | "b" => Value::Bool(word.parse().ok()?),
        "byte" | "y" => Value::Byte(number()?.try_into().ok()?),
        "int32" | "i" => Value::I32(number()?.try_into().ok()?),
        "uint32" | "u" => Value::U32(number()?.try_into().ok()?),
        "int64" | "x" => Value::I64(number()?.try_into().ok()?),
        "uint64" | "t" => Value::U64(number()?.try_into().ok()?),
        "double" | "d" => Value::F64(word.parse().ok()?),
        _ => return None,
    })
}

fn kind_of(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Byte(_) => "y",
        Value::Bool(_) => "b",
        Value::I32(_) => "i",
        Value::U32(_) => "u",
        Value::I64(_) => "x",
        Value::U64(_) => "t",
        Value::F64(_) => "d",
        Value::Str(_) => "s",
        Value::Path(_) => "o",
        Value::Array(..) | Value::Struct(_) | Value::Variant(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_have_the_types_they_are_written_with() {
        let words = || vec![Value::str("a"), Value::str("b c")];
        for (text, expected) in [
            ("'inactive-or-failed'", Value::str("inactive-or-failed")),
            (r#""it's \"so\"""#, Value::str("it's \"so\"")),
            ("uint64 123456789", Value::U64(123_456_789)),
            ("true", Value::Bool(true)),
            ("-7", Value::I32(-7)),
            ("1.5", Value::F64(1.5)),
            ("byte 0x1f", Value::Byte(31)),
            ("objectpath '/a'", Value::Path("/a".to_owned())),
            ("['a', 'b c']", Value::Array("s", words())),
            ("@as []", Value::Array("s", vec![])),
            ("@at [1, 2]", Value::Array("t", vec![Value::U64(1), Value::U64(2)])),
            ("@t 5", Value::U64(5)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_type_or_no_end_is_none() {
        for text in
            ["", "word", "[]", "'a", "['a', 1]", "uint64 -1", "int32 3000000000", "'a' b", "byte 256", "['a'", "{}"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_become_microseconds() {
        let read = |name: &str, text: &str| read(&format!("org.systemd.property.{name}"), text).unwrap().unwrap();
        assert_eq!(read("TimeoutStopSec", "1.5"), ("TimeoutStopUSec".to_owned(), Value::U64(1_500_000)));
        assert_eq!(read("TimeoutStopUSec", "uint64 7"), ("TimeoutStopUSec".to_owned(), Value::U64(7)));
        assert_eq!(read("CollectMode", "'inactive'"), ("CollectMode".to_owned(), Value::str("inactive")));
    }

    #[test]
    fn other_annotations_are_passed_over_and_wrong_ones_named() {
        assert_eq!(read("org.example.key", "x").unwrap(), None);
        let error = read("org.systemd.property.CollectMode", "inactive").unwrap_err().to_string();
        assert!(error.starts_with("limit `annotations.org.systemd.property.CollectMode`: `inactive`: "), "{error}");
        assert!(read("org.systemd.property.a.b", "1").is_err());
        assert!(read("org.systemd.property.TimeoutSec", "'x'").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,20}|[@a-z0-9'\"\\\\, \\[\\].-]{0,20}") {
            let _any = parse(&text);
        }
    }
}
