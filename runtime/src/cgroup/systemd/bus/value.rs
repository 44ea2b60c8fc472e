//! Values of D-Bus messages, written and read (D-Bus Specification, "Marshaling").
//!
//! *Pure.*

use super::BusError;

/// A value of one of the types systemd's methods take.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cgroup::systemd) enum Value {
    Byte(u8),
    Bool(bool),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    F64(f64),
    Str(String),
    Path(String),
    /// Elements and their one type.
    Array(&'static str, Vec<Value>),
    Struct(Vec<Value>),
    Variant(Box<Value>),
}

impl Value {
    pub(in crate::cgroup::systemd) fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// A property as `StartTransientUnit` takes it, `(sv)`.
    pub(in crate::cgroup::systemd) fn property(name: &str, value: Self) -> Self {
        Self::Struct(vec![Self::str(name), Self::Variant(Box::new(value))])
    }

    /// Returns the type in the language of signatures.
    pub(super) fn signature(&self) -> String {
        match self {
            Self::Byte(_) => "y".to_owned(),
            Self::Bool(_) => "b".to_owned(),
            Self::I32(_) => "i".to_owned(),
            Self::U32(_) => "u".to_owned(),
            Self::I64(_) => "x".to_owned(),
            Self::U64(_) => "t".to_owned(),
            Self::F64(_) => "d".to_owned(),
            Self::Str(_) => "s".to_owned(),
            Self::Path(_) => "o".to_owned(),
            Self::Array(element, _) => format!("a{element}"),
            Self::Struct(fields) => format!("({})", fields.iter().map(Self::signature).collect::<String>()),
            Self::Variant(_) => "v".to_owned(),
        }
    }

    /// Appends the value, little-endian; `out` starts where alignment counts from.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Byte(byte) => out.push(*byte),
            Self::Bool(value) => write_u32(out, u32::from(*value)),
            Self::U32(value) => write_u32(out, *value),
            Self::I32(value) => write_u32(out, value.cast_unsigned()),
            Self::I64(value) => write_u64(out, value.cast_unsigned()),
            Self::U64(value) => write_u64(out, *value),
            Self::F64(value) => write_u64(out, value.to_bits()),
            Self::Str(text) | Self::Path(text) => write_text(out, text),
            Self::Array(element, values) => write_array(out, alignment(element), values),
            Self::Struct(fields) => {
                pad(out, 8);
                fields.iter().for_each(|field| field.write(out));
            }
            Self::Variant(value) => {
                write_signature(out, &value.signature());
                value.write(out);
            }
        }
    }
}

fn write_array(out: &mut Vec<u8>, alignment: usize, values: &[Value]) {
    write_u32(out, 0);
    let length_at = out.len() - 4;
    // The padding before the first element is not part of the length.
    pad(out, alignment);
    let start = out.len();
    values.iter().for_each(|value| value.write(out));
    let length = (out.len() - start) as u32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn pad(out: &mut Vec<u8>, alignment: usize) {
    out.resize(out.len().next_multiple_of(alignment), 0);
}

pub(super) fn write_u32(out: &mut Vec<u8>, value: u32) {
    pad(out, 4);
    out.extend(value.to_le_bytes());
}

fn write_u64(out: &mut Vec<u8>, value: u64) {
    pad(out, 8);
    out.extend(value.to_le_bytes());
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_u32(out, text.len() as u32);
    out.extend(text.as_bytes());
    out.push(0);
}

pub(super) fn write_signature(out: &mut Vec<u8>, signature: &str) {
    out.push(signature.len() as u8);
    out.extend(signature.as_bytes());
    out.push(0);
}

/// The alignment of a type, by the first letter of its signature.
fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'y' | b'g' | b'v') => 1,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => 4,
    }
}

/// Reads values from the bytes of a message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], little: bool) -> Self {
        Self { bytes, at: 0, little }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BusError> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(BusError::Malformed)?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn align(&mut self, alignment: usize) -> Result<(), BusError> {
        self.take(self.at.next_multiple_of(alignment) - self.at).map(drop)
    }

    pub(super) fn byte(&mut self) -> Result<u8, BusError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().map_err(|_| BusError::Malformed)?;
        Ok(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    pub(super) fn text(&mut self) -> Result<String, BusError> {
        let length = self.u32()? as usize;
        self.terminated(length)
    }

    pub(super) fn signature(&mut self) -> Result<String, BusError> {
        let length = usize::from(self.byte()?);
        self.terminated(length)
    }

    fn terminated(&mut self, length: usize) -> Result<String, BusError> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| BusError::Malformed)?.to_owned();
        match self.byte()? {
            0 => Ok(text),
            _ => Err(BusError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        value.write(&mut out);
        out
    }

    #[test]
    fn texts_have_a_length_and_an_end() {
        assert_eq!(bytes(&Value::str("foo")), b"\x03\0\0\0foo\0");
    }

    /// The example of the specification, "Marshaling containers".
    #[test]
    fn the_padding_of_the_first_element_is_not_counted() {
        let array = Value::Array("t", vec![Value::U64(5)]);
        assert_eq!(array.signature(), "at");
        assert_eq!(bytes(&array), [8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(&Value::Array("(sv)", vec![])), [0; 8]);
    }

    #[test]
    fn a_property_is_a_name_and_a_variant() {
        let property = Value::property("Delegate", Value::Bool(true));
        assert_eq!(property.signature(), "(sv)");
        assert_eq!(bytes(&property), b"\x08\0\0\0Delegate\0\x01b\0\x01\0\0\0");
    }
}
