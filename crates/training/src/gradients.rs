//! The gradients of an update, and their way between ranks.
//!
//! Each rank adds up the gradients of its part of the batch. As soon as the last micro-batch's backward pass has made some final,
//! they go out in buckets while it goes on: each rank gets the others' sums of its own [`Share`] (what MPI calls a reduce-scatter)
//! and adds them in the order of the ranks, so that the result has the same bits whenever they arrive. The optimiser updates the
//! share, and the new parameters go back to all (all-gather).

use crate::adam::{self, Adam, AdamConfig};
use crate::share::{CHUNK, Share};
use crate::{Interrupt, clear_gradients};
use gpt1_kernels::profile::lap;
use gpt1_model::{Layout, Params};
use gpt1_ranks::{Collective, Pending, Ranks};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Values of a bucket: 2 MiB, between the 1 to 4 MiB that are fastest through shared memory.
const BUCKET: usize = 1 << 19;
/// Buckets under way at once; more would only take memory.
const AT_ONCE: usize = 16;

/// The gradients of an update.
#[derive(Debug)]
pub struct Gradients {
    /// The sum over this rank's part of the batch.
    pub sum: Params,
    /// The way to the other ranks.
    pub exchange: Exchange,
}

impl Gradients {
    /// Zeros.
    pub fn new(layout: &Arc<Layout>, ranks: Ranks, interrupt: &Interrupt) -> Gradients {
        Gradients { sum: Params::zeros(layout), exchange: Exchange::new(layout.n_params, ranks, interrupt) }
    }

    /// Sets them to zero, for the next update.
    pub fn clear(&mut self) {
        clear_gradients(&mut self.sum);
    }

    /// Waits for the other ranks. Returns the norm of all gradients, and of the values that each rank gives the sums.
    pub fn finish(&mut self, values: &[f64]) -> (f64, Vec<f64>) {
        self.exchange.finish(&self.sum);
        let share = self.exchange.share;
        let mut message = values.to_vec();
        message.extend(adam::squares(self.own()));
        // A rank without a chunk in the last stripe has a zero there.
        message.resize(values.len() + share.n_stripes(), 0.0);
        let all = self.exchange.ranks.all_gather(message);
        let of_ranks = || all.chunks_exact(values.len() + share.n_stripes());
        let totals = (0..values.len()).map(|i| of_ranks().map(|of_rank| of_rank[i]).sum()).collect();
        let squares = (0..share.n_stripes()).flat_map(|i| of_ranks().map(move |of_rank| of_rank[values.len() + i]));
        let norm = squares.sum::<f64>().sqrt();
        if share.n_ranks > 1 {
            lap("waiting for ranks");
        }
        (norm, totals)
    }

    /// Updates the own share and gives all ranks the new parameters.
    pub fn update(&mut self, adam: &mut Adam, params: &mut Params, config: &AdamConfig, factor: f64, scale: f32) {
        adam.update(params, self.own(), config, factor, scale);
        self.exchange.gather(params);
    }

    /// A rank's part in the checkpoint that the first writes ([`crate::checkpoint::save`]).
    pub(crate) fn give_moments(&mut self, adam: &Adam) {
        self.collect(&adam.m);
        self.collect(&adam.v);
    }

    /// The whole of a vector of which each rank has its share, in `sum` of the first rank, which is free between two updates.
    pub(crate) fn collect(&mut self, own: &[f32]) {
        self.exchange.collect(own, &mut self.sum);
    }

    /// (own) the sums of all ranks.
    fn own(&self) -> &[f32] {
        if self.exchange.ranks.is_alone() { &self.sum.data } else { &self.exchange.own }
    }
}

/// The way of an update's gradients to the other ranks, and of what they must agree on.
#[derive(Debug)]
pub struct Exchange {
    ranks: Ranks,
    share: Share,
    interrupt: Interrupt,
    /// Whether gradients go out before all are final.
    pub overlap: bool,
    /// (own) the sums of all ranks; empty if there is one.
    own: Vec<f32>,
    /// Buckets `..n_left` have not been begun.
    n_left: usize,
    under_way: VecDeque<(Range<usize>, Pending<f32>)>,
    /// Buffers to use again.
    spare: Vec<Vec<f32>>,
    /// What was asked of the ranks last: whether one has been told to stop.
    vote: Option<Pending<u32>>,
    agreed: Option<i32>,
}

impl Exchange {
    fn new(n_params: usize, ranks: Ranks, interrupt: &Interrupt) -> Exchange {
        let share = Share { rank: ranks.rank(), n_ranks: ranks.n_ranks(), n_params };
        let own = if ranks.is_alone() { Vec::new() } else { vec![0.0; share.n_own()] };
        let interrupt = interrupt.clone();
        let mut exchange = Exchange {
            ranks,
            share,
            interrupt,
            overlap: true,
            own,
            n_left: 0,
            under_way: VecDeque::new(),
            spare: Vec::new(),
            vote: None,
            agreed: None,
        };
        exchange.n_left = exchange.n_buckets();
        exchange
    }

