//! The digests that the world publishes its files with: SHA-256, and the ids of git's blobs.

use crate::catalogue::Digests;
use gpt1_artifacts::progress::Progress;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::Path;

/// Both digests of a file, and its size.
pub fn of_file(path: &Path) -> io::Result<(Digests, u64)> {
    let mut file = fs_err::File::open(path)?;
    let bytes = file.metadata()?.len();
    let (mut sha256, mut git_blob) = (Sha256::new(), Sha1::new());
    git_blob.update(format!("blob {bytes}\0"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let progress = Progress::brief(&format!("checking {name}"), bytes, "bytes");
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sha256.update(&buffer[..n]);
        git_blob.update(&buffer[..n]);
        progress.inc(n as u64);
    }
    let digests = Digests { sha256: Some(hex(&sha256.finalize())), git_blob: Some(hex(&git_blob.finalize())) };
    Ok((digests, bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `sha256sum` and `git hash-object`.
    #[test]
    fn as_the_tools_say() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (content, sha256, git_blob) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            ),
            (
                "hello\n",
                "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                "ce013625030ba8dba906f756967f9e9ca394464a",
            ),
        ] {
            fs_err::write(&path, content).unwrap();
            let (found, bytes) = of_file(&path).unwrap();
            assert_eq!(bytes, content.len() as u64);
            assert_eq!(found.sha256.as_deref(), Some(sha256));
            assert_eq!(found.git_blob.as_deref(), Some(git_blob));
        }
    }
}
