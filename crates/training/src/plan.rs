//! What a run will need, known before its first update.

use crate::{Exchange, Share};
use gpt1_kernels::product::Packed;
use gpt1_kernels::{Precision, gemm};
use gpt1_model::{Config, Layout, Workspace};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::fmt;
use std::time::{Duration, Instant};

/// How long the speed of matrix products is measured.
const MEASURE: Duration = Duration::from_millis(100);
/// Share of that speed which training as a whole reaches: attention, normalisation, the optimiser and dropout are slower.
const SHARE: f64 = 0.6;

/// The work of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Tokens computed at once (a micro batch), at most.
    pub micro_batch_tokens: usize,
    /// Tokens of an update, on average.
    pub tokens_per_update: f64,
    /// Updates.
    pub n_updates: u64,
    /// Passes over the data.
    pub n_epochs: f64,
    /// Threads of each rank.
    pub n_threads: usize,
    /// Who takes part.
    pub n_ranks: usize,
    /// How many of them share the memory of this machine.
    pub n_here: usize,
}

/// The plan of a run's memory and time. Printed with `Display`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The work that is planned.
    pub work: Work,
    /// Parameters.
    pub n_params: usize,
    /// Bytes of the parameters; the gradients need as many, the optimiser of all ranks together twice as many.
    pub parameter_bytes: usize,
    /// Bytes of activations and of the output head's chunk.
    pub activation_bytes: usize,
    /// Floating-point operations of a training token, forward and backward.
    pub flops_per_token: f64,
    /// Measured speed of matrix products, in operations per second; 0: not measured.
    pub flops_per_second: f64,
}

/// A plan that the machine cannot hold.
#[derive(Debug, thiserror::Error)]
#[error(
    "training needs {} of memory, of which {} are activations; this machine has {} available\n  hint: lower micro_batch_size (--set pretrain.micro_batch_size=1 changes nothing but rounding) or, in fine-tuning, batch_size; or use a smaller model",
    size(*.needed), size(*.activations), size(*.available)
)]
pub struct PlanError {
    /// Bytes needed in all.
    pub needed: usize,
    /// Of them activations.
    pub activations: usize,
    /// Bytes available.
    pub available: usize,
}

impl Plan {
    /// Plans `work` on a model of this shape and measures the speed of this machine's matrix products (0.1 s).
    pub fn new(config: &Config, work: Work) -> Plan {
        let n_params = Layout::new(config, None).n_params;
        let flops_per_token = 3.0 * config.flops_per_token(config.n_positions);
        let flops_per_second = product_speed(config, work.micro_batch_tokens);
        Plan {
            n_params,
            parameter_bytes: 4 * n_params,
            activation_bytes: Workspace::bytes(config, work.micro_batch_tokens, true),
            flops_per_token,
            flops_per_second,
            work,
        }
    }

    /// Bytes that a rank needs in all.
    pub fn bytes(&self) -> usize {
        2 * self.parameter_bytes + self.optimiser_bytes() + self.exchange_bytes() + self.activation_bytes
    }

    /// Bytes of a rank's share of the optimiser's state.
    fn optimiser_bytes(&self) -> usize {
        8 * self.share().n_own()
    }

    /// Bytes of the sums of all ranks' gradients of the share, and of the buckets under way.
    fn exchange_bytes(&self) -> usize {
        if self.work.n_ranks == 1 { 0 } else { 4 * self.share().n_own() + Exchange::buffer_bytes(self.share()) }
    }

    /// That of the first rank, which nobody's exceeds.
    fn share(&self) -> Share {
        Share { rank: 0, n_ranks: self.work.n_ranks, n_params: self.n_params }
    }

    /// Bytes that a rank sends in an update: gradients to those whose share they are, its share of the parameters to all.
    pub fn sent_bytes(&self) -> usize {
        2 * self.parameter_bytes / self.work.n_ranks * (self.work.n_ranks - 1)
    }

