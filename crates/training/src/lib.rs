//! What pre-training and fine-tuning share: the optimiser, its schedules, the step loop, exact checkpoints, metrics, the
//! plan of memory and time, and the answer to signals.
//!
//! A stage supplies two closures to [`run`]: one that computes the gradients of an update, one that evaluates now and
//! then. Everything else (clipping, Adam, the guard against values that are not finite, logging, checkpoints,
//! continuing) is the same for both stages and lives here.

mod adam;
mod best;
pub mod checkpoint;
mod events;
mod gradients;
mod interrupt;
mod metrics;
mod plan;
mod run;
mod schedule;
mod share;

pub use adam::{Adam, AdamConfig, clear_gradients, clip_scale, gradient_norm};
pub use best::{Best, Criterion, write_best};
pub use gradients::{Exchange, Gradients};
pub use interrupt::{Interrupt, run_main};
pub use metrics::{Lengths, Metrics};
pub use plan::{Plan, PlanError, Work};
pub use run::{Outcome, Settings, Step, TrainError, run};
pub use schedule::Schedule;
pub use share::Share;
