//! Container ids and names.

use std::io;

/// Returns 64 random hexadecimal digits.
pub(crate) fn random() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

/// Returns the first 12 digits, the form people see.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Returns whether `text` may name a container or a volume: Docker's grammar, `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, ≤ 255 bytes.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.len() <= 255
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// Returns whether `text` is a whole container id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory() {
        for bad in ["", ".", "..", "../x", "a/b", "-a", "_a", "a b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name("web-1") && is_name("A_b.c"));
    }

    #[test]
    fn ids_are_ids() {
        let id = random().unwrap();
        assert!(is_id(&id));
        assert_eq!(short(&id).len(), 12);
    }
}