    /// Expected duration of all updates in seconds.
    pub fn seconds(&self) -> f64 {
        let flops = self.flops_per_token * self.work.tokens_per_update * self.work.n_updates as f64;
        flops / (SHARE * self.flops_per_second.max(1.0) * self.work.n_ranks as f64)
    }

    /// Refuses a plan that needs more memory than the machine has available (where the system says how much that is).
    pub fn check_memory(&self) -> Result<(), PlanError> {
        self.check_against(available_memory())
    }

    fn check_against(&self, available: Option<usize>) -> Result<(), PlanError> {
        match available {
            Some(available) if self.bytes() * self.work.n_here > available => {
                let n = self.work.n_here;
                Err(PlanError { needed: self.bytes() * n, activations: self.activation_bytes * n, available })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Work { micro_batch_tokens, tokens_per_update, n_updates, n_epochs, n_threads, n_ranks, .. } = &self.work;
        let several = *n_ranks > 1;
        writeln!(f, "plan")?;
        writeln!(
            f,
            "  compute     {}{n_threads} threads, precision {}, {:.1} MFLOP a token",
            if several { format!("{n_ranks} ranks of ") } else { String::new() },
            Precision::chosen().name(),
            self.flops_per_token / 1e6
        )?;
        writeln!(
            f,
            "  memory      {}{}: parameters {} ({:.2} M), gradients {}, optimiser {}, activations {}{}",
            size(self.bytes()),
            if several { " a rank" } else { "" },
            size(self.parameter_bytes),
            self.n_params as f64 / 1e6,
            size(self.parameter_bytes),
            size(self.optimiser_bytes()),
            size(self.activation_bytes),
            if several { format!(", exchange {}", size(self.exchange_bytes())) } else { String::new() },
        )?;
        if several {
            writeln!(
                f,
                "  network     a rank sends {} an update: half of it gradients, the rest parameters",
                size(self.sent_bytes())
            )?;
        }
        writeln!(
            f,
            "  work        {n_updates} updates of {tokens_per_update:.0} tokens ({micro_batch_tokens} at once), {n_epochs:.2} epochs"
        )?;
        write!(
            f,
            "  time        about {} (products run at {:.0} GFLOP/s here)",
            duration(self.seconds()),
            self.flops_per_second / 1e9
        )
    }
}

/// Operations per second of products: of (N, C) x (C, 4C), the largest of a block. Of an LSTM, of (N, C) x (C, 4U), and for what
/// is made step by step of (B, U) x (U, 4U), B being the sequences that are computed at once.
fn product_speed(config: &Config, n_tokens: usize) -> f64 {
    // Larger ones are no faster; the memory for them may not be there.
    let size = |size: usize| size.min(4096);
    let (n, c) = (n_tokens.clamp(1, 1024), size(config.n_embd));
    let x = vec![0.5_f32; n * c.max(config.n_units.map_or(0, size))];
    let precision = Precision::chosen();
    let large = |inner: usize| {
        let (w, mut y) = (vec![0.25_f32; c * inner], vec![0.0_f32; n * inner]);
        let product = || gemm(precision, view(&x, n, c), view(&w, c, inner), false, view_mut(&mut y, n, inner));
        2.0 * (n * c * inner) as f64 / seconds_of(product)
    };
    let Some(u) = config.n_units.map(size) else { return large(4 * c) };
    let b = (n_tokens / config.n_positions).clamp(1, n);
    let w = Packed::new(precision, view(&vec![0.25; u * 4 * u], u, 4 * u));
    let mut y = vec![0.0; b * 4 * u];
    let steps = || w.product(view(&x[..b * u], b, u), false, view_mut(&mut y, b, 4 * u));
    let in_steps = 2.0 * (b * u * 4 * u) as f64 / seconds_of(steps);
    // Of the three products of the recurrent weights, the gradient's is made at once.
    let share = 2.0 * 8.0 * (u * u) as f64 / (3.0 * config.flops_per_token(config.n_positions));
    1.0 / (share / in_steps + (1.0 - share) / large(4 * u))
}

/// The mean time of some work, after a first time.
fn seconds_of(mut work: impl FnMut()) -> f64 {
    work();
    let begin = Instant::now();
    let mut n_times = 0.0;
    while begin.elapsed() < MEASURE {
        work();
        n_times += 1.0;
    }
    begin.elapsed().as_secs_f64() / n_times
}

fn view(data: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), data).expect("sizes agree")
}

