//! Which names of archive members are safe to write.

/// The path that a name stands for, relative to the folder that is unpacked into, without empty and `.` components (the
/// folder itself is the empty path); or what is wrong with the name.
///
/// What any common system would take out of the folder is refused on all of them, so that an archive is good or bad
/// everywhere alike.
pub fn inside(name: &[u8]) -> Result<String, &'static str> {
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    if name.contains('\0') {
        return Err("its name has a NUL byte");
    }
    if name.contains('\\') {
        return Err("its name has a backslash");
    }
    if name.starts_with('/') {
        return Err("its name is an absolute path");
    }
    let mut parts = Vec::new();
    for part in name.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return Err("its name leads out of the folder with ..");
        }
        if matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
            return Err("its name has a drive letter");
        }
        parts.push(part);
    }
    Ok(parts.join("/"))
}

/// What macOS adds to archives and nobody wants: resource forks and folder settings.
pub fn is_junk(path: &str) -> bool {
    path.split('/').any(|part| part == "__MACOSX" || part == ".DS_Store" || part.starts_with("._"))
}

/// The name of a folder as it is compared: letters and digits, in lower case (`SNLI` is `snli`, `snli_1.0` is `snli10`).
pub fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A size for people, in decimal units: `697 kB`.
pub fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if value < 999.5 {
            return if value < 9.95 && unit != "B" {
                format!("{value:.1} {unit}")
            } else {
                format!("{value:.0} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside() {
        for (name, path) in [
            ("a", "a"),
            ("./a//b/", "a/b"),
            ("", ""),
            ("./", ""),
            ("a b/ü.txt", "a b/ü.txt"),
            ("...", "..."),
            ("a/Icon\r", "a/Icon\r"),
        ] {
            assert_eq!(inside(name.as_bytes()).as_deref(), Ok(path), "{name:?}");
        }
    }

    #[test]
    fn paths_outside() {
        let bad: [&[u8]; 10] =
            [b"/a", b"..", b"a/../b", b"../a", b"a\\b", b"C:a", b"a/c:/b", b"a\0b", b"\xff", b"//host/share"];
        for name in bad {
            assert!(inside(name).is_err(), "{}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn sizes() {
        let found = [0, 999, 1000, 28_999, 697_150, 7_439_277, 312_783_507, 999_999, 1_179_510_242].map(human);
        assert_eq!(
            found,
            ["0 B", "999 B", "1.0 kB", "29 kB", "697 kB", "7.4 MB", "313 MB", "1.0 MB", "1.2 GB"].map(str::to_owned)
        );
    }
}
