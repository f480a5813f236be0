//! Runs the stages of `pipelines/*.yaml`, skipping what is unchanged by content.
//!
//! The way of a run: [`definition`] reads the YAML (as a tree that knows its places, [`gpt1_artifacts::yaml`]), [`plan`] fills in the
//! variables ([`scope`], [`template`], [`each`]) and puts the steps in order, [`state`] compares each with what is in the [`store`]
//! by its [`key`] (with file digests that are computed once, [`digests`]), [`run`] does what is needed.
//!
//! What holds:
//! - nothing runs before the whole definition, the settings and the preset are known to be right;
//! - a result is used only if it is, by content, what was recorded when it was made;
//! - a result is never changed in place: another key is another folder, and its readable name is a link;
//! - one process at a time makes a result; its lock ends with its processes, however they end.

pub mod command;
pub mod definition;
pub mod diff;
pub mod digests;
pub mod dry_run;
pub mod each;
pub mod error;
pub mod fields;
pub mod gc;
pub mod graph;
pub mod key;
pub mod names;
pub mod plan;
pub mod report;
pub mod run;
pub mod scope;
pub mod stages;
pub mod state;
pub mod step;
pub mod store;
pub mod template;
pub mod verify;
