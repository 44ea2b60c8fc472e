//! The same with many things, on every processor.
//!
//! Runs in the shell command's process, on threads that end before it returns.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` with each of `all`, several at once; returns the results in their order.
///
/// # Errors
/// One of those that `work` returns; nothing is begun after it.
pub(crate) fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> io::Result<R> + Sync) -> io::Result<Vec<R>> {
    let count = thread::available_parallelism().map_or(1, usize::from).min(all.len());
    if count <= 1 {
        return all.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || -> io::Result<Vec<(usize, R)>> {
        let mut done = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(position) else { return Ok(done) };
            let result = work(one).inspect_err(|_| next.store(all.len(), Ordering::Relaxed))?;
            done.push((position, result));
        }
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut done: Vec<(usize, R)> = Vec::with_capacity(all.len());
    for result in results {
        done.extend(result?);
    }
    done.sort_by_key(|(position, _)| *position);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        let all: Vec<usize> = (0..1000).collect();
        assert_eq!(each(&all, |one| Ok(one * 2)).unwrap(), all.iter().map(|one| one * 2).collect::<Vec<_>>());
        let failing = |one: &usize| if *one == 500 { Err(io::Error::other("no")) } else { Ok(*one) };
        assert_eq!(each(&all, failing).unwrap_err().to_string(), "no");
        assert!(each(&[], |_: &usize| Ok(())).unwrap().is_empty());
    }
}
