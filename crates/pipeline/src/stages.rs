//! The stage programs that a definition may run, their versions, and what they take.

use gpt1_artifacts::version;

/// A stage program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// What a definition's `run` says: the program `gpt1-<first word>` and its subcommand.
    pub run: &'static str,
    /// See [`gpt1_artifacts::version`].
    pub version: u32,
    /// Whether it takes `--config` and `--set`, and so must list the sections it uses under `params`.
    pub takes_config: bool,
    /// Whether it can be several processes under MPI.
    pub takes_ranks: bool,
    /// The flags that must be given, under `deps` or `args`.
    pub required: &'static [&'static str],
    /// The flags that may be given besides.
    pub optional: &'static [&'static str],
}

/// All stage programs.
pub const PROGRAMS: [Program; 8] = [
    Program {
        run: "sample-data",
        version: version::SAMPLE_DATA,
        takes_config: false,
        takes_ranks: false,
        required: &["seed"],
        optional: &[],
    },
    Program {
        run: "tokenize train",
        version: version::TOKENIZE,
        takes_config: true,
        takes_ranks: false,
        required: &["corpus"],
        optional: &[],
    },
    Program {
        run: "shard",
        version: version::SHARD,
        takes_config: true,
        takes_ranks: false,
        required: &["corpus", "tokenizer"],
        optional: &[],
    },
    Program {
        run: "pretrain",
        version: version::PRETRAIN,
        takes_config: true,
        takes_ranks: true,
        required: &["shards", "tokenizer"],
        optional: &[],
    },
    Program {
        run: "finetune",
        version: version::FINETUNE,
        takes_config: true,
        takes_ranks: false,
        required: &["task", "init", "data"],
        optional: &["tokenizer"],
    },
    Program {
        run: "evaluate",
        version: version::EVALUATE,
        takes_config: false,
        takes_ranks: false,
        required: &["task", "model", "data", "split"],
        optional: &[],
    },
    Program {
        run: "evaluate zero-shot",
        version: version::ZERO_SHOT,
        takes_config: false,
        takes_ranks: false,
        required: &["model", "data"],
        optional: &["tasks", "split", "snapshots", "words", "max-examples"],
    },
    Program {
        run: "evaluate report",
        version: version::REPORT,
        takes_config: false,
        takes_ranks: false,
        required: &[],
        optional: &["scores", "pretrain", "zero-shot"],
    },
];

impl Program {
    /// The program of a definition's `run`.
    pub fn find(run: &str) -> Option<&'static Program> {
        let words: Vec<&str> = run.split_whitespace().collect();
        PROGRAMS.iter().find(|p| p.run.split(' ').eq(words.iter().copied()))
    }

    /// The first word of `run`: what follows `gpt1-` in the program's name, and its folder in the store.
    pub fn name(&self) -> &'static str {
        self.run.split(' ').next().unwrap_or(self.run)
    }

    /// The program's file name.
    pub fn file_name(&self) -> String {
        format!("gpt1-{}", self.name())
    }

    /// The subcommand, if it has one.
    pub fn subcommand(&self) -> Option<&'static str> {
        self.run.split_once(' ').map(|(_, sub)| sub)
    }

    /// All flags that may stand under `deps` or `args`.
    pub fn flags(&self) -> Vec<&'static str> {
        self.required.iter().chain(self.optional).copied().collect()
    }
}
