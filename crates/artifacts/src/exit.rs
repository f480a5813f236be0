//! The exit codes of a stage: 0 done, 1 the user's input, 2 our fault.

use crate::eprintln;
use crate::output::UNFINISHED_OUTPUT;
use std::process::ExitCode;

/// The command line. What does not fit it is the user's input: the exit code is 1, not clap's 2; help and version go to stdout
/// and end with 0.
pub fn parse_or_exit<T: clap::Parser>() -> T {
    T::try_parse().unwrap_or_else(|answer| {
        // If it cannot be printed there is nobody to tell.
        _ = answer.print();
        std::process::exit(i32::from(answer.use_stderr()))
    })
}

/// Begins logging, runs a stage's `run` function and turns its result into the process's exit code.
///
/// An error is printed on stderr as `error: ...`, each cause on a line of its own; a panic is our fault (exit code 2).
pub fn run_main(stage: &str, run: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    crate::log::start();
    log::info!("gpt1-{stage} {}, process {}", env!("CARGO_PKG_VERSION"), std::process::id());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::from(1)
        }
        Err(_) => {
            eprintln!(
                "error: gpt1-{stage} failed in a way that is a defect of gpt1, not of its input; please report the lines above"
            );
            ExitCode::from(2)
        }
    }
}

/// The error and its causes; a cause whose text the line above already holds is not repeated.
fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !last.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
        last = cause;
    }
    if let Some(hint) = remedy(&text).filter(|_| !text.contains("hint: ")) {
        text.push_str("\n  hint: ");
        text.push_str(hint);
    }
    text
}

/// What to do about the errors of a disk, which any read or write can meet, whichever stage it is of.
fn remedy(text: &str) -> Option<&'static str> {
    const ENOENT: &str = "(os error 2)";
    const EIO: &str = "(os error 5)";
    const ENOSPC: &str = "(os error 28)";
    const EROFS: &str = "(os error 30)";
    if !cfg!(unix) {
        return None;
    }
    if text.contains(ENOSPC) {
        return Some("free space, then run the same command again; an earlier result is untouched");
    }
    if text.contains(ENOENT) && text.contains(UNFINISHED_OUTPUT) {
        return Some("what this run was writing has been removed by somebody; run the same command again");
    }
    if text.contains(EIO) || text.contains(EROFS) {
        return Some("see to the disk, then run the same command again; an earlier result is untouched");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_are_listed_once() {
        let inner = std::io::Error::other("disk full");
        let error = Err::<(), _>(inner).context("cannot write model").unwrap_err();
        assert_eq!(describe(&error), "cannot write model\n  because: disk full");
    }

    #[test]
    #[cfg(unix)]
    fn a_full_disk_has_a_remedy_once() {
        let full = || std::io::Error::from_raw_os_error(28);
        let plain = describe(&Err::<(), _>(full()).context("cannot write model").unwrap_err());
        assert!(
            plain.ends_with(
                "(os error 28)\n  hint: free space, then run the same command again; an earlier result is untouched"
            ),
            "{plain}"
        );
        let hinted = describe(&Err::<(), _>(full()).context("cannot write\n  hint: buy a disk").unwrap_err());
        assert_eq!(hinted.matches("hint: ").count(), 1, "{hinted}");
    }

    #[test]
    #[cfg(unix)]
    fn an_output_that_was_removed_under_a_run_has_a_remedy_and_a_missing_input_has_not() {
        let dir = tempfile::tempdir().unwrap();
        let missing = |name: &str| describe(&fs_err::File::open(dir.path().join(name)).unwrap_err().into());
        assert!(missing(".result.partial/best/config.json").ends_with("run the same command again"));
        assert!(!missing("corpus.txt").contains("hint: "));
    }
}
