//! Builds `src/mpi.c` with the flags of the MPI compiler wrapper; nothing without the feature `mpi`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "mpi")]
    mpi();
}

/// Open MPI's and MPICH's wrappers both answer `-show` with the whole command of the compiler behind them.
#[cfg(feature = "mpi")]
fn mpi() {
    use std::process::Command;

    println!("cargo::rerun-if-changed=src/mpi.c");
    println!("cargo::rerun-if-env-changed=MPICC");
    let wrapper = std::env::var("MPICC").unwrap_or_else(|_| "mpicc".to_owned());
    let help = "install Open MPI or MPICH with their headers (Debian: apt-get install libopenmpi-dev openmpi-bin; clusters: \
                module load openmpi), or name the compiler wrapper in MPICC";
    let shown = Command::new(&wrapper)
        .arg("-show")
        .output()
        .unwrap_or_else(|error| panic!("the feature `mpi` needs {wrapper}: {error}\n  hint: {help}"));
    assert!(shown.status.success(), "{wrapper} -show: {}\n  hint: {help}", shown.status);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let mut build = cc::Build::new();
    build.file("src/mpi.c").warnings(true);
    let mut links = Vec::new();
    for flag in shown.split_whitespace().skip(1) {
        if let Some(folder) = flag.strip_prefix("-I") {
            build.include(folder);
        } else if let Some(folder) = flag.strip_prefix("-L") {
            links.push(format!("cargo::rustc-link-search=native={folder}"));
            // Where it stands on a cluster nobody's loader looks by itself.
            links.push(format!("cargo::rustc-link-arg=-Wl,-rpath,{folder}"));
        } else if let Some(library) = flag.strip_prefix("-l") {
            links.push(format!("cargo::rustc-link-lib=dylib={library}"));
        }
    }
    // After the object that needs them.
    build.compile("gpt1_mpi");
    for link in links {
        println!("{link}");
    }
}
