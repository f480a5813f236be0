//! Matrix products of our own: both operands are packed into panels, and a micro-kernel keeps a tile of the result in
//! registers while it runs along the inner size.
//!
//! A panel holds `W` rows of A (or columns of B) as 32-bit words, the `W` words of one step along the inner size side by
//! side: `[steps][W]`. In f32 a word is one value and a step is one k; in bf16 a word is the pair (k, k + 1), the lower half
//! first, as the CPU's dot-product instruction wants it. So the driver below is the same for every precision and CPU, and
//! only the micro-kernels differ.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod plain;

use crate::cpu;
use crate::profile::lap;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the operands of a product are rounded to; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16: 8 bits of mantissa.
    Bf16,
}

impl Precision {
    /// The fastest that this CPU computes in hardware.
    pub fn best() -> Precision {
        if has_bf16() { Precision::Bf16 } else { Precision::F32 }
    }

    /// What dense products of this process are rounded to: f32 until [`Precision::choose`] says otherwise.
    pub fn chosen() -> Precision {
        if CHOSEN_BF16.load(Ordering::Relaxed) { Precision::Bf16 } else { Precision::F32 }
    }

    /// Sets what [`Precision::chosen`] returns: `f32`, `bf16`, or `auto`, the fastest of this CPU. `bf16` on a CPU without
    /// it in hardware falls back to f32 and says so on stderr.
    pub fn choose(name: &str) -> Result<Precision, UnknownPrecision> {
        let precision = match name {
            "auto" => Precision::best(),
            "f32" => Precision::F32,
            "bf16" if has_bf16() => Precision::Bf16,
            "bf16" => {
                eprintln!("this CPU does not compute bf16 (it has no AVX-512-BF16, or GPT1_CPU forbids it): using f32");
                Precision::F32
            }
            _ => return Err(UnknownPrecision(name.to_owned())),
        };
        CHOSEN_BF16.store(precision == Precision::Bf16, Ordering::Relaxed);
        Ok(precision)
    }

    /// Words of a row of K values.
    fn steps(self, k: usize) -> usize {
        match self {
            Precision::F32 => k,
            Precision::Bf16 => k.div_ceil(2),
        }
    }

    /// `f32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }
}

static CHOSEN_BF16: AtomicBool = AtomicBool::new(false);

/// A name that is no precision.
#[derive(Debug, thiserror::Error)]
#[error("--precision {0}: expected auto, f32 or bf16")]
pub struct UnknownPrecision(String);

/// Whether this CPU multiplies bf16 in hardware, by instructions that we use, and [`cpu::level`] allows them.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        cpu::level() == cpu::Level::Avx512 && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Rows and columns of a block of the result, about, which one thread computes.
const BLOCK: (usize, usize) = (224, 768);
/// A product is cut into so many blocks where that leaves at least two panels on a side.
const MIN_BLOCKS: usize = 8;

/// A micro-kernel and its tile.
#[derive(Clone, Copy)]
struct Kernel {
    /// Rows of the tile: the width of A's panels.
    mr: usize,
    /// Columns of the tile: the width of B's panels.
    nr: usize,
    /// Steps of the part of a panel that one pass takes: a panel of B then stays in the first caches.
    pass: usize,
    /// `c[i * ld + j] (+)= sum over steps of a[step * mr + i] * b[step * nr + j]`, for a whole tile.
    run: Run,
}

/// Safety: `c` points to mr rows of nr values, `ld` apart, which nobody else reads or writes meanwhile; the CPU has the
/// kernel's instructions. (A pointer: between the rows lie other threads' tiles.)
type Run = unsafe fn(a: &[u32], b: &[u32], c: *mut f32, ld: usize, accumulate: bool);

/// Values of the largest tile.
const MAX_TILE: usize = 14 * 32;

/// The micro-kernel of a precision on this CPU.
fn kernel(precision: Precision) -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        match precision {
            Precision::Bf16 if has_bf16() => return avx512::BF16,
            Precision::F32 if cpu::level() == cpu::Level::Avx512 => return avx512::F32,
            Precision::F32 if cpu::level() == cpu::Level::Avx2 => return avx2::F32,
            _ => {}
        }
    }
    match precision {
        Precision::F32 => plain::F32,
        Precision::Bf16 => plain::BF16,
    }
}

/// The right operand of products, packed: for several with the same one it is packed once.
pub struct Packed {
    precision: Precision,
    kernel: Kernel,
    /// (K, N)
    dim: (usize, usize),
    words: Buffer,
}

impl Packed {
    /// Packs b: (K, N) with any strides.
    pub fn new(precision: Precision, b: ArrayView2<f32>) -> Packed {
        let kernel = kernel(precision);
        let (k, n) = b.dim();
        let steps = precision.steps(k);
        let mut words = Buffer::take(n.next_multiple_of(kernel.nr) * steps);
        if steps > 0 && n > 0 {
            pack::panels(kernel.nr, precision, b.reversed_axes(), words.words());
        }
        lap("packing");
        Packed { precision, kernel, dim: (k, n), words }
    }

