//! Where the time of a step goes: a stopwatch that the thread which runs the steps calls after each piece of work.
//!
//! Between [`begin`] and [`end`] every [`lap`] of that thread books the time since the one before. Outside, a lap costs a
//! look at a thread-local variable. Work that rayon's threads share is one piece: its time is that of the slowest thread.

use std::cell::RefCell;
use std::time::Instant;

/// One kind of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is, such as `attn.c_attn forward`.
    pub name: &'static str,
    /// Seconds in all.
    pub seconds: f64,
    /// Multiplications and additions in all, of matrix products; 0 of other work.
    pub flops: f64,
}

struct Stopwatch {
    last: Instant,
    parts: Vec<Part>,
}

thread_local! {
    static STOPWATCH: RefCell<Option<Stopwatch>> = const { RefCell::new(None) };
}

/// Starts the stopwatch of this thread, at zero.
pub fn begin() {
    STOPWATCH.set(Some(Stopwatch { last: Instant::now(), parts: Vec::new() }));
}

/// Stops it: the kinds of work, the longest first.
pub fn end() -> Vec<Part> {
    let mut parts = STOPWATCH.take().map_or_else(Vec::new, |stopwatch| stopwatch.parts);
    parts.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    parts
}

/// Books the time since the last lap.
pub fn lap(name: &'static str) {
    book(name, 0.0);
}

/// As [`lap`], for a product of (M, K) and (K, N): 2 M K N operations.
pub fn lap_product(name: &'static str, m: usize, k: usize, n: usize) {
    book(name, 2.0 * m as f64 * k as f64 * n as f64);
}

/// Does some work inside the thread pool, where a piece of work that the threads share wakes nobody up to begin. Its laps are
/// booked as this thread's.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let stopwatch = STOPWATCH.take();
    let (result, stopwatch) = rayon::scope(|_| {
        let other = STOPWATCH.replace(stopwatch);
        let result = work();
        (result, STOPWATCH.replace(other))
    });
    STOPWATCH.set(stopwatch);
    result
}

/// Does some work and books all its time under one name, whatever laps it has.
pub fn whole<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let stopwatch = STOPWATCH.take();
    let result = work();
    STOPWATCH.set(stopwatch);
    lap(name);
    result
}

fn book(name: &'static str, flops: f64) {
    STOPWATCH.with_borrow_mut(|stopwatch| {
        let Some(Stopwatch { last, parts }) = stopwatch else { return };
        let now = Instant::now();
        let seconds = now.duration_since(*last).as_secs_f64();
        *last = now;
        match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => {
                part.seconds += seconds;
                part.flops += flops;
            }
            None => parts.push(Part { name, seconds, flops }),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn all_time_is_booked_once() {
        lap("before the start");
        begin();
        let start = Instant::now();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(2));
            lap("a");
            std::thread::sleep(Duration::from_millis(4));
            whole("b", || lap("c"));
            lap_product("b", 2, 3, 5);
        }
        let all = start.elapsed().as_secs_f64();
        let parts = end();
        assert_eq!(parts.iter().map(|part| part.name).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(parts.iter().map(|part| part.flops).collect::<Vec<_>>(), [180.0, 0.0]);
        let booked: f64 = parts.iter().map(|part| part.seconds).sum();
        assert!(booked >= 0.018 && booked <= all + 1e-3, "{booked} of {all}");
        assert!(end().is_empty());
    }
}
