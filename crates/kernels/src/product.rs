//! Matrix products of our own: both operands are packed into panels, and a micro-kernel keeps a tile of the result in
//! registers while it runs along the inner size.
//!
//! A panel holds `W` rows of A (or columns of B) as 32-bit words, the `W` words of one step along the inner size side by
//! side: `[steps][W]`. In f32 a word is one value and a step is one k; in bf16 a word is the pair (k, k + 1), the lower half
//! first, as the CPU's dot-product instruction wants it. So the driver below is the same for every precision and CPU, and
//! only the micro-kernels differ. (Tile registers want 16 steps of a row of A side by side: [`pack::Layout`].)

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod plain;

pub(crate) use pack::bf16;

use crate::cpu;
use crate::element::Element;
use crate::profile::lap;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use std::cell::RefCell;
use std::io::Write as _;
use std::marker::PhantomData;
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
    /// The faster one for products on this CPU: AVX-512-BF16 has twice the rate of f32 on AMD's CPUs, two thirds of it on Intel's
    /// that have no AMX (LOG.md). What the CPU is decides, and not a trial: the same command is to give the same bytes.
    pub fn best() -> Precision {
        if has_bf16() && (cpu::level() == cpu::Level::Amx || !cpu::is_intel()) {
            Precision::Bf16
        } else {
            Precision::F32
        }
    }

    /// What dense products of this process are rounded to: f32 until [`Precision::choose`] says otherwise.
    pub fn chosen() -> Precision {
        if CHOSEN_BF16.load(Ordering::Relaxed) { Precision::Bf16 } else { Precision::F32 }
    }

    /// What matrices are kept in that only rows are multiplied with (sampling): `f32`, `bf16`, which any CPU can read, or
    /// `auto`, bf16 where the CPU computes it: half the bytes are read, which is all that takes time there.
    pub fn of_weights(name: &str) -> Result<Precision, UnknownPrecision> {
        Precision::named(name, if has_bf16() { Precision::Bf16 } else { Precision::F32 })
    }

    fn named(name: &str, auto: Precision) -> Result<Precision, UnknownPrecision> {
        match name {
            "auto" => Ok(auto),
            "f32" => Ok(Precision::F32),
            "bf16" => Ok(Precision::Bf16),
            _ => Err(UnknownPrecision(name.to_owned())),
        }
    }

    /// Sets what [`Precision::chosen`] returns: `f32`, `bf16`, or `auto`, [`Precision::best`]. `bf16` on a CPU without
    /// it in hardware falls back to f32 and says so on stderr.
    pub fn choose(name: &str) -> Result<Precision, UnknownPrecision> {
        let precision = match Precision::named(name, Precision::best())? {
            Precision::Bf16 if !has_bf16() => {
                // A stderr that cannot be written is no reason to panic.
                _ = writeln!(
                    std::io::stderr(),
                    "this CPU does not compute bf16 (it has neither AMX nor AVX-512-BF16, or GPT1_CPU forbids it): using f32"
                );
                Precision::F32
            }
            precision => precision,
        };
        log::info!("precision {}, asked for {name}", precision.name());
        CHOSEN_BF16.store(precision == Precision::Bf16, Ordering::Relaxed);
        Ok(precision)
    }

    /// Words that hold a row of K values.
    fn steps(self, k: usize) -> usize {
        k.div_ceil(self.values_of_word())
    }

    fn values_of_word(self) -> usize {
        match self {
            Precision::F32 => 1,
            Precision::Bf16 => 2,
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
        match cpu::level() {
            cpu::Level::Amx => true,
            cpu::Level::Avx512 => is_x86_feature_detected!("avx512bf16"),
            _ => false,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Rows of a block of the result, at most, which one thread computes.
const BLOCK_ROWS: usize = 224;
/// Words of a block's rows of A that are packed at once, about: they stay in the second cache while B's panels go by.
const BLOCK_WORDS: usize = 224 * 768;
/// Words of B that a block reads at once, at most: they stay in the cache that all threads share.
const SHARED_WORDS: usize = 1 << 21;
/// Time to pack a value of A, over that to read one of B.
const PACKING: usize = 3;
/// Words from a row of A to the next, at most, where A is not packed: a tile's rows have to find room beside each other in the
/// first cache.
const IN_PLACE_STRIDE: usize = 512;
/// A product is cut into so many blocks, or into blocks of `SMALL_BLOCK` rows and columns.
const MIN_BLOCKS: usize = 8;
const SMALL_BLOCK: (usize, usize) = (64, 192);

/// A micro-kernel and its tile.
#[derive(Debug, Clone, Copy)]
struct Kernel {
    /// Rows of the tile: the width of A's panels.
    mr: usize,
    /// Columns of the tile: the width of B's panels.
    nr: usize,
    /// Steps of a row of A that lie side by side; the steps of both operands are filled up with zeros to a multiple.
    group: usize,
    /// Steps of the part of a panel that one pass takes, a multiple of the group: a panel of B then stays in the first caches.
    pass: usize,
    /// `c[i * nr + j] (+)= sum over steps of a[step * mr + i] * b[step * nr + j]`, for a whole tile.
    run: Run,
    /// Called by a thread before and after its tiles.
    around: Option<Around>,
}

type Around = (fn(), fn());

/// `ahead` is what is asked for meanwhile, a line for every [`AHEAD_STEPS`] steps, where the micro-kernel does so; any address will do.
///
/// Safety: the CPU has the kernel's instructions, and `around` has been called; of `a`, the tile's rows can be read for as many
/// steps as `b` has.
type Run = unsafe fn(a: Rows, b: &[u32], ahead: *const u32, c: &mut [f32], accumulate: bool);

/// The rows of A in a tile: the words of row i in step s (in group of steps s, where the kernel has groups) are at
/// `at + i * row + s * step`.
#[derive(Debug, Clone, Copy)]
struct Rows {
    at: *const u32,
    row: usize,
    step: usize,
}

/// Words of a line of the caches.
const LINE: usize = 16;
/// A micro-kernel asks for one line of `ahead` in so many steps.
const AHEAD_STEPS: usize = 4;

/// Columns of the widest tile.
const MAX_COLS: usize = 32;

/// The columns of one panel of B in a block of the result. Tiles are summed here, where they lie in the first caches line after
/// line, and not in the result, whose rows are pages apart.
#[repr(align(64))]
struct Strip([f32; BLOCK_ROWS * MAX_COLS]);

thread_local! {
    static STRIP: RefCell<Strip> = const { RefCell::new(Strip([0.0; BLOCK_ROWS * MAX_COLS])) };
}

/// How a strip goes into the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    /// By stores around the caches where the CPU has them: nobody reads it soon, and its old values need not be fetched.
    Stream,
    Store,
    /// Added to what is there.
    Add,
}

impl Write {
    /// A result of so many bytes is beyond the second cache.
    const STREAM_FROM: usize = 4 << 20;

    fn new(accumulate: bool, n_bytes: usize) -> Write {
        match (accumulate, n_bytes >= Write::STREAM_FROM) {
            (true, _) => Write::Add,
            (false, true) => Write::Stream,
            (false, false) => Write::Store,
        }
    }
}

impl Kernel {
    fn steps(&self, precision: Precision, k: usize) -> usize {
        precision.steps(k).next_multiple_of(self.group)
    }

    /// Does some work of one thread in which there are tiles.
    fn session<T>(&self, work: impl FnOnce() -> T) -> T {
        if let Some((enter, _)) = self.around {
            enter();
        }
        let result = work();
        if let Some((_, leave)) = self.around {
            leave();
        }
        result
    }

    fn left(&self) -> pack::Layout {
        pack::Layout { width: self.mr, group: self.group }
    }

    fn right(&self) -> pack::Layout {
        pack::Layout { width: self.nr, group: 1 }
    }
}

/// The micro-kernel of a precision on this CPU.
fn kernel(precision: Precision) -> Kernel {
    #[cfg(target_arch = "x86_64")]
    {
        let level = cpu::level();
        match precision {
            Precision::Bf16 if level == cpu::Level::Amx => return amx::BF16,
            Precision::Bf16 if has_bf16() => return avx512::BF16,
            Precision::F32 if level >= cpu::Level::Avx512 => return avx512::F32,
            Precision::F32 if level == cpu::Level::Avx2 => return avx2::F32,
            _ => {}
        }
    }
    match precision {
        Precision::F32 => plain::F32,
        Precision::Bf16 => plain::BF16,
    }
}

/// A packed operand: panels of so many steps.
#[derive(Debug)]
struct Panels {
    steps: usize,
    words: Buffer,
}

impl Panels {
    /// Room for the panels of `n` rows (or columns), not yet filled.
    fn room(layout: pack::Layout, n: usize, steps: usize) -> Panels {
        Panels { steps, words: Buffer::take(n.next_multiple_of(layout.width) * steps) }
    }

    /// The steps from `start` of panel `i`, `n` of them, in panels of that width.
    fn part(&self, width: usize, i: usize, start: usize, n: usize) -> &[u32] {
        let at = i * self.steps * width + start * width;
        &self.words.as_slice()[at..at + n * width]
    }
}

/// The right operand of products, packed: for several with the same one it is packed once.
#[derive(Debug)]
pub struct Packed {
    precision: Precision,
    kernel: Kernel,
    /// (K, N)
    dim: (usize, usize),
    panels: Panels,
}

impl Packed {
    /// Packs b: (K, N) with any strides.
    pub fn new(precision: Precision, b: ArrayView2<impl Element>) -> Packed {
        Packed::with(kernel(precision), precision, b)
    }

    fn with(kernel: Kernel, precision: Precision, b: ArrayView2<impl Element>) -> Packed {
        let (k, n) = b.dim();
        let mut panels = Panels::room(kernel.right(), n, kernel.steps(precision, k));
        pack::panels(kernel.right(), precision, b.reversed_axes(), panels.words.words());
        lap("packing");
        Packed { precision, kernel, dim: (k, n), panels }
    }

    /// `c = a b`, or `c += a b` with `accumulate`, for a: (M, K) with any strides and c: (M, N) with rows of unit stride.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn product<C: Element>(&self, a: ArrayView2<impl Element>, accumulate: bool, c: ArrayViewMut2<C>) {
        self.product_and_bias(a, accumulate, &[], c);
    }

    /// As [`Packed::product`], and to every row of c `bias` (N) is added; none if it is empty.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn product_and_bias<C: Element>(
        &self,
        a: ArrayView2<impl Element>,
        accumulate: bool,
        bias: &[f32],
        c: ArrayViewMut2<C>,
    ) {
        let (m, n) = c.dim();
        let Packed { precision, kernel, dim, .. } = *self;
        assert!(a.nrows() == m && dim == (a.ncols(), n), "product: {:?} x {dim:?} into {:?}", a.dim(), c.dim());
        assert!(bias.is_empty() || bias.len() == n, "product: a bias of {} for {n} columns", bias.len());
        if m == 0 || n == 0 {
            return;
        }
        let (rows, cols) = block_size(m, kernel.mr, n, kernel.nr, self.panels.steps);
        // Columns of blocks one after the other, so that threads find their panels of B in the cache that they share.
        let mut blocks = Vec::new();
        for (j, columns) in cut(c, Axis(1), cols * kernel.nr).into_iter().enumerate() {
            for (i, block) in cut(columns, Axis(0), rows * kernel.mr).into_iter().enumerate() {
                blocks.push((i * rows * kernel.mr, j * cols, block));
            }
        }
        // Each thread packs the rows that it computes, as many values as its cache holds: a word is packed once for each
        // block beside another, which costs less than the way through memory. Sums that are rounded are made at once.
        let chunk = chunk_steps(rows * kernel.mr).next_multiple_of(kernel.group);
        let chunk = if C::PRECISION == Precision::F32 { chunk } else { self.panels.steps.max(chunk) };
        let chunk_k = chunk * precision.values_of_word();
        // What is added to by the next rows of B is better left in the caches.
        let first = Write::new(accumulate, if a.ncols() > chunk_k { 0 } else { m * n * size_of::<C>() });
        blocks.into_par_iter().for_each(|(row, j, mut c)| {
            let a = a.slice(s![row..row + c.nrows(), ..]);
            let bias = if bias.is_empty() { bias } else { &bias[j * kernel.nr..][..c.ncols()] };
            kernel.session(|| {
                for i in 0..a.ncols().div_ceil(chunk_k).max(1) {
                    let a = a.slice(s![.., i * chunk_k..((i + 1) * chunk_k).min(a.ncols())]);
                    let here = Here { precision, kernel };
                    let (write, bias) = if i > 0 { (Write::Add, &[][..]) } else { (first, bias) };
                    block(kernel, &here.left(a), (&self.panels, j, i * chunk), (write, bias), c.view_mut());
                }
            });
        });
    }
}

