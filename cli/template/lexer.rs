//! Text and actions, and the words of an action.

use super::Fault;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// As it is.
    Text(String),
    /// What is between `{{` and `}}`, and where it begins.
    Action { at: usize, tokens: Vec<Token> },
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    /// Nothing is between it and the word before: `.a.b` is not `.a .b`.
    pub(super) is_glued: bool,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A function or a keyword.
    Word(String),
    /// `.Name`.
    Field(String),
    /// `.` alone.
    Dot,
    /// `$` or `$name`, without the dollar.
    Variable(String),
    Integer(i64),
    Float(f64),
    Text(String),
    Pipe,
    Comma,
    Declare,
    Assign,
    Open,
    Close,
}

/// Blanks in the sense of the trim markers.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// Takes a template apart; comments are gone, and what trim markers take away.
pub(super) fn items(text: &str) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    let mut is_trimmed = false;
    loop {
        let rest = scanner.rest();
        let (plain, found) = rest.split_once("{{").map_or((rest, false), |(plain, _)| (plain, true));
        let start = scanner.at + plain.len();
        scanner.at = start + if found { 2 } else { 0 };
        let trims_left = found && scanner.eat_trim_left();
        let plain = if is_trimmed { plain.trim_start_matches(BLANK) } else { plain };
        let plain = if trims_left { plain.trim_end_matches(BLANK) } else { plain };
        if !plain.is_empty() {
            items.push(Item::Text(plain.to_owned()));
        }
        if !found {
            return Ok(items);
        }
        match scanner.comment(start)? {
            Some(trims_right) => is_trimmed = trims_right,
            None => {
                let (tokens, trims_right) = scanner.action(start)?;
                items.push(Item::Action { at: start, tokens });
                is_trimmed = trims_right;
            }
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let fits = self.rest().starts_with(prefix);
        self.at += if fits { prefix.len() } else { 0 };
        fits
    }

    /// `- ` behind `{{`: the blank belongs to the marker, `{{-3}}` is a number.
    fn eat_trim_left(&mut self) -> bool {
        let is_marker = self.rest().strip_prefix('-').is_some_and(|rest| rest.starts_with(BLANK));
        self.at += if is_marker { 2 } else { 0 };
        is_marker
    }

    /// Passes a comment over; returns whether it trims what is behind it.
    fn comment(&mut self, start: usize) -> Result<Option<bool>, Fault> {
        if !self.eat("/*") {
            return Ok(None);
        }
        let length = self.rest().find("*/").ok_or_else(|| Fault::new(start, "a comment has no end: `*/`"))?;
        self.at += length + 2;
        let trims = self.rest().strip_prefix(BLANK).is_some_and(|rest| rest.starts_with("-}}"));
        self.at += if trims { 2 } else { 0 };
        match self.eat("}}") {
            true => Ok(Some(trims)),
            false => Err(Fault::new(start, "a comment ends with `*/}}`")),
        }
    }

    /// Reads up to `}}`; returns the words, and whether what is behind is trimmed.
    fn action(&mut self, start: usize) -> Result<(Vec<Token>, bool), Fault> {
        let mut tokens = Vec::new();
        loop {
            let blanks = self.rest().len() - self.rest().trim_start_matches(BLANK).len();
            self.at += blanks;
            if blanks > 0 && self.eat("-}}") {
                return Ok((tokens, true));
            }
            if self.eat("}}") {
                return Ok((tokens, false));
            }
            if self.rest().is_empty() {
                return Err(Fault::new(start, "`{{` has no `}}`"));
            }
            let at = self.at;
            let kind = self.token()?;
            tokens.push(Token { at, is_glued: blanks == 0 && at > start + 2, kind });
        }
    }

    fn token(&mut self) -> Result<Kind, Fault> {
        const SIGNS: [(&str, Kind); 6] = [
            ("|", Kind::Pipe),
            (",", Kind::Comma),
            (":=", Kind::Declare),
            ("=", Kind::Assign),
            ("(", Kind::Open),
            (")", Kind::Close),
        ];
        if let Some((_, kind)) = SIGNS.into_iter().find(|(sign, _)| self.eat(sign)) {
            return Ok(kind);
        }
        let at = self.at;
        let first = self.rest().chars().next().unwrap_or_default();
        match first {
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '$' => {
                self.at += 1;
                Ok(Kind::Variable(self.name().to_owned()))
            }
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                let name = self.name();
                Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name.to_owned()) })
            }
            '+' | '-' | '.' | '0'..='9' => self.number(),
            _ => match self.name() {
                "" => Err(Fault::new(at, format!("`{}` means nothing here", first.escape_debug()))),
                name => Ok(Kind::Word(name.to_owned())),
            },
        }
    }

    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let (at, rest) = (self.at, self.rest());
        let sign = usize::from(rest.starts_with(['+', '-']));
        let is_part = |(index, c): (usize, char)| {
            c.is_ascii_alphanumeric()
                || c == '_'
                || c == '.'
                || ("+-".contains(c) && rest[..sign + index].ends_with(['e', 'E']))
        };
        let length = rest[sign..].char_indices().find(|part| !is_part(*part)).map_or(rest.len() - sign, |(end, _)| end);
        self.at += sign + length;
        let digits = rest[sign..sign + length].replace('_', "");
        let is_negative = rest.starts_with('-');
        let radix =
            |prefix: &str, radix| digits.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok());
        let integer =
            radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).or_else(|| digits.parse().ok());
        if let Some(integer) = integer {
            return Ok(Kind::Integer(if is_negative { -integer } else { integer }));
        }
        let float = digits.parse::<f64>().ok().filter(|float| float.is_finite());
        let float = float.ok_or_else(|| Fault::new(at, format!("`{}` is no number", &rest[..sign + length])))?;
        Ok(Kind::Float(if is_negative { -float } else { float }))
    }

    fn raw(&mut self) -> Result<Kind, Fault> {
        let rest = &self.rest()[1..];
        let end = rest.find('`').ok_or_else(|| Fault::new(self.at, "a text in back quotes has no end"))?;
        self.at += end + 2;
        Ok(Kind::Text(rest[..end].to_owned()))
    }

    fn character(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        self.at += 1;
        let char = self.escaped(at, '\'')?;
        match (char, self.eat("'")) {
            (Some(char), true) => Ok(Kind::Integer(i64::from(u32::from(char)))),
            _ => Err(Fault::new(at, "a character is one, between single quotes; texts are between double ones")),
        }
    }

    fn quoted(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(char) = self.escaped(at, '"')? {
            text.push(char);
        }
        self.at += 1;
        Ok(Kind::Text(text))
    }

    /// Reads one character of a literal, as Go escapes it; `None` at its closing quote, which stays.
    fn escaped(&mut self, start: usize, quote: char) -> Result<Option<char>, Fault> {
        let at = self.at;
        let open = || Fault::new(start, "a text in quotes has no end");
        let char = self.rest().chars().next().filter(|char| *char != '\n').ok_or_else(open)?;
        if char == quote {
            return Ok(None);
        }
        self.at += char.len_utf8();
        if char != '\\' {
            return Ok(Some(char));
        }
        let escape = self.rest().chars().next().ok_or_else(open)?;
        self.at += escape.len_utf8();
        let plain = match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\\' | '\'' | '"' => escape,
            'x' => return self.code(at, 2),
            'u' => return self.code(at, 4),
            'U' => return self.code(at, 8),
            _ => return Err(Fault::new(at, format!("`\\{}` is no escape", escape.escape_debug()))),
        };
        Ok(Some(plain))
    }

    fn code(&mut self, at: usize, digits: usize) -> Result<Option<char>, Fault> {
        let hex = self.rest().get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        self.at += if hex.is_some() { digits } else { 0 };
        hex.map(Some)
            .ok_or_else(|| Fault::new(at, format!("the escape needs {digits} hexadecimal digits of a character")))
    }
}
