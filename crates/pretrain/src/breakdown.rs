//! Where the time of steps goes, and the limits of the machine that it is compared with.

use gpt1_artifacts::manifest::cpu_seconds;
use gpt1_kernels::profile::{self, Part};
use gpt1_kernels::{Precision, gemm, vector};
use ndarray::Array2;
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use std::fmt;
use std::hint::black_box;
use std::time::Instant;

/// A stopwatch over steps of this thread.
pub struct Watch {
    start: Instant,
    cpu: f64,
}

impl Watch {
    /// Begins.
    pub fn begin() -> Watch {
        profile::begin();
        Watch { start: Instant::now(), cpu: cpu_seconds().unwrap_or(f64::NAN) }
    }

    /// Ends, after so many steps on so many threads.
    pub fn end(self, n_steps: usize, n_threads: usize) -> Breakdown {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = cpu_seconds().unwrap_or(f64::NAN) - self.cpu;
        let idle = (1.0 - cpu / (seconds * n_threads as f64)).max(0.0);
        Breakdown { parts: profile::end(), seconds, idle, n_steps }
    }
}

/// Where the time of some steps went.
#[derive(Debug, Clone)]
pub struct Breakdown {
    /// The kinds of work, the longest first.
    pub parts: Vec<Part>,
    /// Seconds of all steps.
    pub seconds: f64,
    /// Share of the threads' time in which they waited; not a number where the system does not tell CPU time.
    pub idle: f64,
    /// Steps.
    pub n_steps: usize,
}

/// The groups of [`Breakdown::shares`]: what the names of their parts begin with, and a short name. The first that fits counts.
const GROUPS: [(&[&str], &str); 7] = [
    (&["attn.", "mlp.", "lstm."], "products"),
    (&["attention "], "attention"),
    (&["norms "], "norms"),
    (&["activation "], "activ."),
    (&["head, ", "classifier"], "head"),
    (&["optimiser, "], "optim."),
    (&["packing"], "packing"),
];

impl Breakdown {
    /// The head of a table of [`Breakdown::shares`].
    pub fn shares_head() -> String {
        let names = GROUPS.iter().map(|(_, name)| *name).chain(["the rest", "waiting"]);
        names.fold(String::new(), |line, name| line + &format!(" {name:>9}"))
    }

    /// Shares of the time by groups of parts, of what is in no group, and of the threads' time in which they waited.
    fn groups(&self) -> Vec<(&'static str, f64)> {
        let mut groups: Vec<_> = GROUPS.iter().map(|(_, name)| (*name, 0.0)).collect();
        for part in &self.parts {
            let of = |(starts, _): &(&[&str], &str)| starts.iter().any(|start| part.name.starts_with(start));
            if let Some(group) = GROUPS.iter().position(of) {
                groups[group].1 += part.seconds / self.seconds;
            }
        }
        let rest = (1.0 - groups.iter().map(|(_, share)| share).sum::<f64>()).max(0.0);
        groups.extend([("the rest", rest), ("waiting", self.idle)]);
        groups
    }

    /// The groups in percents, below [`Breakdown::shares_head`].
    pub fn shares(&self) -> String {
        self.groups().iter().fold(String::new(), |line, (_, share)| line + &format!(" {:>8.1}%", 100.0 * share))
    }

    /// Milliseconds a step and share of each part, and the speed of the products in GFLOP/s.
    pub fn json(&self) -> Value {
        let part = |part: &Part| {
            json!({
                "part": part.name,
                "ms": 1e3 * part.seconds / self.n_steps as f64,
                "share": part.seconds / self.seconds,
                "gflops": (part.flops > 0.0).then(|| part.flops / part.seconds / 1e9),
            })
        };
        let groups: Map<String, Value> =
            self.groups().into_iter().map(|(name, share)| (name.to_owned(), Value::from(share))).collect();
        json!({"parts": self.parts.iter().map(part).collect::<Vec<_>>(), "idle": self.idle, "groups": groups})
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let n = self.n_steps.max(1) as f64;
        writeln!(f, "{:<32} {:>10} {:>7} {:>8}", "of a step", "ms", "share", "GFLOP/s")?;
        let line = |f: &mut fmt::Formatter, name: &str, seconds: f64, flops: f64| {
            let speed = if flops > 0.0 { format!("{:8.1}", flops / seconds / 1e9) } else { String::new() };
            let line =
                format!("{name:<32} {:>10.2} {:>6.1}% {speed}", 1e3 * seconds / n, 100.0 * seconds / self.seconds);
            writeln!(f, "{}", line.trim_end())
        };
        for part in &self.parts {
            line(f, part.name, part.seconds, part.flops)?;
        }
        let booked: f64 = self.parts.iter().map(|part| part.seconds).sum();
        line(f, "the rest", (self.seconds - booked).max(0.0), 0.0)?;
        writeln!(f, "threads waiting: {:.1}% of their time", 100.0 * self.idle)
    }
}

/// Operations a second of a large product, in GFLOP/s: the best of some; what products can reach at most.
pub fn matrix_ceiling(precision: Precision) -> f64 {
    let (m, k, n) = (2048, 768, 3072);
    let matrix =
        |rows, cols| Array2::from_shape_fn((rows, cols), |(i, j)| ((i * 31 + j * 17) % 64) as f32 / 64.0 - 0.5);
    let (a, b, mut c) = (matrix(m, k), matrix(k, n), Array2::<f32>::zeros((m, n)));
    let seconds = best_of(8, || gemm(precision, a.view(), b.view(), false, c.view_mut()));
    2.0 * (m * k * n) as f64 / seconds / 1e9
}

/// Bytes a second that all threads together read from memory, in GB/s (10^9): the best of some passes over 1 GiB, more than a
/// shared cache holds.
pub fn read_bandwidth() -> f64 {
    let data = vec![1.0_f32; 1 << 28];
    let seconds = best_of(4, || {
        black_box(data.par_chunks(1 << 20).map(vector::sum).sum::<f32>());
    });
    4.0 * data.len() as f64 / seconds / 1e9
}

fn best_of(n: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..n).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}