/// `c = a b`, or `c += a b` with `accumulate`, for a: (M, K), b: (K, N) with any strides and c: (M, N) with rows of unit stride.
///
/// # Panics
/// If the sizes do not fit.
pub fn product(
    precision: Precision,
    a: ArrayView2<impl Element>,
    b: ArrayView2<impl Element>,
    accumulate: bool,
    c: ArrayViewMut2<impl Element>,
) {
    Packed::new(precision, b).product(a, accumulate, c);
}

/// Products of small matrices on the calling thread, whose operands are packed one by one: attention's. They are made inside
/// of [`Here::session`].
#[derive(Clone, Copy)]
pub(crate) struct Here {
    precision: Precision,
    kernel: Kernel,
}

/// An operand of [`Here`] on the right.
pub(crate) struct Right(Panels);

/// An operand on the left: what a micro-kernel can read as it lies in memory is not packed.
pub(crate) struct Left<'a> {
    /// From the first row on.
    in_place: Rows,
    /// Panels that are read there.
    n_in_place: usize,
    /// Those after them.
    packed: Panels,
    a: PhantomData<&'a ()>,
}

impl Left<'_> {
    /// The steps from `start` of panel `i`, `n` of them.
    fn rows(&self, kernel: &Kernel, i: usize, start: usize, n: usize) -> Rows {
        let Rows { at, row, step } = self.in_place;
        if i < self.n_in_place {
            return Rows { at: at.wrapping_add(i * kernel.mr * row + start), row, step };
        }
        let at = self.packed.part(kernel.mr, i - self.n_in_place, start, n).as_ptr();
        Rows { at, row: kernel.group, step: kernel.mr * kernel.group }
    }
}