fn view_mut(data: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), data).expect("sizes agree")
}

/// Bytes that can be used without swapping (Linux: `MemAvailable`, and what the control group leaves).
fn available_memory() -> Option<usize> {
    let info = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let machine = line.split_whitespace().next()?.parse::<usize>().ok()? * 1024;
    let number = |path: &str| fs_err::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    let group = match (number("/sys/fs/cgroup/memory.max"), number("/sys/fs/cgroup/memory.current")) {
        (Some(limit), Some(used)) => limit.saturating_sub(used),
        _ => usize::MAX,
    };
    Some(machine.min(group))
}

fn size(bytes: usize) -> String {
    if bytes < 1_000_000_000 {
        format!("{:.1} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.2} GB", bytes as f64 / 1e9)
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt1_size() {
        let preset = gpt1_artifacts::preset::Preset::load("gpt1", &[]).unwrap();
        let work = Work {
            micro_batch_tokens: 2048,
            tokens_per_update: 32768.0,
            n_updates: 1,
            n_epochs: 0.1,
            n_threads: 2,
            n_ranks: 1,
            n_here: 1,
        };
        let plan = Plan::new(&Config::new(&preset.model, 40478), work);
        assert_eq!(plan.n_params, 116_534_784);
        let text = plan.to_string();
        for expected in [
            "2 threads, precision f32, 724.5 MFLOP",
            "parameters 466.1 MB (116.53 M)",
            "work        1 updates of 32768 tokens",
        ] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(plan.seconds() > 0.0 && plan.seconds().is_finite());
    }

    #[test]
    fn lstm_of_the_paper() {
        let preset = gpt1_artifacts::preset::Preset::load("gpt1", &["model.architecture=lstm".to_owned()]).unwrap();
        let work = Work {
            micro_batch_tokens: 2048,
            tokens_per_update: 32768.0,
            n_updates: 1,
            n_epochs: 0.1,
            n_threads: 2,
            n_ranks: 1,
            n_here: 1,
        };
        let plan = Plan::new(&Config::new(&preset.model, 40478), work);
        // Embedding, input and recurrent weights, bias, projection.
        assert_eq!(plan.n_params, 40478 * 768 + 4 * 2048 * (768 + 2048 + 1) + (2048 + 1) * 768);
        // Twelve times the units in f32 for each of 2,048 tokens are 201 MB; the logits' chunk is 96 MiB.
        assert!((350_000_000..450_000_000).contains(&plan.activation_bytes), "{}", plan.activation_bytes);
        assert!(plan.seconds() > 0.0 && plan.seconds().is_finite());
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let work = Work {
            micro_batch_tokens: 2048,
            tokens_per_update: 32768.0,
            n_updates: 10,
            n_epochs: 1.0,
            n_threads: 1,
            n_ranks: 1,
            n_here: 1,
        };
        let plan = Plan {
            work,
            n_params: 1000,
            parameter_bytes: 4000,
            activation_bytes: 1_000_000_000,
            flops_per_token: 1e6,
            flops_per_second: 1e9,
        };
        plan.check_against(None).unwrap();
        plan.check_against(Some(1_000_016_000)).unwrap();
        let error = plan.check_against(Some(1_000_015_999)).unwrap_err().to_string();
        assert!(error.contains("micro_batch_size"), "{error}");
        assert!((plan.seconds() - 327.68 / SHARE).abs() < 1e-6);
    }
}
