//! The resolver of the scenario's host.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};

/// What every name resolves to (TEST-NET-2, RFC 5737).
pub(crate) const ANSWER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Answers every question on 127.0.0.1:53 with [`ANSWER`] and remembers the names asked for.
pub(crate) struct Resolver {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver {
    /// Starts it in the network namespace of the calling thread; it ends with the test program.
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("nothing else is in this namespace");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let names = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let Some((name, reply)) = answer(&query[..length]) else { continue };
                names.lock().expect("no thread panics with it").push(name);
                let _ = socket.send_to(&reply, client);
            }
        });
        Self { asked }
    }

    pub(crate) fn was_asked(&self, name: &str) -> bool {
        self.asked.lock().expect("no thread panics with it").iter().any(|asked| asked == name)
    }
}

/// Returns the name asked for and a reply (RFC 1035, section 4): an address for type A, nothing for any other type.
fn answer(query: &[u8]) -> Option<(String, Vec<u8>)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let question = query.get(12..at + 5)?;
    let is_address = question[question.len() - 4..] == [0, 1, 0, 1];
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    reply.extend(question);
    if is_address {
        // A pointer to the name in the question, type A, class IN, 60 s, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(ANSWER.octets());
    }
    Some((labels.join("."), reply))
}