impl Here {
    /// Products of that precision.
    pub(crate) fn new(precision: Precision) -> Here {
        Here { precision, kernel: kernel(precision) }
    }

    /// Does the work of this thread in which there are products.
    pub(crate) fn session<T>(&self, work: impl FnOnce() -> T) -> T {
        self.kernel.session(work)
    }

    /// As many rows as fill tiles, at most `n` where that fills any.
    pub(crate) fn whole_tiles(&self, n: usize) -> usize {
        (n / self.kernel.mr).max(1) * self.kernel.mr
    }

    /// Columns of the tiles that `n` columns need. The product's columns beyond N are zero.
    pub(crate) fn whole_columns(&self, n: usize) -> usize {
        n.next_multiple_of(self.kernel.nr)
    }

    /// a: (M, K), packed where it must be.
    pub(crate) fn left<'a, E: Element>(&self, a: ArrayView2<'a, E>) -> Left<'a> {
        let Here { precision, kernel } = *self;
        let (values, stride) = (precision.values_of_word(), a.strides()[0]);
        // Of rows of whole words (and groups of them), those that fill a tile.
        let is_whole = E::PRECISION == precision
            && a.ncols().is_multiple_of(values * kernel.group)
            && a.strides()[1] == 1
            && stride >= 0
            && stride.unsigned_abs().is_multiple_of(values)
            && stride.unsigned_abs() <= IN_PLACE_STRIDE * values;
        let in_place = Rows { at: a.as_ptr().cast(), row: stride.unsigned_abs() / values, step: kernel.group };
        let n_in_place = if is_whole { a.nrows() / kernel.mr } else { 0 };
        let packed = self.pack(kernel.left(), a.slice_move(s![n_in_place * kernel.mr.., ..]));
        Left { in_place, n_in_place, packed, a: PhantomData }
    }

    /// Packs b: (K, N).
    pub(crate) fn right(&self, b: ArrayView2<impl Element>) -> Right {
        Right(self.pack(self.kernel.right(), b.reversed_axes()))
    }

    fn pack(&self, layout: pack::Layout, x: ArrayView2<impl Element>) -> Panels {
        let mut panels = Panels::room(layout, x.nrows(), self.kernel.steps(self.precision, x.ncols()));
        pack::panels_here(layout, self.precision, x, panels.words.words());
        panels
    }

    /// `c (+)= a b` for a: (M, K), b: (K', N') and c: (M, N), where K <= K' and N <= N': of b, the first K rows and N columns
    /// are meant. Where the last step of `a` has values beyond K, they are zero, and those of `b` are finite.
    pub(crate) fn product(&self, a: &Left, b: &Right, accumulate: bool, c: ArrayViewMut2<impl Element>) {
        block(self.kernel, a, (&b.0, 0, 0), (Write::new(accumulate, 0), &[]), c);
    }
}

