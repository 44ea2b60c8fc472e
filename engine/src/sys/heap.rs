//! Gives back to the kernel what the heap has used and uses no more, whatever the allocator.
//!
//! glibc's malloc_trim(3) would do it; the allocator of the static binary keeps free pages that lie between others in use. Whoever is
//! refused new memory is given what lies free in the heap: it is taken piece by piece, its pages are given back, and it is freed
//! again.
#![expect(unsafe_code, reason = "memory is taken and given back by hand")]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

const PAGE: usize = 4096;
/// The largest pieces that are looked for, and the smallest: less than two pages may hold no whole one.
const LARGEST: usize = 256 << 10;
const SMALLEST: usize = 2 * PAGE;

/// Written at the beginning of a piece.
struct Piece {
    next: *mut Piece,
    layout: Layout,
}

/// Gives back the free pages of the heap. For processes of one thread, whose stack has been deeper: it does not grow meanwhile.
pub(crate) fn release() -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_AS)?;
    setrlimit(Resource::RLIMIT_AS, 0, hard)?;
    free(take_all());
    setrlimit(Resource::RLIMIT_AS, soft, hard)
}

/// Takes what lies free and gives its pages back; returns the last piece.
fn take_all() -> *mut Piece {
    let (mut last, mut size) = (ptr::null_mut(), LARGEST);
    while size >= SMALLEST {
        let layout = Layout::from_size_align(size, align_of::<Piece>()).expect("powers of two, and small");
        // SAFETY: the size is not zero.
        let piece: *mut Piece = unsafe { alloc(layout) }.cast();
        if piece.is_null() {
            size /= 2;
            continue;
        }
        discard(piece.addr() + size_of::<Piece>(), piece.addr() + size);
        // SAFETY: the piece is ours, aligned for what is written, and larger.
        unsafe { piece.write(Piece { next: last, layout }) };
        last = piece;
    }
    last
}

/// Gives back the whole pages between two addresses: madvise(2), MADV_DONTNEED.
fn discard(from: usize, to: usize) {
    let (from, to) = (from.next_multiple_of(PAGE), to & !(PAGE - 1));
    if from < to {
        // SAFETY: the pages lie within a piece that was just allocated, into which nothing has been written yet.
        unsafe { libc::madvise(ptr::without_provenance_mut(from), to - from, libc::MADV_DONTNEED) };
    }
}

fn free(mut last: *mut Piece) {
    while !last.is_null() {
        // SAFETY: `take_all` has written it, and nobody else knows of it.
        let Piece { next, layout } = unsafe { last.read() };
        // SAFETY: allocated with this layout, and not freed yet.
        unsafe { dealloc(last.cast(), layout) };
        last = next;
    }
}
