//! A sealed copy of this program.
use std::os::fd::OwnedFd;
/// Why no sealed copy runs.
#[derive(Debug, thiserror::Error)]
#[error("seal")]
pub enum SealError {}
/// Re-executes sealed.
pub fn ensure() -> Result<(), SealError> {
    todo!()
}
/// Opens a sealed copy.
pub fn open() -> Result<OwnedFd, SealError> {
    todo!()
}
/// Tells whether.
pub fn is_sealed() -> bool {
    todo!()
}
