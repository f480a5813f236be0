//! Which parameters a rank updates.
//!
//! The flat vector of all parameters is cut into chunks; chunk c is updated by rank c mod R, which alone keeps the optimiser's
//! state of it (Rajbhandari et al. 2020, "ZeRO", stage 1 and 2). R chunks that follow each other are a stripe, one of each rank, so
//! that wherever gradients become final all ranks have the same amount to do with them.
//!
//! A rank keeps what belongs to its chunks end to end: "(own)" in the shapes.

use std::ops::Range;

/// Values of a chunk. Fixed, so that sums over chunks have the same order for any number of threads and of ranks.
pub(crate) const CHUNK: usize = 1 << 13;

/// A rank's part of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The rank.
    pub rank: usize,
    /// How many there are.
    pub n_ranks: usize,
    /// All parameters.
    pub n_params: usize,
}

impl Share {
    /// All parameters.
    pub fn whole(n_params: usize) -> Share {
        Share { rank: 0, n_ranks: 1, n_params }
    }

    /// Own parameters.
    pub fn n_own(&self) -> usize {
        self.own(0..self.n_stripes()).len()
    }

    pub(crate) fn n_stripes(&self) -> usize {
        self.n_params.div_ceil(CHUNK * self.n_ranks)
    }

    /// The parameters of some stripes.
    pub(crate) fn all(&self, stripes: Range<usize>) -> Range<usize> {
        let stripe = CHUNK * self.n_ranks;
        (stripes.start * stripe).min(self.n_params)..(stripes.end * stripe).min(self.n_params)
    }

    /// Of them, own ones: where they lie among the own.
    pub(crate) fn own(&self, stripes: Range<usize>) -> Range<usize> {
        // Of the last stripe the own chunk may be shorter, or not there.
        let before_last = (self.n_params / (CHUNK * self.n_ranks)) * CHUNK;
        let of_last = (self.n_params % (CHUNK * self.n_ranks)).saturating_sub(self.rank * CHUNK).min(CHUNK);
        let end = before_last + of_last;
        (stripes.start * CHUNK).min(end)..(stripes.end * CHUNK).min(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_belongs_to_one_rank() {
        for (n_params, n_ranks) in
            [(1, 1), (CHUNK, 2), (3 * CHUNK - 1, 2), (10 * CHUNK + 7, 3), (5, 4), (40 * CHUNK, 8)]
        {
            let mut owners = vec![0; n_params];
            for rank in 0..n_ranks {
                let share = Share { rank, n_ranks, n_params };
                let mut n_own = 0;
                for stripe in 0..share.n_stripes() {
                    let all = share.all(stripe..stripe + 1);
                    let own = share.own(stripe..stripe + 1);
                    assert_eq!(own.start.min(share.n_own()), n_own, "{share:?}");
                    let first = (all.start + rank * CHUNK).min(n_params);
                    owners[first..first + own.len()].iter_mut().for_each(|n| *n += 1);
                    n_own += own.len();
                }
                assert_eq!(n_own, share.n_own());
            }
            assert!(owners.iter().all(|n| *n == 1), "{n_params} {n_ranks}");
        }
    }
}
