//! The model as it was on the way: what it can do after how many updates (paper section 5, figure 2 right).

use gpt1_artifacts::eprintln;
use gpt1_model::Model;
use gpt1_tokenize::Encoder;
use std::io;
use std::path::Path;

/// The updates after which the model is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshots(Vec<u64>);

impl Snapshots {
    /// At most `n_snapshots` of `n_updates`: the last, that of half its updates, of a quarter and so on, and the initial model. A
    /// model changes early, so each waits twice as long as the one before.
    pub fn new(n_snapshots: usize, n_updates: u64) -> Snapshots {
        let halved = std::iter::successors(Some(n_updates), |n| Some(n / 2)).take_while(|n| *n > 0);
        let mut updates: Vec<u64> = halved.chain([0]).collect();
        if updates.len() > n_snapshots {
            updates.truncate(n_snapshots);
            // The initial model takes the place of the earliest, unless there is room for the last only.
            if let Some(first) = updates.last_mut().filter(|_| n_snapshots > 1) {
                *first = 0;
            }
        }
        updates.reverse();
        Snapshots(updates)
    }

    pub fn announce(&self) {
        if !self.0.is_empty() {
            let updates: Vec<String> = self.0.iter().map(u64::to_string).collect();
            eprintln!("snapshots: after {} updates", updates.join(", "));
        }
    }

    /// Writes the snapshot, with its vocabulary, into the output if it is time for one.
    pub fn save_if_due(&self, out: &Path, finished: u64, model: &Model, encoder: &Encoder) -> io::Result<()> {
        if !self.0.contains(&finished) {
            return Ok(());
        }
        let also = |dir: &Path| encoder.copy_files_to(dir);
        model.save_snapshot(out, finished, also).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_twice_as_long() {
        let updates = |n_snapshots, n_updates| Snapshots::new(n_snapshots, n_updates).0;
        assert_eq!(updates(8, 2500), [0, 39, 78, 156, 312, 625, 1250, 2500]);
        assert_eq!(updates(3, 100), [0, 50, 100]);
        assert_eq!(updates(2, 100), [0, 100]);
        assert_eq!(updates(1, 100), [100]);
        assert_eq!(updates(0, 100), [0; 0]);
        assert_eq!(updates(8, 3), [0, 1, 3]);
        assert_eq!(updates(3, 3), [0, 1, 3]);
        assert_eq!(updates(usize::MAX, u64::MAX).len(), 65);
    }
}