    /// `c = a b`, or `c += a b` with `accumulate`, for a: (M, K) with any strides and c: (M, N) with rows of unit stride.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn product(&self, a: ArrayView2<f32>, accumulate: bool, c: ArrayViewMut2<f32>) {
        let (m, n) = c.dim();
        let Packed { precision, kernel, dim, .. } = *self;
        assert!(a.nrows() == m && dim == (a.ncols(), n), "product: {:?} x {dim:?} into {:?}", a.dim(), c.dim());
        if m == 0 || n == 0 {
            return;
        }
        assert!(n == 1 || c.strides()[1] == 1, "product: the result needs rows of unit stride");
        let steps = precision.steps(a.ncols());
        let mut packed_a = Buffer::take(m.next_multiple_of(kernel.mr) * steps);
        if steps > 0 {
            pack::panels(kernel.mr, precision, a, packed_a.words());
            lap("packing");
        }
        multiply(kernel, steps, packed_a.words(), self.words.as_slice(), accumulate, c);
    }
}

/// `c = a b`, or `c += a b` with `accumulate`, for a: (M, K), b: (K, N) with any strides and c: (M, N) with rows of unit stride.
///
/// # Panics
/// If the sizes do not fit.
pub fn product(precision: Precision, a: ArrayView2<f32>, b: ArrayView2<f32>, accumulate: bool, c: ArrayViewMut2<f32>) {
    Packed::new(precision, b).product(a, accumulate, c);
}

/// The product of packed operands.
fn multiply(kernel: Kernel, steps: usize, a: &[u32], b: &[u32], accumulate: bool, mut c: ArrayViewMut2<f32>) {
    let (m, n) = c.dim();
    let Kernel { mr, nr, pass, .. } = kernel;
    let (rows, cols) = block_size(m, mr, n, nr);
    let mut blocks = Vec::new();
    for (i, row) in c.axis_chunks_iter_mut(Axis(0), rows * mr).enumerate() {
        let mut rest = row;
        let mut j = 0;
        while rest.ncols() > 0 {
            let width = (cols * nr).min(rest.ncols());
            let (block, right) = rest.split_at(Axis(1), width);
            blocks.push((i * rows, j, block));
            rest = right;
            j += cols;
        }
    }
    blocks.into_par_iter().for_each(|(first_a, first_b, mut c)| {
        if steps == 0 && !accumulate {
            c.fill(0.0);
        }
        let (rows, cols) = c.dim();
        let (first, ld) = (c.as_mut_ptr(), c.strides()[0].unsigned_abs());
        for start in (0..steps).step_by(pass) {
            let taken = start..(start + pass).min(steps);
            for j in 0..cols.div_ceil(nr) {
                let b = part(b, first_b + j, nr, steps, &taken);
                let n_cols = nr.min(cols - j * nr);
                for i in 0..rows.div_ceil(mr) {
                    let a = part(a, first_a + i, mr, steps, &taken);
                    let n_rows = mr.min(rows - i * mr);
                    // SAFETY: the tile lies in this block, which is borrowed for writing and has rows of unit stride;
                    // `kernel()` chose what this CPU has.
                    unsafe {
                        let c = first.add(i * mr * ld + j * nr);
                        tile(kernel, a, b, c, ld, (n_rows, n_cols), accumulate || start > 0);
                    }
                }
            }
        }
    });
}

/// Some steps of a panel.
fn part<'a>(words: &'a [u32], panel: usize, width: usize, steps: usize, taken: &std::ops::Range<usize>) -> &'a [u32] {
    let at = panel * steps * width;
    &words[at + taken.start * width..at + taken.end * width]
}

/// One tile of (rows, columns); at the right and lower edges by way of a whole one.
///
/// # Safety
/// c: so many rows of so many values, `ld` apart, which nobody else reads or writes meanwhile; the CPU has the kernel's
/// instructions.
unsafe fn tile(
    kernel: Kernel,
    a: &[u32],
    b: &[u32],
    c: *mut f32,
    ld: usize,
    (rows, cols): (usize, usize),
    accumulate: bool,
) {
    let Kernel { mr, nr, run, .. } = kernel;
    if (rows, cols) == (mr, nr) {
        // SAFETY: c is a whole tile.
        unsafe { run(a, b, c, ld, accumulate) };
        return;
    }
    let mut whole = [0.0; MAX_TILE];
    // SAFETY: `whole` holds a tile of any kernel.
    unsafe { run(a, b, whole.as_mut_ptr(), nr, false) };
    for (i, values) in whole.chunks_exact(nr).take(rows).enumerate() {
        // SAFETY: row i of c.
        let row = unsafe { std::slice::from_raw_parts_mut(c.add(i * ld), cols) };
        for (c, v) in row.iter_mut().zip(values) {
            *c = if accumulate { *c + v } else { *v };
        }
    }
}

