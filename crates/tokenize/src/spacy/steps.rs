//! A count of the characters and entries looked at, kept in unit tests alone: that time is linear is tested by counting,
//! never by a clock.

/// Adds to the count.
#[cfg(not(test))]
#[inline]
pub fn count(_n: usize) {}

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Adds to the count.
#[cfg(test)]
pub fn count(n: usize) {
    STEPS.set(STEPS.get() + n as u64);
}

/// A function's result, and the steps that it took.
#[cfg(test)]
pub fn counted<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let before = STEPS.get();
    let result = run();
    (result, STEPS.get() - before)
}
