//! The crate through its public functions, on files as the official distributions have them.

mod damaged;
mod forms;
mod golden;
mod official;
mod readers;
mod samples;
mod winograd;
