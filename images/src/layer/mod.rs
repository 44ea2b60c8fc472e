//! Layers: from the blob as a registry serves it to a directory that overlayfs can use as a lower layer.
//!
//! Runs in the shell command's process, on threads of their own.

mod tar;
