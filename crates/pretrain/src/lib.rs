//! Generative pre-training (paper 3.1 and 4.1): a language model from token shards.
//!
//! [`batch`] computes the gradients of an update and the loss of held-out text, [`baseline`] what a model without context
//! would reach, [`continuation`] draws text from a model, `snapshots` keeps the model as it was on the way; [`train`] is the
//! stage, [`sample`] and [`bench`] are the subcommands, [`breakdown`] says where their time goes.

pub mod baseline;
pub mod batch;
pub mod bench;
pub mod breakdown;
pub mod continuation;
pub mod sample;
mod snapshots;
pub mod train;
