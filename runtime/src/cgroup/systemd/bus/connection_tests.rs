use std::thread;

use super::*;

/// Plays systemd on the other end: lets the caller in, then answers each call with the next of `answers`.
fn systemd(answers: Vec<Vec<Vec<u8>>>) -> (Connection, thread::JoinHandle<Vec<u8>>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let playing = thread::spawn(move || {
        let mut said = Vec::new();
        while !said.ends_with(b"BEGIN\r\n") {
            let mut byte = [0];
            theirs.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
        theirs.write_all(b"OK 0123456789abcdef\r\n").unwrap();
        for answer in answers {
            let mut fixed = [0; FIXED];
            theirs.read_exact(&mut fixed).unwrap();
            let mut rest = vec![0; message::rest_length(&fixed).unwrap()];
            theirs.read_exact(&mut rest).unwrap();
            answer.iter().for_each(|message| theirs.write_all(message).unwrap());
        }
        said
    });
    (Connection::introduce(ours, false).unwrap(), playing)
}

/// Header fields and a body, from little-endian bytes that were written by hand.
fn message(kind: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = vec![b'l', kind, 0, 1];
    for number in [body.len(), 1, fields.len()] {
        out.extend((number as u32).to_le_bytes());
    }
    out.extend(fields);
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend(body);
    out
}

fn queued(serial: u8) -> Vec<u8> {
    let fields = [5, 1, b'u', 0, serial, 0, 0, 0, 8, 1, b'g', 0, 1, b'o', 0];
    message(2, &fields, b"\x02\0\0\0/j\0")
}

fn ended(result: &str) -> Vec<u8> {
    let mut body = b"\x01\0\0\0\x02\0\0\0/j\0\0\x01\0\0\0u\0\0\0".to_vec();
    body.extend((result.len() as u32).to_le_bytes());
    body.extend(result.bytes().chain([0]));
    let fields = b"\x03\x01s\0\x0a\0\0\0JobRemoved\0\0\0\0\0\0\x08\x01g\0\x04uoss\0";
    message(4, fields, &body)
}

#[test]
fn we_are_introduced_by_our_uid_and_begin_at_once() {
    let (connection, playing) = systemd(vec![]);
    drop(connection);
    let uid: String = nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:x}")).collect();
    assert_eq!(playing.join().unwrap(), format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").as_bytes());
}

#[test]
fn a_job_is_waited_for_whether_it_ends_before_or_after_the_answer() {
    for answers in [vec![queued(1), ended("done")], vec![ended("done"), queued(1)]] {
        let (mut connection, playing) = systemd(vec![answers]);
        connection.job("StopUnit", &[Value::str("a.scope")]).unwrap();
        playing.join().unwrap();
    }
}

#[test]
fn a_job_that_fails_says_how() {
    let (mut connection, playing) = systemd(vec![vec![queued(1), ended("failed")]]);
    let error = connection.job("StopUnit", &[Value::str("a.scope")]).unwrap_err();
    assert_eq!(error.to_string(), "the job ended as `failed`");
    playing.join().unwrap();
}

#[test]
fn a_connection_that_ends_is_an_error() {
    let (mut connection, playing) = systemd(vec![vec![]]);
    assert!(matches!(connection.version(), Err(BusError::Broken(_))));
    playing.join().unwrap();
}

#[test]
fn versions_are_read_from_what_distributions_make_of_them() {
    let versions = ["252.22-1~deb12u1", "v245.4", "239 (239-82.el8)", "", "x"].map(version);
    assert_eq!(versions, [252, 245, 239, 0, 0]);
}
