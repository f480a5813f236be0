//! `manifest.json`: what a stage did, from what, with which settings, and what it cost.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One input of a stage.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Input {
    /// The path as it was given.
    pub path: PathBuf,
    /// The digest of its content ([`crate::digest::path`]).
    pub digest: String,
}

/// The record beside every output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Stage name, such as `pretrain`.
    pub stage: String,
    /// The stage's version: raised when the same inputs would give another result.
    pub stage_version: u32,
    /// The version of the package.
    pub version: String,
    /// The resolved configuration.
    pub config: Value,
    /// Inputs by name.
    pub inputs: BTreeMap<String, Input>,
    /// Seconds since 1970 at the start.
    pub started_at: u64,
    /// Seconds from start to commit.
    pub wall_seconds: f64,
    /// CPU seconds of the process, user and system; 0 where the system does not say.
    pub cpu_seconds: f64,
    /// Largest resident set in bytes; 0 where the system does not say.
    pub peak_memory_bytes: u64,
    /// Host name.
    pub host: String,
    /// CPU model.
    pub cpu: String,
    /// Features of the CPU that the arithmetic can use.
    pub cpu_features: Vec<String>,
    /// Threads at work.
    pub n_threads: usize,
    /// What the stage wants to record besides.
    pub extra: BTreeMap<String, Value>,
    #[serde(skip)]
    clock: Option<Instant>,
}

impl Manifest {
    /// Begins the record of a stage.
    pub fn start(stage: &str, stage_version: u32, config: &impl Serialize) -> Manifest {
        Manifest {
            stage: stage.to_owned(),
            stage_version,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: serde_json::to_value(config).unwrap_or(Value::Null),
            inputs: BTreeMap::new(),
            started_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            wall_seconds: 0.0,
            cpu_seconds: 0.0,
            peak_memory_bytes: 0,
            host: read_trimmed("/proc/sys/kernel/hostname"),
            cpu: cpu_name(),
            cpu_features: cpu_features(),
            n_threads: std::thread::available_parallelism().map_or(1, usize::from),
            extra: BTreeMap::new(),
            clock: Some(Instant::now()),
        }
    }

    /// Records an input and returns its digest.
    pub fn input(&mut self, name: &str, path: &Path) -> io::Result<String> {
        let digest = crate::digest::path(path)?;
        log::info!("input {name} {}: digest {digest}", path.display());
        self.inputs.insert(name.to_owned(), Input { path: path.to_owned(), digest: digest.clone() });
        Ok(digest)
    }

    /// Records inputs of one kind: the first under the name, the others under `name.2` and so on.
    pub fn inputs<'a>(&mut self, name: &str, paths: impl IntoIterator<Item = &'a PathBuf>) -> io::Result<()> {
        for (i, path) in paths.into_iter().enumerate() {
            let number = if i == 0 { String::new() } else { format!(".{}", i + 1) };
            self.input(&format!("{name}{number}"), path)?;
        }
        Ok(())
    }

    /// Records a value of the stage's own.
    pub fn note(&mut self, key: &str, value: impl Serialize) {
        self.extra.insert(key.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
    }

    /// What decides the result: stage, version, configuration, input digests. The run key of
    /// [`crate::output::OutputDir::begin`].
    pub fn run_key(&self) -> Value {
        let inputs: BTreeMap<&str, &str> = self.inputs.iter().map(|(k, v)| (k.as_str(), v.digest.as_str())).collect();
        serde_json::json!({
            "stage": self.stage, "stage_version": self.stage_version, "config": self.config, "inputs": inputs,
        })
    }

    /// Reads the manifest of an output.
    pub fn read(dir: &Path) -> io::Result<Manifest> {
        let path = dir.join("manifest.json");
        serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    }

    pub(crate) fn finish(mut self) -> Manifest {
        self.wall_seconds = self.clock.map_or(0.0, |c| c.elapsed().as_secs_f64());
        self.cpu_seconds = cpu_seconds().unwrap_or(0.0);
        self.peak_memory_bytes = peak_memory_bytes().unwrap_or(0);
        self
    }
}

fn read_trimmed(path: &str) -> String {
    fs_err::read_to_string(path).map_or_else(|_| String::new(), |s| s.trim().to_owned())
}

fn cpu_name() -> String {
    let info = read_trimmed("/proc/cpuinfo");
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':')).map(|(_, n)| n.trim());
    name.unwrap_or(std::env::consts::ARCH).to_owned()
}

fn cpu_features() -> Vec<String> {
    #[allow(unused_mut, reason = "filled on x86-64 only")]
    let mut found: Vec<String> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let info = read_trimmed("/proc/cpuinfo");
        let flags = info.lines().find_map(|l| l.strip_prefix("flags")).unwrap_or_default();
        for name in ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16"] {
            if flags.split_whitespace().any(|f| f == name) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// CPU seconds of this process so far (Linux: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second).
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Largest resident set of this process so far, in bytes (Linux: `VmHWM`).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roundtrip_and_key() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("in"), "1").unwrap();
        let mut manifest = Manifest::start("shard", 3, &serde_json::json!({"seed": 1}));
        let digest = manifest.input("corpus", &dir.path().join("in")).unwrap();
        let key = manifest.run_key();
        assert_eq!(key["inputs"]["corpus"], digest.as_str());
        crate::output::write_json(&dir.path().join("manifest.json"), &manifest.finish()).unwrap();
        let read = Manifest::read(dir.path()).unwrap();
        assert_eq!(read.run_key(), key);
        assert!(read.wall_seconds >= 0.0);
    }
}