/// Panels in a block, of A and of B, from the sizes of the product and of the tile alone.
fn block_size(m: usize, mr: usize, n: usize, nr: usize) -> (usize, usize) {
    let even = |panels: usize, limit: usize| panels.div_ceil(panels.div_ceil(limit));
    let (m, n) = (m.div_ceil(mr), n.div_ceil(nr));
    let (mut rows, mut cols) = (even(m, BLOCK.0 / mr), even(n, BLOCK.1 / nr));
    while m.div_ceil(rows) * n.div_ceil(cols) < MIN_BLOCKS && rows.max(cols) > 2 {
        if rows * mr >= cols * nr {
            rows = rows.div_ceil(2);
        } else {
            cols = cols.div_ceil(2);
        }
    }
    (rows, cols)
}

/// Words on a 64-byte boundary, from memory that is kept between products: fresh pages cost more than the packing.
struct Buffer {
    memory: Vec<u32>,
    start: usize,
    length: usize,
}

static KEPT: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());

impl Buffer {
    fn take(length: usize) -> Buffer {
        const LINE: usize = 16;
        // The smallest that is large enough, else the largest, to grow.
        let mut memory = match KEPT.lock() {
            Ok(mut kept) if !kept.is_empty() => {
                let at = kept.iter().position(|memory| memory.len() >= length + LINE).unwrap_or(kept.len() - 1);
                kept.remove(at)
            }
            _ => Vec::new(),
        };
        if memory.len() < length + LINE {
            memory.resize(length + LINE, 0);
        }
        let start = memory.as_ptr().align_offset(64).min(LINE);
        Buffer { memory, start, length }
    }

    fn words(&mut self) -> &mut [u32] {
        &mut self.memory[self.start..self.start + self.length]
    }

    fn as_slice(&self) -> &[u32] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl Drop for Buffer {
    /// Keeps the memory for the next product.
    fn drop(&mut self) {
        if let Ok(mut kept) = KEPT.lock() {
            kept.push(std::mem::take(&mut self.memory));
            kept.sort_by_key(Vec::len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Level, force};
    use ndarray::Array2;
    use proptest::prelude::*;

    fn matrix(rows: usize, cols: usize, seed: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, cols), |(i, j)| {
            (((i * cols + j + seed) * 2_654_435_761) % 20_011) as f32 / 10_000.0 - 1.0
        })
    }

    fn round(precision: Precision, x: f32) -> f64 {
        f64::from(match precision {
            Precision::F32 => x,
            Precision::Bf16 => f32::from_bits(pack::bf16(x) << 16),
        })
    }

    /// Largest difference from the plain product of the rounded operands, over the product's size.
    fn error(precision: Precision, a: ArrayView2<f32>, b: ArrayView2<f32>, accumulate: bool) -> f64 {
        let mut c = Array2::from_elem((a.nrows(), b.ncols()), 0.5);
        product(precision, a, b, accumulate, c.view_mut());
        let mut worst = 0.0_f64;
        for ((i, j), c) in c.indexed_iter() {
            let sum: f64 = (0..a.ncols()).map(|k| round(precision, a[[i, k]]) * round(precision, b[[k, j]])).sum();
            let wanted = if accumulate { sum + 0.5 } else { sum };
            worst = worst.max((wanted - f64::from(*c)).abs());
        }
        worst / (1.0 + a.ncols() as f64).sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_path_is_the_plain_product(m in 0_usize..70, k in 0_usize..90, n in 0_usize..110, accumulate: bool, level in 1..4) {
            let level = [Level::Plain, Level::Plain, Level::Avx2, Level::Avx512][level as usize];
            force(level);
            let (a, b) = (matrix(m, k, 1), matrix(k, n, 2));
            let (at, bt) = (matrix(k, m, 3), matrix(n, k, 4));
            for precision in [Precision::F32, Precision::Bf16] {
                prop_assert!(error(precision, a.view(), b.view(), accumulate) < 1e-5);
                prop_assert!(error(precision, at.t(), bt.t(), accumulate) < 1e-5);
            }
            force(Level::Avx512);
        }
    }

    #[test]
    fn long_inner_sizes_take_several_passes() {
        for k in [255, 256, 257, 1537, 4100] {
            let (a, b) = (matrix(30, k, 1), matrix(k, 70, 2));
            for precision in [Precision::F32, Precision::Bf16] {
                assert!(error(precision, a.view(), b.view(), true) < 1e-5, "{precision:?} {k}");
            }
        }
    }

    #[test]
    fn blocks_cover_and_are_many() {
        for (mr, nr) in [(14, 32), (6, 16)] {
            for m in 1..80 {
                for n in 1..80 {
                    let (rows, cols) = block_size(m * mr, mr, n * nr, nr);
                    assert!(rows >= 1 && cols >= 1 && rows * mr <= BLOCK.0 && cols * nr <= BLOCK.1);
                    let n_blocks = m.div_ceil(rows) * n.div_ceil(cols);
                    assert!(m * n < 64 || n_blocks >= MIN_BLOCKS, "{m} {n}: {rows} {cols}");
                }
            }
        }
    }

    #[test]
    fn same_bits_for_any_number_of_threads() {
        let (a, b) = (matrix(300, 700, 1), matrix(700, 500, 2));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = Array2::zeros((300, 500));
            pool.install(|| product(Precision::best(), a.view(), b.view(), false, c.view_mut()));
            c
        };
        assert_eq!(run(1), run(3));
    }
}