/// A block of the result from all panels of a, and the panels and steps of b from the given ones on, as many as c has columns
/// and a has steps; to its rows `bias` is added, unless it is empty. Called inside of [`Kernel::session`].
fn block<C: Element>(
    kernel: Kernel,
    a: &Left,
    (b, first_panel, first_step): (&Panels, usize, usize),
    (write, bias): (Write, &[f32]),
    mut c: ArrayViewMut2<C>,
) {
    let Kernel { mr, nr, pass, run, .. } = kernel;
    let (rows, cols) = c.dim();
    assert!(cols <= 1 || c.strides()[1] == 1, "product: the result needs rows of unit stride");
    assert!(rows <= 1 || c.strides()[0] >= 0, "product: the rows of the result go forward");
    let (to, ld) = (c.as_mut_ptr(), c.strides()[0].unsigned_abs());
    STRIP.with_borrow_mut(|Strip(strip)| {
        let (high, asks_ahead) = (BLOCK_ROWS / mr, cpu::is_intel());
        let steps = a.packed.steps;
        if steps == 0 {
            strip.fill(0.0);
        }
        for first in (0..rows.div_ceil(mr)).step_by(high) {
            let n_panels = high.min(rows.div_ceil(mr) - first);
            for j in 0..cols.div_ceil(nr) {
                for start in (0..steps).step_by(pass) {
                    let n = pass.min(steps - start);
                    let here = b.part(nr, first_panel + j, first_step + start, n);
                    // What comes next is this panel's next pass or the next panel's first one. CPUs that were not seen to wait for it
                    // ask for what they have.
                    let skipped = if start + n < steps { 0 } else { b.steps - steps };
                    let next = here.as_ptr().wrapping_add(if asks_ahead { (n + skipped) * nr } else { 0 });
                    let (n_lines, per_tile) = (n * nr / LINE, n / AHEAD_STEPS);
                    for (i, tile) in strip.chunks_exact_mut(mr * nr).take(n_panels).enumerate() {
                        if write == Write::Add && start == 0 {
                            // The old values come meanwhile.
                            let rows = (first + i) * mr..((first + i + 1) * mr).min(rows);
                            rows.for_each(|row| prefetch(to.wrapping_add(row * ld + j * nr), nr));
                        }
                        let ahead = next.wrapping_add(i * per_tile % n_lines * LINE);
                        // SAFETY: `kernel()` chose what this CPU has, and `around` has been called; `n` steps of A are left.
                        unsafe { run(a.rows(&kernel, first + i, start, n), here, ahead, tile, start > 0) };
                    }
                }
                let (row, col) = (first * mr, j * nr);
                let dim = ((n_panels * mr).min(rows - row), nr.min(cols - col));
                let bias = if bias.is_empty() { bias } else { &bias[col..col + dim.1] };
                // SAFETY: these rows and columns lie in the block, which is borrowed for writing and has rows of unit stride.
                unsafe { write_strip(strip, nr, to.add(row * ld + col), ld, dim, write, bias) };
            }
        }
    });
}