    /// Bytes of the buckets under way.
    pub(crate) fn buffer_bytes(share: Share) -> usize {
        let bucket = per_bucket(share) * share.n_ranks * CHUNK;
        2 * 4 * bucket * AT_ONCE.min(share.n_params.div_ceil(bucket))
    }

    /// The share of this rank.
    pub fn share(&self) -> Share {
        self.share
    }

    /// Which signal has asked a rank to stop, as of the last time that this was asked of all; asked before each micro-batch, so
    /// that all give the update up at the same place. Nobody waits for the answer: it is the one to the question before.
    pub fn signal(&mut self) -> Option<i32> {
        let own = self.interrupt.signal();
        if self.ranks.is_alone() {
            self.agreed = own;
            return own;
        }
        if let Some(vote) = self.vote.take() {
            self.agreed = vote.wait().1.into_iter().find(|signal| *signal != 0).map(|signal| signal as i32);
        }
        if self.agreed.is_none() {
            let received = vec![0; self.ranks.n_ranks()];
            self.vote = Some(self.ranks.begin(Collective::AllGather, vec![own.unwrap_or(0) as u32], received));
        }
        self.agreed
    }

    /// As [`Exchange::signal`], as of now.
    pub fn signal_now(&mut self) -> Option<i32> {
        // The answer to the last question, or to the one that it asks.
        self.signal().or_else(|| self.signal())
    }

    /// The answer of the last [`Exchange::signal`].
    pub fn agreed(&self) -> Option<i32> {
        self.agreed
    }

    /// No later part of the update will change `grads.data[from..]`: it can go out.
    pub fn is_final(&mut self, grads: &Params, from: usize) {
        if self.ranks.is_alone() || (from > 0 && !self.overlap) {
            return;
        }
        while let Some((stripes, pending)) = self.under_way.pop_front() {
            match pending.try_wait() {
                Ok(buffers) => self.add_up(grads, stripes, buffers),
                Err(pending) => {
                    self.under_way.push_front((stripes, pending));
                    break;
                }
            }
        }
        while self.n_left > 0
            && self.under_way.len() < AT_ONCE
            && self.share.all(self.stripes(self.n_left - 1)).start >= from
        {
            self.begin_next(grads);
        }
        lap("exchange, packing");
    }

    /// Sends what is left and waits for all.
    fn finish(&mut self, grads: &Params) {
        if self.ranks.is_alone() {
            return;
        }
        loop {
            while self.n_left > 0 && self.under_way.len() < AT_ONCE {
                self.begin_next(grads);
            }
            let Some((stripes, pending)) = self.under_way.pop_front() else { break };
            let buffers = pending.wait();
            self.add_up(grads, stripes, buffers);
        }
        self.n_left = self.n_buckets();
        lap("exchange of gradients");
    }

    fn n_buckets(&self) -> usize {
        self.share.n_stripes().div_ceil(per_bucket(self.share))
    }

    fn stripes(&self, bucket: usize) -> Range<usize> {
        let n = per_bucket(self.share);
        bucket * n..((bucket + 1) * n).min(self.share.n_stripes())
    }

    fn begin_next(&mut self, grads: &Params) {
        self.n_left -= 1;
        let stripes = self.stripes(self.n_left);
        let (n_ranks, n_stripes) = (self.share.n_ranks, stripes.len());
        let n = stripes.len() * n_ranks * CHUNK;
        let (mut send, received) = (self.buffer(n), self.buffer(n));
        let grads = &grads.data[self.share.all(stripes.clone())];
        // (stripes, ranks, chunk) becomes (ranks, stripes, chunk), with zeros where the last stripe ends early; own chunks stay.
        let own = self.share.rank * n_stripes..(self.share.rank + 1) * n_stripes;
        send.par_chunks_mut(CHUNK).enumerate().filter(|(to, _)| !own.contains(to)).for_each(|(to, chunk)| {
            let (rank, stripe) = (to / n_stripes, to % n_stripes);
            let from = ((stripe * n_ranks + rank) * CHUNK).min(grads.len());
            let found = &grads[from..(from + CHUNK).min(grads.len())];
            chunk[..found.len()].copy_from_slice(found);
            chunk[found.len()..].fill(0.0);
        });
        self.under_way.push_back((stripes, self.ranks.begin(Collective::AllToAll, send, received)));
    }

