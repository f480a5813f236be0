//! GPT-1's decoder (Radford et al. 2018, sections 3.1 and 4.1): configuration, parameters, forward and backward by hand on
//! ragged batches, the two loss heads, sampling with a key/value cache, and model directories in Hugging Face's layout; and the
//! LSTM that section 5 compares it with, in the same places ([`Config::n_units`]).
//!
//! A batch is a list of sequences laid end to end ([`Batch`]): N tokens in all, no padding. Shapes are row-major.
//! A training step is [`forward`], one or both of [`lm_loss`] and [`classifier_loss`] with gradients, then [`backward`].

mod batch;
mod block;
mod config;
mod error;
mod files;
mod half;
mod heads;
mod held;
mod lstm;
mod npy;
mod params;
mod pickle;
mod released;
mod sample;
mod snapshots;
mod workspace;

pub use batch::{Batch, Dropout};
pub use block::{backward, backward_while, forward};
pub use config::Config;
pub use error::ModelError;
pub use files::{Found, write_tensors};
pub use heads::{Classified, Examples, Form, classifier_loss, lm_loss, log_probabilities, logits};
pub use held::Holding;
pub use params::{Layout, Model, Params, Tensor};
pub use pickle::{no_weights, quoted};
pub use released::{SHAPES_FILE, read_released};
pub use sample::{Sampler, SamplingModel, sample_token};
pub use snapshots::snapshots;
pub use workspace::Workspace;
