//! D-Bus messages: a call written, an answer read (D-Bus Specification, "Message Protocol").
//!
//! *Pure.*

use super::BusError;
use super::value::{Reader, Value, pad, write_signature, write_text, write_u32};

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Length of the part of a header that always has the same length.
pub(super) const FIXED: usize = 16;

/// The longest message (D-Bus Specification, "Message Format"): 128 MiB.
const LONGEST: usize = 1 << 27;

/// A method to call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    pub(super) destination: &'static str,
    pub(super) path: &'static str,
    pub(super) interface: &'static str,
    pub(super) member: &'static str,
}

/// Writes a call.
pub(super) fn call(serial: u32, method: Method, arguments: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    arguments.iter().for_each(|argument| argument.write(&mut body));
    let mut out = vec![b'l', METHOD_CALL, 0, 1];
    write_u32(&mut out, body.len() as u32);
    write_u32(&mut out, serial);
    write_u32(&mut out, 0);
    for (field, kind, text) in [
        (PATH, "o", method.path),
        (INTERFACE, "s", method.interface),
        (MEMBER, "s", method.member),
        (DESTINATION, "s", method.destination),
    ] {
        pad(&mut out, 8);
        out.push(field);
        write_signature(&mut out, kind);
        write_text(&mut out, text);
    }
    if !arguments.is_empty() {
        pad(&mut out, 8);
        out.push(SIGNATURE);
        write_signature(&mut out, "g");
        write_signature(&mut out, &arguments.iter().map(Value::signature).collect::<String>());
    }
    let fields = (out.len() - FIXED) as u32;
    out[12..FIXED].copy_from_slice(&fields.to_le_bytes());
    pad(&mut out, 8);
    out.extend(body);
    out
}

/// What is of interest in a message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The answer to the call of that serial: its first value, if it is text.
    Return { serial: u32, text: Option<String> },
    /// The refusal of the call of that serial.
    Refused { serial: u32, name: String, text: String },
    /// A job of systemd ended: its path and how.
    JobRemoved { job: String, result: String },
    /// Anything else.
    Other,
}

/// Returns how many bytes follow the first [`FIXED`] of a message.
pub(super) fn rest_length(fixed: &[u8; FIXED]) -> Result<usize, BusError> {
    let little = is_little(fixed[0])?;
    let mut reader = Reader::new(&fixed[4..], little);
    let (body, _serial, fields) = (reader.u32()? as usize, reader.u32()?, reader.u32()? as usize);
    let rest = fields.next_multiple_of(8).saturating_add(body);
    if rest > LONGEST { Err(BusError::Malformed) } else { Ok(rest) }
}

fn is_little(endianness: u8) -> Result<bool, BusError> {
    match endianness {
        b'l' => Ok(true),
        b'B' => Ok(false),
        _ => Err(BusError::Malformed),
    }
}

/// Reads a whole message.
pub(super) fn read(message: &[u8]) -> Result<Received, BusError> {
    let (kind, little) = match message {
        [endianness, kind, ..] if message.len() >= FIXED => (*kind, is_little(*endianness)?),
        _ => return Err(BusError::Malformed),
    };
    let mut reader = Reader::new(message, little);
    for _ in 0..4 {
        reader.byte()?;
    }
    let (_body, _serial, length) = (reader.u32()?, reader.u32()?, reader.u32()? as usize);
    let fields = Fields::read(&mut reader, length)?;
    reader.align(8)?;
    let body = message.get(reader.at()..).ok_or(BusError::Malformed)?;
    let mut body = Reader::new(body, little);
    match kind {
        METHOD_RETURN => Ok(Received::Return { serial: fields.reply, text: text(&mut body, &fields.signature)? }),
        ERROR => {
            let text = text(&mut body, &fields.signature)?.unwrap_or_default();
            Ok(Received::Refused { serial: fields.reply, name: fields.error, text })
        }
        SIGNAL if fields.member == "JobRemoved" && fields.signature == "uoss" => {
            let (_id, job, _unit) = (body.u32()?, body.text()?, body.text()?);
            Ok(Received::JobRemoved { job, result: body.text()? })
        }
        _ => Ok(Received::Other),
    }
}

