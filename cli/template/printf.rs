//! `printf`, as Go's package fmt has it; an argument that does not fit its verb is shown as Go shows it: `%!d(string=x)`.

use serde_json::Value;

use super::value::{Datum, shown, text_of};

/// Widest field, in characters.
const WIDEST: usize = 1000;

#[derive(Default)]
struct Directive {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

/// Fills a format with arguments.
pub(super) fn printf(format: &str, arguments: &[Datum]) -> Result<String, String> {
    let mut arguments = arguments.iter();
    let mut out = String::new();
    let mut rest = format;
    while let Some((plain, after)) = rest.split_once('%') {
        out.push_str(plain);
        let (directive, verb, behind) = directive(after)?;
        rest = behind;
        if verb == '%' {
            out.push('%');
            continue;
        }
        match arguments.next() {
            Some(argument) => out.push_str(&directive.padded(&directive.converted(verb, argument)?, argument)),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
    }
    out.push_str(rest);
    match arguments.len() {
        0 => Ok(out),
        more => Err(format!("`printf` has {more} more arguments than `{format}` takes")),
    }
}

/// Reads what is behind `%`: flags, width, precision, and the verb.
fn directive(text: &str) -> Result<(Directive, char, &str), String> {
    let mut directive = Directive::default();
    let behind_flags = text.trim_start_matches(['-', '0', '+', ' ', '#']);
    for flag in text[..text.len() - behind_flags.len()].chars() {
        directive.left |= flag == '-';
        directive.zeros |= flag == '0';
        directive.plus |= flag == '+';
    }
    let (width, mut rest) = digits(behind_flags)?;
    directive.width = width.unwrap_or(0);
    if let Some(behind) = rest.strip_prefix('.') {
        let (precision, behind) = digits(behind)?;
        directive.precision = Some(precision.unwrap_or(0));
        rest = behind;
    }
    let verb = rest.chars().next().ok_or("the format of `printf` ends within a verb")?;
    Ok((directive, verb, &rest[verb.len_utf8()..]))
}

fn digits(text: &str) -> Result<(Option<usize>, &str), String> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let number = digits.parse().ok().filter(|number| *number <= WIDEST);
    number.map(|number| (Some(number), rest)).ok_or_else(|| format!("`printf` takes widths up to {WIDEST}"))
}

impl Directive {
    fn converted(&self, verb: char, argument: &Datum) -> Result<String, String> {
        let integer = argument.as_ref().and_then(Value::as_number).and_then(serde_json::Number::as_i128);
        let text = argument.as_ref().and_then(Value::as_str);
        let float = argument.as_ref().filter(|value| value.is_f64()).and_then(Value::as_f64);
        Ok(match (verb, argument, integer, text, float) {
            ('v', ..) => self.cut(shown(argument)),
            ('s', Some(Value::String(_) | Value::Array(_) | Value::Object(_)), ..) => self.cut(shown(argument)),
            ('q', Some(Value::String(text)), ..) => Value::String(self.cut(text.clone())).to_string(),
            ('t', Some(Value::Bool(value)), ..) => value.to_string(),
            ('d', _, Some(number), ..) => self.signed(number < 0, number.unsigned_abs().to_string()),
            ('x', _, Some(number), ..) => self.signed(number < 0, format!("{:x}", number.unsigned_abs())),
            ('X', _, Some(number), ..) => self.signed(number < 0, format!("{:X}", number.unsigned_abs())),
            ('o', _, Some(number), ..) => self.signed(number < 0, format!("{:o}", number.unsigned_abs())),
            ('b', _, Some(number), ..) => self.signed(number < 0, format!("{:b}", number.unsigned_abs())),
            ('c', _, Some(number), ..) => {
                let char = u32::try_from(number).ok().and_then(char::from_u32);
                char.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
            }
            ('x', _, _, Some(text), _) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            ('X', _, _, Some(text), _) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
            ('f', .., Some(number)) => {
                self.signed(number < 0.0, format!("{:.*}", self.precision.unwrap_or(6), number.abs()))
            }
            ('g', .., Some(number)) => self.signed(number < 0.0, number.abs().to_string()),
            ('s' | 'q' | 't' | 'd' | 'x' | 'X' | 'o' | 'b' | 'c' | 'f' | 'g', ..) => misfit(verb, argument),
            _ => return Err(format!("`printf` does not know the verb `%{verb}`")),
        })
    }

    fn cut(&self, text: String) -> String {
        self.precision.map_or(text.clone(), |most| text.chars().take(most).collect())
    }

    fn signed(&self, is_negative: bool, digits: String) -> String {
        let sign = match (is_negative, self.plus) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        format!("{sign}{digits}")
    }

    fn padded(&self, text: &str, argument: &Datum) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let is_number = argument.as_ref().is_some_and(Value::is_number);
        match (self.left, self.zeros && is_number) {
            (true, _) => format!("{text}{}", " ".repeat(missing)),
            (false, true) => {
                let digits = text.trim_start_matches(['-', '+']);
                format!("{}{}{digits}", &text[..text.len() - digits.len()], "0".repeat(missing))
            }
            (false, false) => format!("{}{text}", " ".repeat(missing)),
        }
    }
}

fn misfit(verb: char, argument: &Datum) -> String {
    let kind = match argument {
        None | Some(Value::Null) => return format!("%!{verb}(<nil>)"),
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(number)) if number.is_f64() => "float64",
        Some(Value::Number(_)) => "int",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "[]interface {}",
        Some(Value::Object(_)) => "map[string]interface {}",
    };
    format!("%!{verb}({kind}={})", argument.as_ref().map(text_of).unwrap_or_default())
}
