//! `run`: brings a target up to date.

use crate::command;
use crate::digests::Digests;
use crate::key::{Change, Kind, reason};
use crate::plan::Plan;
use crate::state::{Assessment, Results, State, assess, assess_all, path_of};
use crate::step::{Source, Step};
use crate::store::Store;
use gpt1_artifacts::eprintln;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `run` was asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// Stages to run even if they are unchanged.
    pub force: Vec<String>,
    /// Run this stage and no other.
    pub only: Option<String>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
}

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The runner's own files, or an input, cannot be read or written; the path is in the message.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A stage ended with an error, which it has printed.
    #[error(
        "the stage {stage} failed ({how}); what it said stands above\n  its command: {command}\n  hint: earlier results are untouched; run the same command again to continue from here"
    )]
    Stage {
        /// The stage.
        stage: String,
        /// Its exit code or signal.
        how: String,
        /// The command line.
        command: String,
        /// The exit code to end with.
        code: u8,
    },
    /// A signal asked to stop.
    #[error("stopped by a signal while {stage} was running\n  hint: run the same command again to continue")]
    Stopped {
        /// The stage.
        stage: String,
        /// 128 + the signal's number.
        code: u8,
    },
    /// A program said that it is done, but there is no result.
    #[error("{program} ended without an error, but there is no {path} with a manifest.json")]
    NoResult {
        /// The program.
        program: String,
        /// Where the result should be.
        path: PathBuf,
    },
    /// An input was changed while the stage was reading it.
    #[error(
        "the input {flag} of {stage} ({what}) was changed while {stage} was running; the result is not used, it lies in {aside}\n  hint: run the same command again"
    )]
    InputChanged {
        /// The stage.
        stage: String,
        /// The input's flag.
        flag: String,
        /// The input.
        what: String,
        /// Where the result is.
        aside: PathBuf,
    },
    /// The readable name is taken by something that is not ours.
    #[error("{0} is in the way: it is not one of the links that the runner makes\n  hint: move it elsewhere")]
    InTheWay(PathBuf),
    /// A program is missing.
    #[error(
        "there is no {program} in {dir}\n  hint: cargo build --release --workspace --bins, or name another folder in GPT1_BIN_DIR"
    )]
    NoProgram {
        /// The program's file name.
        program: String,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// `--only` a stage whose inputs are not there.
    #[error(
        "{stage} cannot run alone: there is no result of {needed} for these settings ({why})\n  hint: run without --only, which makes what is missing"
    )]
    InputMissing {
        /// The stage asked for.
        stage: String,
        /// The stage whose result is missing.
        needed: String,
        /// Why it must run.
        why: String,
    },
}

impl RunError {
    /// The exit code to end with.
    pub fn code(&self) -> u8 {
        match self {
            RunError::Stage { code, .. } | RunError::Stopped { code, .. } => *code,
            _ => 1,
        }
    }
}

/// A run under way.
struct Runner<'a> {
    plan: &'a Plan,
    store: Store,
    digests: Digests,
    options: &'a Options,
    bin_dir: PathBuf,
    /// The stages that ran.
    ran: Vec<String>,
}

/// Brings the plan's target up to date; says on stderr what it does with each step, and why.
pub fn run(plan: &Plan, options: &Options) -> Result<(), RunError> {
    let mut runner = Runner {
        plan,
        store: Store { artifacts: plan.artifacts.clone() },
        digests: Digests::open(&plan.artifacts),
        options,
        bin_dir: command::bin_dir()?,
        ran: Vec::new(),
    };
    runner.check_surroundings()?;
    let outcome = match &options.only {
        Some(only) => runner.run_only(only),
        None if options.dry_run => runner.dry_run(),
        None => runner.run_all(),
    };
    // What was hashed need not be hashed again, however the run ended.
    runner.digests.save()?;
    outcome
}

