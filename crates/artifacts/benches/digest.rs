//! How fast files are hashed: a file of 1 GiB that is in the page cache, by one thread and by all.

use gpt1_artifacts::digest;
use std::io::Write;
use std::time::Instant;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("file");
    let block: Vec<u8> = (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut file = fs_err::File::create(&path).expect("a new file");
    for _ in 0..1 << 10 {
        file.write_all(&block).expect("space for 1 GiB");
    }
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for n_threads in [1, all] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
        let mut rates: Vec<f64> = (0..7)
            .map(|_| {
                let started = Instant::now();
                pool.install(|| digest::file(&path)).expect("a file that can be read");
                f64::from(1 << 30) / 1e9 / started.elapsed().as_secs_f64()
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        println!("hashing 1 GiB, {n_threads} threads: {:.2} GB/s ({:.2} to {:.2})", rates[3], rates[0], rates[6]);
    }
}