/// Reads the first value, if it is text, or a variant of text.
fn text(body: &mut Reader<'_>, signature: &str) -> Result<Option<String>, BusError> {
    match signature.as_bytes().first() {
        Some(b's' | b'o') => body.text().map(Some),
        Some(b'v') => match body.signature()?.as_str() {
            "s" | "o" => body.text().map(Some),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The header fields that are looked at.
#[derive(Debug, Default)]
struct Fields {
    member: String,
    error: String,
    signature: String,
    reply: u32,
}

impl Fields {
    fn read(reader: &mut Reader<'_>, length: usize) -> Result<Self, BusError> {
        let mut fields = Self::default();
        let end = reader.at().checked_add(length).ok_or(BusError::Malformed)?;
        while reader.at() < end {
            reader.align(8)?;
            let field = reader.byte()?;
            let (mut text, mut number) = (String::new(), 0);
            match reader.signature()?.as_str() {
                "s" | "o" => text = reader.text()?,
                "g" => text = reader.signature()?,
                "u" => number = reader.u32()?,
                // No field of another type is defined.
                _ => return Err(BusError::Malformed),
            }
            match field {
                MEMBER => fields.member = text,
                ERROR_NAME => fields.error = text,
                SIGNATURE => fields.signature = text,
                REPLY_SERIAL => fields.reply = number,
                _ => {}
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METHOD: Method = Method { destination: "a.b", path: "/a", interface: "a.b", member: "M" };

    /// A message as systemd would send it.
    fn message(kind: u8, fields: &[(u8, Value)], body: &[Value]) -> Vec<u8> {
        let mut out = vec![b'l', kind, 0, 1];
        let mut bytes = Vec::new();
        body.iter().for_each(|value| value.write(&mut bytes));
        for number in [bytes.len() as u32, 1, 0] {
            write_u32(&mut out, number);
        }
        for (field, value) in fields {
            pad(&mut out, 8);
            out.push(*field);
            Value::Variant(Box::new(value.clone())).write(&mut out);
        }
        if !body.is_empty() {
            pad(&mut out, 8);
            out.push(SIGNATURE);
            write_signature(&mut out, "g");
            write_signature(&mut out, &body.iter().map(Value::signature).collect::<String>());
        }
        let length = (out.len() - FIXED) as u32;
        out[12..FIXED].copy_from_slice(&length.to_le_bytes());
        pad(&mut out, 8);
        out.extend(bytes);
        out
    }

    #[test]
    fn a_call_has_its_method_signature_and_body() {
        let call = call(7, METHOD, &[Value::str("x"), Value::Bool(true)]);
        let expected = b"l\x01\0\x01\x0c\0\0\0\x07\0\0\0\x48\0\0\0\
            \x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0\
            \x02\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0\
            \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x08\x01g\0\x02sb\0\
            \x01\0\0\0x\0\0\0\x01\0\0\0";
        assert_eq!(rest_length(expected[..FIXED].try_into().unwrap()).unwrap(), expected.len() - FIXED);
        assert_eq!(call, expected);
    }

    #[test]
    fn answers_refusals_and_ends_of_jobs_are_read() {
        let reply = [(REPLY_SERIAL, Value::U32(7))];
        let job = "/org/freedesktop/systemd1/job/5";
        let answer = read(&message(METHOD_RETURN, &reply, &[Value::Path(job.into())]));
        assert_eq!(answer.unwrap(), Received::Return { serial: 7, text: Some(job.into()) });
        let version = Value::Variant(Box::new(Value::str("252")));
        let answer = read(&message(METHOD_RETURN, &reply, &[version]));
        assert_eq!(answer.unwrap(), Received::Return { serial: 7, text: Some("252".into()) });
        let fields = [reply[0].clone(), (ERROR_NAME, Value::str("x.UnitExists"))];
        let refused = read(&message(ERROR, &fields, &[Value::str("it exists")]));
        let expected = Received::Refused { serial: 7, name: "x.UnitExists".into(), text: "it exists".into() };
        assert_eq!(refused.unwrap(), expected);
        let body = [Value::U32(5), Value::Path(job.into()), Value::str("a.scope"), Value::str("done")];
        let ended = read(&message(SIGNAL, &[(MEMBER, Value::str("JobRemoved"))], &body));
        assert_eq!(ended.unwrap(), Received::JobRemoved { job: job.into(), result: "done".into() });
        assert_eq!(read(&message(SIGNAL, &[(MEMBER, Value::str("JobNew"))], &body)).unwrap(), Received::Other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            kind in 0u8..6, little in any::<bool>(), mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            if let [endianness, at, ..] = bytes.as_mut_slice() {
                (*endianness, *at) = (if little { b'l' } else { b'B' }, kind);
            }
            let _any = read(&bytes);
            if let Some(fixed) = bytes.first_chunk() {
                let _any = rest_length(fixed);
            }
        }

        #[test]
        fn a_message_cut_short_is_malformed(cut in 0usize..200) {
            let body = [Value::U32(5), Value::Path("/job".into()), Value::str("a.scope"), Value::str("done")];
            let whole = message(SIGNAL, &[(MEMBER, Value::str("JobRemoved"))], &body);
            let cut = cut.min(whole.len() - 1);
            prop_assert!(read(&whole[..cut]).is_err());
        }
    }
}