impl Runner<'_> {
    /// Finds before any work what would stop it later.
    fn check_surroundings(&self) -> Result<(), RunError> {
        for step in &self.plan.steps {
            let program = step.program.file_name();
            if !self.bin_dir.join(&program).is_file() {
                return Err(RunError::NoProgram { program, dir: self.bin_dir.clone() });
            }
            let link = self.store.link(step);
            if fs_err::symlink_metadata(&link).is_ok_and(|m| !m.file_type().is_symlink()) {
                return Err(RunError::InTheWay(link));
            }
        }
        Ok(())
    }

    fn run_all(&mut self) -> Result<(), RunError> {
        let mut results = Results::new();
        for step in &self.plan.steps {
            let result = self.bring_up_to_date(step, &results)?;
            results.insert(step.name.clone(), Some(result));
        }
        if self.ran.is_empty() {
            let (n, checked, read) = (self.plan.steps.len(), self.digests.n_checked, self.digests.n_read);
            eprintln!("nothing to run: {n} stages are up to date ({checked} files checked, {read} read)");
        }
        Ok(self.show_result()?)
    }

    fn run_only(&mut self, only: &str) -> Result<(), RunError> {
        let (all, results) = assess_all(self.plan, &self.store, &mut self.digests)?;
        let (step, assessment) = all.iter().find(|(step, _)| step.name == only).expect("checked before");
        for source in step.deps.values() {
            if let Source::Result { stage, .. } = source
                && results.get(stage).is_some_and(Option::is_none)
            {
                let why =
                    all.iter().find(|(s, _)| s.name == *stage).map_or_else(String::new, |(_, a)| a.state.reason());
                return Err(RunError::InputMissing { stage: only.to_owned(), needed: stage.clone(), why });
            }
        }
        let key = assessment.key.clone().expect("all inputs are there");
        if self.options.dry_run {
            say("run", &step.name, "asked for");
            eprintln!("          {}", self.command_line(step, &results, &key));
            return Ok(());
        }
        self.execute(step, assessment, &key, &results, true).map(drop)
    }

    fn dry_run(&mut self) -> Result<(), RunError> {
        let (all, results) = assess_all(self.plan, &self.store, &mut self.digests)?;
        for (step, assessment) in &all {
            let forced = self.is_forced(step);
            let changes = if forced { vec![Change::of(Kind::Forced, "")] } else { Vec::new() };
            let state = if forced && assessment.key.is_some() { &State::Run { changes } } else { &assessment.state };
            let cost = assessment.last.as_ref().filter(|_| matches!(state, State::Run { .. })).map(|r| r.wall_seconds);
            let cost = cost.filter(|s| *s > 0.0).map_or_else(String::new, |s| format!("; last time {}", duration(s)));
            say(state.word(), &step.name, &format!("{}{cost}", state.reason()));
            if let (State::Run { .. }, Some(key)) = (state, &assessment.key) {
                eprintln!("          {}", self.command_line(step, &results, key));
            }
        }
        Ok(())
    }

    /// Makes sure that a step's result is there; returns its folder.
    fn bring_up_to_date(&mut self, step: &Step, results: &Results) -> Result<PathBuf, RunError> {
        let assessment = assess(step, &self.store, results, &mut self.digests)?;
        let key = assessment.key.clone().expect("every step before has a result");
        if self.is_forced(step) {
            return self.execute(step, &assessment, &key, results, true);
        }
        match &assessment.state {
            State::Skip => say("skip", &step.name, "unchanged"),
            State::Restore { .. } => self.restore(step, &assessment, &key)?,
            State::Run { .. } | State::Wait { .. } => return self.execute(step, &assessment, &key, results, false),
        }
        Ok(self.store.result(step, &key))
    }

    fn restore(&mut self, step: &Step, assessment: &Assessment, key: &str) -> Result<(), RunError> {
        if self.store.record(step, key).is_none() {
            gpt1_artifacts::output::tidy(&self.store.result(step, key))?;
            self.store.write_record(step, key, &assessment.entered, &mut self.digests)?;
        }
        self.store.link_to(step, key)?;
        say("restore", &step.name, &assessment.state.reason());
        Ok(())
    }

    /// Runs a step under its lock, then records its result; returns its folder.
    fn execute(
        &mut self,
        step: &Step,
        assessment: &Assessment,
        key: &str,
        results: &Results,
        forced: bool,
    ) -> Result<PathBuf, RunError> {
        let result = self.store.result(step, key);
        let waits = || say("wait", &step.name, "another run is making this result");
        let lock = self.store.lock(step, key, waits)?;
        if !forced {
            // Another run may have made it since we looked.
            let again = assess(step, &self.store, results, &mut self.digests)?;
            if again.key.as_deref() == Some(key) && !matches!(again.state, State::Run { .. }) {
                self.restore(step, &again, key)?;
                return Ok(result);
            }
        }
        let why = match &assessment.state {
            State::Run { changes } if !forced => reason(changes),
            _ => self.forced_reason(step, key),
        };
        say("run", &step.name, &why);
        // A program refuses to replace a folder that does not look like its own.
        let is_foreign = result.exists() && !result.join("manifest.json").is_file();
        let aside = if is_foreign { Some(self.store.set_aside(step, key)?) } else { None };
        let earlier = self.store.record(step, key);
        let (program, arguments) = self.command(step, results, key);
        let started = Instant::now();
        let status = command::run(&program, &arguments, lock.try_clone()?)?;
        if !status.success() {
            if let Some(signal) = command::stop_signal() {
                return Err(RunError::Stopped { stage: step.name.clone(), code: (128 + signal) as u8 });
            }
            let (how, code) = how_it_ended(status);
            let command = command::shell_line(&program, &arguments);
            return Err(RunError::Stage { stage: step.name.clone(), how, command, code });
        }
        if !result.join("manifest.json").is_file() {
            return Err(RunError::NoResult { program: step.program.file_name(), path: result });
        }
        self.check_inputs(step, assessment, key, results)?;
        let record = self.store.write_record(step, key, &assessment.entered, &mut self.digests)?;
        self.store.link_to(step, key)?;
        if let Some(aside) = aside {
            fs_err::remove_dir_all(aside)?;
        }
        self.ran.push(step.name.clone());
        let seconds = duration(started.elapsed().as_secs_f64());
        say("done", &step.name, &format!("{seconds}, {}", self.store.link(step).display()));
        drop(lock);
        warn_about(step, &result, earlier.is_some_and(|earlier| earlier.output != record.output));
        match command::stop_signal() {
            Some(signal) => Err(RunError::Stopped { stage: step.name.clone(), code: (128 + signal) as u8 }),
            None => Ok(result),
        }
    }

    /// The inputs must still be what entered the key.
    fn check_inputs(
        &mut self,
        step: &Step,
        assessment: &Assessment,
        key: &str,
        results: &Results,
    ) -> Result<(), RunError> {
        for (flag, source) in &step.deps {
            let now = path_of(source, results).and_then(|path| self.digests.path(&path).ok());
            let input = &assessment.entered.deps[flag];
            if now != input.digest {
                let (stage, flag, what) = (step.name.clone(), flag.clone(), input.what.clone());
                let aside = self.store.set_aside(step, key)?;
                return Err(RunError::InputChanged { stage, flag, what, aside });
            }
        }
        Ok(())
    }

    /// For a target that did not run now, what its run has shown.
    fn show_result(&self) -> io::Result<()> {
        let Some(step) = self.plan.steps.last().filter(|step| !self.ran.contains(&step.name)) else { return Ok(()) };
        let Some(metrics) = &step.metrics else { return Ok(()) };
        let path = self.store.link(step).join(metrics);
        if let Ok(text) = fs_err::read_to_string(&path) {
            eprintln!("{}:", path.display());
            gpt1_artifacts::print(&text)?;
        }
        Ok(())
    }

    fn is_forced(&self, step: &Step) -> bool {
        self.options.force.contains(&step.name)
    }

    fn forced_reason(&self, step: &Step, key: &str) -> String {
        match self.store.record(step, key) {
            Some(record) if record.wall_seconds > 0.0 => {
                format!("asked for; this replaces a result that took {}", duration(record.wall_seconds))
            }
            _ => "asked for".to_owned(),
        }
    }

    fn command(&self, step: &Step, results: &Results, key: &str) -> (PathBuf, Vec<String>) {
        let inputs = step.deps.iter().filter_map(|(flag, source)| Some((flag.clone(), path_of(source, results)?)));
        let arguments = command::arguments(step, &inputs.collect::<Vec<_>>(), &self.store.result(step, key));
        (self.bin_dir.join(step.program.file_name()), arguments)
    }

    fn command_line(&self, step: &Step, results: &Results, key: &str) -> String {
        let (program, arguments) = self.command(step, results, key);
        command::shell_line(&program, &arguments)
    }
}