    /// The sum of what all ranks have of the own chunks, in the order of the ranks.
    fn add_up(&mut self, grads: &Params, stripes: Range<usize>, (sent, received): (Vec<f32>, Vec<f32>)) {
        let (n, n_ranks, rank) = (stripes.len() * CHUNK, self.share.n_ranks, self.share.rank);
        let grads = &grads.data[self.share.all(stripes.clone())];
        let own = &mut self.own[self.share.own(stripes)];
        own.par_chunks_mut(CHUNK).enumerate().for_each(|(i, sum)| {
            let (here, n_values) = ((i * n_ranks + rank) * CHUNK, sum.len());
            for of in 0..n_ranks {
                let values =
                    if of == rank { &grads[here..][..n_values] } else { &received[of * n + i * CHUNK..][..n_values] };
                if of == 0 { sum.copy_from_slice(values) } else { gpt1_kernels::add(sum, values) }
            }
        });
        self.spare.extend([sent, received]);
    }

    /// Gives all ranks the own part of `params`, and takes theirs.
    fn gather(&mut self, params: &mut Params) {
        if self.ranks.is_alone() {
            return;
        }
        let (n_ranks, rank) = (self.share.n_ranks, self.share.rank);
        for bucket in 0..self.n_buckets() {
            let stripes = self.stripes(bucket);
            let n = stripes.len() * CHUNK;
            let mut buffer = self.buffer(n_ranks * n);
            let all = &params.data[self.share.all(stripes.clone())];
            let chunks = all.par_chunks(CHUNK).skip(rank).step_by(n_ranks);
            let own = &mut buffer[rank * n..(rank + 1) * n];
            own.par_chunks_mut(CHUNK).zip(chunks).for_each(|(to, from)| to[..from.len()].copy_from_slice(from));
            if self.under_way.len() == AT_ONCE {
                self.take_next(params);
            }
            self.under_way.push_back((stripes, self.ranks.begin(Collective::AllGather, Vec::new(), buffer)));
        }
        while !self.under_way.is_empty() {
            self.take_next(params);
        }
        lap("exchange of parameters");
    }

    fn take_next(&mut self, params: &mut Params) {
        let Some((stripes, pending)) = self.under_way.pop_front() else { return };
        let (n_stripes, n_ranks, rank) = (stripes.len(), self.share.n_ranks, self.share.rank);
        let (_, received) = pending.wait();
        let chunks = params.data[self.share.all(stripes)].par_chunks_mut(CHUNK).enumerate();
        chunks.filter(|(i, _)| i % n_ranks != rank).for_each(|(i, to)| {
            let from = (i % n_ranks * n_stripes + i / n_ranks) * CHUNK;
            to.copy_from_slice(&received[from..from + to.len()]);
        });
        self.spare.push(received);
    }

    fn buffer(&mut self, n: usize) -> Vec<f32> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.resize(n, 0.0);
        buffer
    }

    /// The whole of a vector of which each rank has its share, on the first rank; there it lies in `whole`.
    fn collect(&self, own: &[f32], whole: &mut Params) {
        for bucket in 0..self.n_buckets() {
            let stripes = self.stripes(bucket);
            let (n_stripes, n_ranks) = (stripes.len(), self.share.n_ranks);
            let mut send = own[self.share.own(stripes.clone())].to_vec();
            send.resize(n_stripes * CHUNK, 0.0);
            let received = vec![0.0; if self.ranks.is_first() { n_ranks * send.len() } else { 0 }];
            let (_, received) = self.ranks.begin(Collective::Gather, send, received).wait();
            if self.ranks.is_first() {
                whole.data[self.share.all(stripes)].chunks_mut(CHUNK).enumerate().for_each(|(i, to)| {
                    let from = (i % n_ranks * n_stripes + i / n_ranks) * CHUNK;
                    to.copy_from_slice(&received[from..from + to.len()]);
                });
            }
        }
    }

    /// Gives each rank its share of a vector that the first has; elsewhere `whole` is empty.
    pub(crate) fn deal(&self, whole: &[f32], own: &mut [f32]) {
        for bucket in 0..self.n_buckets() {
            let stripes = self.stripes(bucket);
            let (n_stripes, n_ranks) = (stripes.len(), self.share.n_ranks);
            let mut send = vec![0.0; if self.ranks.is_first() { n_ranks * n_stripes * CHUNK } else { 0 }];
            if self.ranks.is_first() {
                whole[self.share.all(stripes.clone())].chunks(CHUNK).enumerate().for_each(|(i, from)| {
                    let to = (i % n_ranks * n_stripes + i / n_ranks) * CHUNK;
                    send[to..to + from.len()].copy_from_slice(from);
                });
            }
            let (_, received) = self.ranks.begin(Collective::Scatter, send, vec![0.0; n_stripes * CHUNK]).wait();
            let own = &mut own[self.share.own(stripes)];
            own.copy_from_slice(&received[..own.len()]);
        }
    }
}

/// Stripes of a bucket.
fn per_bucket(share: Share) -> usize {
    (BUCKET / CHUNK / share.n_ranks).max(1)
}