/// Asks for `n` values that will be read.
#[inline(always)]
#[allow(clippy::inline_always, reason = "one instruction a line, in loops")]
pub(crate) fn prefetch<T>(at: *const T, n: usize) {
    for at in (0..n).step_by(64 / size_of::<T>()).map(|i| at.wrapping_add(i)) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing that a program could see, wherever it points.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// Writes the first rows and columns of a strip, whose rows are `nr` long, with `bias` added to each unless it is empty.
///
/// # Safety
/// c: so many rows of so many values, `ld` apart, which nobody else reads or writes meanwhile.
unsafe fn write_strip<C: Element>(
    strip: &[f32],
    nr: usize,
    c: *mut C,
    ld: usize,
    (rows, cols): (usize, usize),
    write: Write,
    bias: &[f32],
) {
    assert!(cols <= nr && rows * nr <= strip.len() && (bias.is_empty() || bias.len() == cols));
    #[cfg(target_arch = "x86_64")]
    if nr == avx512::NR && cpu::level() >= cpu::Level::Avx512 {
        if C::PRECISION == Precision::F32 {
            // SAFETY: the CPU has AVX-512; the caller's promise; `strip` holds so many rows of NR values, as was just seen, and `bias`
            // so many values.
            return unsafe { avx512::write_f32(strip, c.cast(), ld, (rows, cols), write, bias) };
        }
        if write != Write::Add && crate::element::converts() {
            // SAFETY: as above, and the CPU has AVX-512-BF16; the values are of 16 bits.
            return unsafe { avx512::write_bf16(strip, c.cast(), ld, (rows, cols), write, bias) };
        }
    }
    for (i, values) in strip.chunks_exact(nr).take(rows).enumerate() {
        // SAFETY: row i of c.
        let row = unsafe { std::slice::from_raw_parts_mut(c.add(i * ld), cols) };
        for (j, (c, v)) in row.iter_mut().zip(values).enumerate() {
            let v = v + bias.get(j).unwrap_or(&0.0);
            *c = C::new(if write == Write::Add { c.get() + v } else { v });
        }
    }
}

/// Steps of so many rows of A that are packed at once.
fn chunk_steps(rows: usize) -> usize {
    BLOCK_WORDS / rows
}

/// Panels in a block, of A and of B, from the sizes of the product and of the tile alone; B has so many steps.
fn block_size(m: usize, mr: usize, n: usize, nr: usize, steps: usize) -> (usize, usize) {
    let even = |panels: usize, limit: usize| panels.div_ceil(panels.div_ceil(limit.max(1)));
    let (m, n) = (m.div_ceil(mr), n.div_ceil(nr));
    let mut rows = even(m, BLOCK_ROWS / mr);
    let mut cols = even(n, SHARED_WORDS / (nr * steps.clamp(1, chunk_steps(rows * mr))));
    loop {
        let (n_rows, n_cols) = (m.div_ceil(rows), n.div_ceil(cols));
        if n_rows * n_cols >= MIN_BLOCKS {
            break;
        }
        // Halves of rows read B once more for each block of rows, halves of columns pack A once more, which takes longer.
        let rows_are_cheaper = n_rows * n * nr <= PACKING * n_cols * m * mr;
        let (high, wide) = (rows * mr > SMALL_BLOCK.0, cols * nr > SMALL_BLOCK.1);
        if high && (rows_are_cheaper || !wide) {
            rows = rows.div_ceil(2);
        } else if wide {
            cols = cols.div_ceil(2);
        } else {
            break;
        }
    }
    (rows, cols)
}

/// A matrix in parts of so many rows or columns.
pub(crate) fn cut<C>(mut c: ArrayViewMut2<'_, C>, axis: Axis, size: usize) -> Vec<ArrayViewMut2<'_, C>> {
    let mut parts = Vec::new();
    while c.len_of(axis) > size {
        let (part, rest) = c.split_at(axis, size);
        parts.push(part);
        c = rest;
    }
    parts.push(c);
    parts
}

/// Words on a 64-byte boundary, from memory that is kept between products: fresh pages cost more than the packing.
#[derive(Debug)]
struct Buffer {
    memory: Vec<u32>,
    start: usize,
    length: usize,
}

/// Large buffers of all threads.
static KEPT: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());

thread_local! {
    /// Those of up to `OWN_WORDS`, which a thread takes and gives back in the same piece of work.
    static OWN: RefCell<Vec<Vec<u32>>> = const { RefCell::new(Vec::new()) };
}

impl Buffer {
    const OWN_WORDS: usize = 1 << 18;

    fn take(length: usize) -> Buffer {
        let size = length + LINE;
        // The smallest that is large enough, else the largest, to grow.
        let choose = |kept: &mut Vec<Vec<u32>>| {
            let at = kept.partition_point(|memory| memory.len() < size).min(kept.len().checked_sub(1)?);
            Some(kept.remove(at))
        };
        let kept = if length > Buffer::OWN_WORDS {
            KEPT.lock().ok().and_then(|mut kept| choose(&mut kept))
        } else {
            OWN.with_borrow_mut(choose)
        };
        let mut memory = kept.unwrap_or_default();
        if memory.len() < size {
            memory.resize(size, 0);
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
    /// Keeps the memory for the next product, in order of size.
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let keep = |kept: &mut Vec<Vec<u32>>| {
            kept.insert(kept.partition_point(|other| other.len() < memory.len()), memory);
        };
        if self.length > Buffer::OWN_WORDS {
            if let Ok(mut kept) = KEPT.lock() {
                keep(&mut kept);
            }
        } else {
            // A thread that ends keeps nothing.
            _ = OWN.try_with(|own| keep(&mut own.borrow_mut()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Level, force};
    use crate::element::Bf16;
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
            Precision::Bf16 => f32::from_bits(bf16(x) << 16),
        })
    }

    /// Largest difference from the plain product of the rounded operands, over the product's size.
    fn error(precision: Precision, a: ArrayView2<impl Element>, b: ArrayView2<impl Element>, accumulate: bool) -> f64 {
        kernel_error(kernel(precision), precision, a, b, accumulate)
    }

    fn kernel_error(
        kernel: Kernel,
        precision: Precision,
        a: ArrayView2<impl Element>,
        b: ArrayView2<impl Element>,
        accumulate: bool,
    ) -> f64 {
        let mut c = Array2::from_elem((a.nrows(), b.ncols()), 0.5);
        Packed::with(kernel, precision, b).product(a, accumulate, c.view_mut());
        let mut worst = 0.0_f64;
        for ((i, j), c) in c.indexed_iter() {
            let sum: f64 =
                (0..a.ncols()).map(|k| round(precision, a[[i, k]].get()) * round(precision, b[[k, j]].get())).sum();
            let wanted = if accumulate { sum + 0.5 } else { sum };
            worst = worst.max((wanted - f64::from(*c)).abs());
        }
        worst / (1.0 + a.ncols() as f64).sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_path_is_the_plain_product(m in 0_usize..70, k in 0_usize..90, n in 0_usize..110, accumulate: bool, level in 0..4) {
            let _alone = cpu::alone();
            let level = [Level::Plain, Level::Avx2, Level::Avx512, Level::Amx][level as usize];
            force(level);
            let (a, b) = (matrix(m, k, 1), matrix(k, n, 2));
            let (at, bt) = (matrix(k, m, 3), matrix(n, k, 4));
            for precision in [Precision::F32, Precision::Bf16] {
                prop_assert!(error(precision, a.view(), b.view(), accumulate) < 1e-5);
                prop_assert!(error(precision, at.t(), bt.t(), accumulate) < 1e-5);
            }
            let rounded = |x: &Array2<f32>| x.mapv(Bf16::new);
            prop_assert!(error(Precision::Bf16, rounded(&a).view(), rounded(&b).view(), accumulate) < 1e-5);
            prop_assert!(error(Precision::Bf16, rounded(&at).t(), rounded(&bt).t(), accumulate) < 1e-5);
            force(Level::Amx);
        }

        /// Rows that are read where they lie, from any column on, and the same rows packed.
        #[test]
        fn rows_in_place_are_the_packed_ones(
            m in 0_usize..70, k in 0_usize..100, n in 0_usize..70, skipped in 0_usize..40, more in 0_usize..1100, level in 0..4,
        ) {
            let _alone = cpu::alone();
            force([Level::Plain, Level::Avx2, Level::Avx512, Level::Amx][level as usize]);
            let (whole, b) = (matrix(m, skipped + k + more, 1), matrix(k, n, 2));
            let columns = s![.., skipped..skipped + k];
            fn same<E: Element>(precision: Precision, a: ArrayView2<E>, b: &Array2<f32>) -> Result<(), TestCaseError> {
                let packed = Packed::new(precision, b.view());
                let [mut c, mut wanted] = [(); 2].map(|()| Array2::<f32>::zeros((a.nrows(), b.ncols())));
                packed.product(a, false, c.view_mut());
                // A copy whose columns are contiguous must be packed.
                let across = a.t().as_standard_layout().into_owned();
                packed.product(across.t(), false, wanted.view_mut());
                prop_assert_eq!(c, wanted);
                Ok(())
            }
            same(Precision::F32, whole.slice(columns), &b)?;
            same(Precision::Bf16, whole.mapv(Bf16::new).slice(columns), &b)?;
            force(Level::Amx);
        }
    }

    fn write_and_look<C: Element>(
        level: Level,
        write: Write,
        (skipped, ld): (usize, usize),
        (rows, cols): (usize, usize),
        bias: &[f32],
    ) -> Result<(), TestCaseError> {
        // Few bits each, so that bf16 holds every sum.
        let strip: Vec<f32> = (0..60 * 32).map(|i| (i % 61) as f32).collect();
        let mut buffer = Buffer::take(skipped + 60 * 96);
        let values: &mut [C] = &mut bytemuck::cast_slice_mut(buffer.words())[..skipped + 60 * 96];
        values.fill(C::new(0.5));
        force(level);
        // SAFETY: the last row ends before skipped + 60 * 96.
        unsafe { write_strip(&strip, 32, values.as_mut_ptr().add(skipped), ld, (rows, cols), write, bias) };
        for (at, value) in values.iter().enumerate() {
            let inside = at >= skipped && ld > 0 && (at - skipped) / ld < rows && (at - skipped) % ld < cols;
            let mut wanted = 0.5;
            if inside {
                let (row, col) = ((at - skipped) / ld, (at - skipped) % ld);
                let before = if write == Write::Add { 0.5 } else { 0.0 };
                wanted = before + strip[row * 32 + col] + bias.get(col).unwrap_or(&0.0);
            }
            prop_assert_eq!(value.get(), wanted, "{:?} {}", level, at);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_way_into_the_result(
            (rows, cols) in (0_usize..60, 0_usize..=32),
            (skipped, more) in (0_usize..40, 0_usize..40),
            lines: bool,
            has_bias: bool,
            which in 0_usize..3,
        ) {
            let _alone = cpu::alone();
            // Where rows begin with lines of the cache, and where they do not.
            let line = if lines { 32 } else { 1 };
            let (skipped, ld) = (skipped / line * line, (cols + more).next_multiple_of(line));
            let write = [Write::Stream, Write::Store, Write::Add][which];
            let bias: Vec<f32> = (0..cols).map(|i| i as f32).collect();
            let bias = if has_bias { &bias[..] } else { &[] };
            for level in [Level::Plain, Level::Avx512] {
                write_and_look::<f32>(level, write, (skipped, ld), (rows, cols), bias)?;
                write_and_look::<Bf16>(level, write, (skipped, ld), (rows, cols), bias)?;
            }
            force(Level::Amx);
        }
    }

    #[test]
    fn results_in_bf16_are_the_rounded_sums() {
        let _alone = cpu::alone();
        // The inner size is more than one pass of any kernel and more than one chunk.
        for (m, k, n) in [(1, 1, 1), (33, 70, 97), (224, 1500, 40), (0, 5, 3), (3, 0, 5)] {
            let (a, b) = (matrix(m, k, 1).mapv(Bf16::new), matrix(k, n, 2));
            let bias: Vec<f32> = (0..n).map(|j| j as f32 / 8.0).collect();
            let packed = Packed::new(Precision::Bf16, b.view());
            let mut sums = Array2::<f32>::zeros((m, n));
            let mut rounded = Array2::from_elem((m, n), Bf16::new(7.0));
            packed.product_and_bias(a.view(), false, &bias, sums.view_mut());
            packed.product_and_bias(a.view(), false, &bias, rounded.view_mut());
            for (sum, rounded) in sums.iter().zip(&rounded) {
                // Chunks of the f32 sum may be added in another order.
                assert!((sum - rounded.get()).abs() <= sum.abs() / 250.0 + 1e-4, "{m} {k} {n}: {sum} {rounded:?}");
            }
        }
    }

    /// The AMX micro-kernel on CPUs without AMX: its instructions in software.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn amx_kernel_by_emulation() {
        let _alone = cpu::alone();
        if force(Level::Amx) == Level::Amx {
            println!("skipped: this CPU has AMX, and the other tests run it");
            return;
        }
        amx::emulator::install();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for (m, k, n) in [
            (1, 1, 1),
            (32, 32, 32),
            (33, 70, 97),
            (70, 96, 40),
            (100, 385, 64),
            (5, 800, 40),
            (64, 2500, 33),
            (0, 5, 3),
            (3, 0, 5),
        ] {
            let (a, b, at, bt) = (matrix(m, k, 1), matrix(k, n, 2), matrix(k, m, 3), matrix(n, k, 4));
            pool.install(|| {
                for accumulate in [false, true] {
                    let error = kernel_error(amx::BF16, Precision::Bf16, a.view(), b.view(), accumulate);
                    assert!(error < 1e-5, "{m} {k} {n}: {error}");
                    let error = kernel_error(amx::BF16, Precision::Bf16, at.t(), bt.t(), accumulate);
                    assert!(error < 1e-5, "{m} {k} {n} transposed: {error}");
                    let rounded = a.mapv(Bf16::new);
                    let error = kernel_error(amx::BF16, Precision::Bf16, rounded.view(), b.view(), accumulate);
                    assert!(error < 1e-5, "{m} {k} {n} in place: {error}");
                }
            });
        }
        let (n_executed, is_configured) = pool.install(amx::emulator::state);
        assert!(n_executed > 1000 && !is_configured);
    }

    #[test]
    fn the_faster_precision() {
        let _alone = cpu::alone();
        for level in [Level::Plain, Level::Avx2, Level::Avx512, Level::Amx] {
            let wanted = match force(level) {
                Level::Plain | Level::Avx2 => Precision::F32,
                Level::Avx512 if !has_bf16() || cpu::is_intel() => Precision::F32,
                Level::Avx512 | Level::Amx => Precision::Bf16,
            };
            assert_eq!(Precision::best(), wanted, "{level:?}");
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
        for (mr, nr) in [(14, 32), (6, 16), (32, 32)] {
            for m in 1..80 {
                for n in 1..80 {
                    let (rows, cols) = block_size(m * mr, mr, n * nr, nr, m + n);
                    assert!(rows >= 1 && cols >= 1 && rows * mr <= BLOCK_ROWS && cols <= n);
                    let small = rows * mr <= SMALL_BLOCK.0 && cols * nr <= SMALL_BLOCK.1;
                    assert!(small || m.div_ceil(rows) * n.div_ceil(cols) >= MIN_BLOCKS, "{m} {n}: {rows} {cols}");
                }
            }
        }
    }

    #[test]
    fn same_bits_for_any_number_of_threads() {
        let _alone = cpu::alone();
        let (a, b) = (matrix(300, 700, 1), matrix(700, 500, 2));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = Array2::<f32>::zeros((300, 500));
            pool.install(|| product(Precision::best(), a.view(), b.view(), false, c.view_mut()));
            c
        };
        assert_eq!(run(1), run(3));
    }
}