/// Says what a result shows to be wrong with its program or with us.
fn warn_about(step: &Step, result: &Path, differs: bool) {
    if differs {
        eprintln!(
            "warning: {} gave another result than before from the same inputs: it should not depend on anything else",
            step.name
        );
    }
    if let Ok(manifest) = gpt1_artifacts::manifest::Manifest::read(result)
        && manifest.stage_version != step.program.version
    {
        eprintln!(
            "warning: {} says that it is version {}, this runner knows version {}: build both from the same sources",
            step.program.file_name(),
            manifest.stage_version,
            step.program.version
        );
    }
}

/// One line about a step, on stderr.
fn say(word: &str, stage: &str, why: &str) {
    eprintln!("{word:<9} {stage:<14} ({why})");
}

fn how_it_ended(status: std::process::ExitStatus) -> (String, u8) {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return (format!("signal {signal}"), (128 + signal) as u8);
    }
    let code = status.code().unwrap_or(1);
    (format!("exit code {code}"), u8::try_from(code).ok().filter(|&c| c != 0).unwrap_or(1))
}

/// Seconds for people: `3.2 s`, `4 m 10 s`, `9 h 12 m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} m {} s", whole / 60, whole % 60),
        _ => format!("{} h {} m", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let found: Vec<String> = [0.04, 3.24, 250.0, 33_120.0].iter().map(|s| duration(*s)).collect();
        assert_eq!(found, ["0.0 s", "3.2 s", "4 m 10 s", "9 h 12 m"]);
    }
}
