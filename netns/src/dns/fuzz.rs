//! What `fuzz/` calls of the name server: it reads what any program of a container sends.
//!
//! Built with `--cfg fuzzing` only. Runs in a fuzzer's process.

use std::sync::OnceLock;

use super::answer::{Answer, answer};
use super::wire::{self, Query, Unfit};
use super::zone::Zone;

/// Reads a question and answers it: the answer is one to the question, and fits into what the asker takes.
pub fn question(bytes: &[u8]) {
    static ZONE: OnceLock<Zone> = OnceLock::new();
    let zone = ZONE.get_or_init(|| Zone::of(&[], [], &[("link".to_owned(), "web".to_owned())]));
    let query = match Query::read(bytes) {
        Ok(query) => query,
        Err(Unfit::Answer(refusal)) => return assert_eq!(refusal.get(..2), bytes.get(..2)),
        Err(Unfit::Ignore) => return,
    };
    if let Answer::Own(response) = answer(&query, zone, bytes.len()) {
        let message = response.encode(usize::from(query.limit));
        assert!(wire::answers(&message, query.id, &query.question));
        assert!(message.len() <= usize::from(query.limit));
    }
}

/// Compares what a server of the host may have sent with a question; the first byte says where one ends and the other begins.
pub fn response(bytes: &[u8]) {
    let Some((place, rest)) = bytes.split_first() else { return };
    let (question, message) = rest.split_at(rest.len().min(usize::from(*place)));
    if wire::answers(message, 1, question) {
        assert!(message.len() >= wire::HEADER + question.len() && wire::code(message).is_some());
    }
}
