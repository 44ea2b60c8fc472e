//! Archives that no builder makes: every case says whether it is refused, and why, or what the layer looks like, to the last
//! file; and nothing outside the layer may change.
//!
//! Needs root, because unpacked files get owners, devices and marks of overlayfs. Each archive is the layer of an image that the
//! store lists, so it goes the whole way that a pulled one goes.

mod archive;
mod attributes;
mod bombs;
mod devices;
mod ground;
mod headers;
mod links;
mod names;
mod peers;
mod sparse;
#[expect(dead_code, reason = "names of attributes are looked at, not values")]
#[path = "../../../tests/e2e/harness/sys/mod.rs"]
mod sys;
mod tree;
mod whiteouts;
