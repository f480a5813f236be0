//! GFLOP/s of matrix products at the shapes of training: BLAS, and ours in f32 and bf16, packing included.
//!
//! `cargo bench -p gpt1-kernels --bench product`

use gpt1_kernels::memory::HugePages;
use gpt1_kernels::product::product;
use gpt1_kernels::{Bf16, Element, Precision, blas, cpu, has_bf16, start};
use ndarray::{Array2, ArrayView2};
use std::time::Instant;

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

fn main() {
    let n_threads = start(None).expect("the arithmetic starts");
    println!("{n_threads} threads, {:?}, bf16 in hardware: {}", cpu::level(), has_bf16());
    println!("{:>24} {:>9} {:>9} {:>9}", "m x k x n", "BLAS f32", "our f32", "our bf16");
    for (m, k, n) in
        [(4096, 128, 512), (8192, 384, 1536), (512, 384, 1152), (2048, 768, 3072), (2048, 3072, 768), (200, 768, 40478)]
    {
        let x = matrix(m, k);
        let w = matrix(k, n);
        line(&format!("{m} x {k} x {n}"), x.view(), w.view(), false);
        line("weights transposed", x.view(), matrix(n, k).t(), false);
    }
    for (m, k, n) in [(128, 4096, 512), (384, 8192, 1536), (768, 2048, 3072), (40478, 200, 768)] {
        line(&format!("({k} x {m})^T x {n}"), matrix(k, m).t(), matrix(k, n).view(), true);
    }
}

fn matrix(rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((i * cols + j) * 2_654_435_761 % 2003) as f32 / 1000.0 - 1.0)
}

/// In bf16 activations are, and weights are not; the gradient of weights is a product of activations.
fn line(what: &str, a: ArrayView2<f32>, b: ArrayView2<f32>, is_gradient: bool) {
    let mut c = Array2::<f32>::zeros((a.nrows(), b.ncols()));
    let flops = 2.0 * (a.nrows() * a.ncols() * b.ncols()) as f64;
    let mut rate = |run: &mut dyn FnMut(&mut Array2<f32>)| {
        run(&mut c);
        let mut times: Vec<f64> = (0..7)
            .map(|_| {
                let clock = Instant::now();
                run(&mut c);
                clock.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        flops / times[3] / 1e9
    };
    let blas = rate(&mut |c| blas::gemm(a, b, false, c.view_mut()));
    let f32 = rate(&mut |c| product(Precision::F32, a, b, false, c.view_mut()));
    let (a, rounded) = (a.mapv(Bf16::new), b.mapv(Bf16::new));
    let bf16 = match (has_bf16(), is_gradient) {
        (false, _) => f64::NAN,
        (_, true) => rate(&mut |c| product(Precision::Bf16, a.view(), rounded.view(), false, c.view_mut())),
        (_, false) => rate(&mut |c| product(Precision::Bf16, a.view(), b, false, c.view_mut())),
    };
    println!("{what:>24} {blas:>9.0} {f32:>9.0} {bf16:>9.0}");
}
