//! How the learning rate changes over training.

use std::f64::consts::PI;

/// A schedule: the factor that multiplies the largest learning rate in update u = 0, 1, ...
///
/// As in the released code (opt.py), u counts the updates that are finished, so the first update of a warm-up has the
/// factor 0: it moves no parameter, but it starts Adam's running means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// Pre-training (paper 4.1): "increased linearly from zero over the first 2000 updates and annealed to 0 using a
    /// cosine schedule". `u / warmup_updates`, then `(1 + cos(pi (u - warmup_updates) / (total - warmup_updates))) / 2`.
    ///
    /// The released function (warmup_cosine) has `(1 + cos(pi u / total)) / 2` after the warm-up; that drops at the end
    /// of a warm-up which is a large share of training. With the paper's shares the two differ by less than 0.001.
    WarmupCosine {
        /// Updates of linear warm-up.
        warmup_updates: u64,
        /// Updates in all.
        total: u64,
    },
    /// Fine-tuning (paper 4.1: "a linear learning rate decay schedule with warmup over 0.2% of training"; released code,
    /// warmup_linear): with x = u / total and w the warm-up's share, `(x / w if x <= w else 1) (1 - x)`.
    WarmupLinear {
        /// The warm-up's share of all updates.
        warmup_fraction: f64,
        /// Updates in all.
        total: u64,
    },
}

impl Schedule {
    /// The factor of update `u`, which counts from 0; 0 from update `total` on.
    pub fn factor(&self, u: u64) -> f64 {
        match *self {
            Schedule::WarmupCosine { total, .. } | Schedule::WarmupLinear { total, .. } if u >= total => 0.0,
            Schedule::WarmupCosine { warmup_updates, .. } if u < warmup_updates => u as f64 / warmup_updates as f64,
            Schedule::WarmupCosine { warmup_updates, total } => {
                0.5 * (1.0 + (PI * (u - warmup_updates) as f64 / (total - warmup_updates) as f64).cos())
            }
            Schedule::WarmupLinear { warmup_fraction, total } => {
                let x = u as f64 / total as f64;
                let rise = if x <= warmup_fraction && warmup_fraction > 0.0 { x / warmup_fraction } else { 1.0 };
                rise * (1.0 - x)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn cosine() {
        let schedule = Schedule::WarmupCosine { warmup_updates: 10, total: 110 };
        let expected = [
            (0, 0.0),
            (1, 0.1),
            (9, 0.9),
            (10, 1.0),
            (35, 0.5 + 0.5 * 0.5_f64.sqrt()),
            (60, 0.5),
            (110, 0.0),
            (500, 0.0),
        ];
        for (u, factor) in expected {
            near(schedule.factor(u), factor);
        }
        near(Schedule::WarmupCosine { warmup_updates: 0, total: 4 }.factor(0), 1.0);
        near(Schedule::WarmupCosine { warmup_updates: 0, total: 4 }.factor(2), 0.5);
    }

    #[test]
    fn warm_up_longer_than_training() {
        let schedule = Schedule::WarmupCosine { warmup_updates: 100, total: 10 };
        near(schedule.factor(9), 0.09);
        near(schedule.factor(10), 0.0);
        let exactly = Schedule::WarmupCosine { warmup_updates: 10, total: 10 };
        near(exactly.factor(9), 0.9);
    }

    /// Within 0.001 of the released warmup_cosine at the paper's size: 2,000 of some three million updates.
    #[test]
    fn cosine_is_the_released_one_at_the_papers_size() {
        let (warmup, total) = (2_000, 3_000_000_u64);
        let schedule = Schedule::WarmupCosine { warmup_updates: warmup, total };
        for u in (0..total).step_by(997) {
            let x = u as f64 / total as f64;
            let w = warmup as f64 / total as f64;
            let released = if x <= w { x / w } else { 0.5 * (1.0 + (PI * x).cos()) };
            assert!((schedule.factor(u) - released).abs() < 1e-3, "update {u}");
        }
    }

    #[test]
    fn linear() {
        let schedule = Schedule::WarmupLinear { warmup_fraction: 0.1, total: 100 };
        for (u, factor) in [(0, 0.0), (5, 0.5 * 0.95), (10, 0.9), (11, 0.89), (50, 0.5), (99, 0.01), (100, 0.0)] {
            near(schedule.factor(u), factor);
        }
        near(Schedule::WarmupLinear { warmup_fraction: 0.0, total: 100 }.factor(0), 1.0);
    }

    #[test]
    fn never_leaves_the_unit_interval() {
        for total in 1..40 {
            for warmup_updates in 0..45 {
                let share = warmup_updates as f64 / 45.0;
                for u in 0..45 {
                    let cosine = Schedule::WarmupCosine { warmup_updates, total }.factor(u);
                    let linear = Schedule::WarmupLinear { warmup_fraction: share, total }.factor(u);
                    assert!(
                        (0.0..=1.0).contains(&cosine) && (0.0..=1.0).contains(&linear),
                        "{total} {warmup_updates} {u}"
                    );
                }
            }
        }
    }
}
