//! `run`: brings a target up to date, several steps at once where that is asked for.
//!
//! A worker takes the first step, in the plan's order, whose inputs are there; one worker alone so keeps to the order. After an
//! error no step is begun, and those under way end.

use crate::command::{self, Launch, Sink};
use crate::digests::Digests;
use crate::dry_run;
use crate::error::RunError;
use crate::key::reason;
use crate::plan::Plan;
use crate::state::{Assessment, Results, State, assess, assess_all, path_of};
use crate::step::{Source, Step};
use crate::store::Store;
use gpt1_artifacts::eprintln;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
    /// Steps to run at once; 0 counts as 1.
    pub n_jobs: usize,
    /// Processes of a stage that can be several.
    pub n_ranks: u16,
}

/// A run under way.
struct Runner<'a> {
    plan: &'a Plan,
    store: Store,
    digests: Mutex<Digests>,
    options: &'a Options,
    launch: Launch,
    /// The stages that ran.
    ran: Mutex<Vec<String>>,
}

/// What the workers know together.
#[derive(Default)]
struct Board {
    results: Results,
    /// The plan's steps that some worker has taken.
    taken: Vec<bool>,
    n_under_way: usize,
    /// The first error.
    error: Option<RunError>,
}

/// Brings the plan's target up to date; says on stderr what it does with each step, and why.
///
/// # Errors
/// The first that a step met.
pub fn run(plan: &Plan, options: &Options) -> Result<(), RunError> {
    let runner = Runner {
        plan,
        store: Store { artifacts: plan.artifacts.clone() },
        digests: Mutex::new(Digests::open(&plan.artifacts)),
        options,
        launch: Launch { bin_dir: command::bin_dir()?, n_ranks: options.n_ranks },
        ran: Mutex::default(),
    };
    runner.check_surroundings()?;
    let outcome = match &options.only {
        Some(only) => runner.run_only(only),
        None if options.dry_run => {
            dry_run::say_all(plan, &runner.store, &mut lock(&runner.digests), &options.force, &runner.launch)
                .map_err(RunError::from)
        }
        None => runner.run_all(),
    };
    // What was hashed need not be hashed again, however the run ended.
    lock(&runner.digests).save()?;
    outcome
}

/// What a panicking worker has left is as good as any: the panic ends the run.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner<'_> {
    /// Finds before any work what would stop it later.
    fn check_surroundings(&self) -> Result<(), RunError> {
        for step in &self.plan.steps {
            let program = step.program.file_name();
            if !self.launch.bin_dir.join(&program).is_file() {
                return Err(RunError::NoProgram { program, dir: self.launch.bin_dir.clone() });
            }
            let link = self.store.link(step);
            if fs_err::symlink_metadata(&link).is_ok_and(|m| !m.file_type().is_symlink()) {
                return Err(RunError::InTheWay(link));
            }
        }
        Ok(())
    }

    fn run_all(&self) -> Result<(), RunError> {
        let steps = &self.plan.steps;
        let board = Mutex::new(Board { taken: vec![false; steps.len()], ..Board::default() });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for _ in 0..self.n_jobs() {
                scope.spawn(|| self.work(&board, &changed));
            }
        });
        let board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = board.error {
            return Err(error);
        }
        if lock(&self.ran).is_empty() {
            let digests = lock(&self.digests);
            let (n, checked, read) = (steps.len(), digests.n_checked, digests.n_read);
            eprintln!("nothing to run: {n} stages are up to date ({checked} files checked, {read} read)");
        }
        Ok(self.show_result()?)
    }

    fn n_jobs(&self) -> usize {
        self.options.n_jobs.clamp(1, self.plan.steps.len().max(1))
    }

    /// Takes steps until there are none, or one has failed.
    fn work(&self, board: &Mutex<Board>, changed: &Condvar) {
        let mut at = lock(board);
        while at.error.is_none() && at.taken.contains(&false) {
            let ready = |(i, step): &(usize, &Step)| !at.taken[*i] && step.needs().all(|s| at.results.contains_key(s));
            let Some((i, step)) = self.plan.steps.iter().enumerate().find(ready) else {
                at = changed.wait(at).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            at.taken[i] = true;
            at.n_under_way += 1;
            let results = at.results.clone();
            drop(at);
            let outcome = catch_unwind(AssertUnwindSafe(|| self.bring_up_to_date(step, &results)));
            at = lock(board);
            at.n_under_way -= 1;
            let outcome = outcome.unwrap_or_else(|panic| {
                // The others must not wait for what will not come.
                at.taken.fill(true);
                changed.notify_all();
                resume_unwind(panic)
            });
            match outcome {
                Ok(result) => drop(at.results.insert(step.name.clone(), Some(result))),
                Err(error) if at.error.is_none() => {
                    if at.n_under_way > 0 {
                        say("fail", &step.name, "no other stage is begun; those under way end");
                    }
                    at.error = Some(error);
                }
                // With several at once: the first error ends the run, this one would be lost.
                Err(error) => eprintln!("error: {error}"),
            }
            changed.notify_all();
        }
    }

    fn run_only(&self, only: &str) -> Result<(), RunError> {
        let (all, results) = assess_all(self.plan, &self.store, &mut lock(&self.digests))?;
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

    /// Makes sure that a step's result is there; returns its folder.
    fn bring_up_to_date(&self, step: &Step, results: &Results) -> Result<PathBuf, RunError> {
        let assessment = assess(step, &self.store, results, &mut lock(&self.digests))?;
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

    fn restore(&self, step: &Step, assessment: &Assessment, key: &str) -> Result<(), RunError> {
        if self.store.record(step, key).is_none() {
            gpt1_artifacts::output::tidy(&self.store.result(step, key))?;
            self.store.write_record(step, key, &assessment.entered, &mut lock(&self.digests))?;
        }
        self.store.link_to(step, key)?;
        say("restore", &step.name, &assessment.state.reason());
        Ok(())
    }

    /// Runs a step under its lock, then records its result; returns its folder.
    fn execute(
        &self,
        step: &Step,
        assessment: &Assessment,
        key: &str,
        results: &Results,
        forced: bool,
    ) -> Result<PathBuf, RunError> {
        let result = self.store.result(step, key);
        let waits = || say("wait", &step.name, "another run is making this result");
        let stopped = || RunError::Stopped { stage: step.name.clone(), code: command::stop_code() };
        let Some(held) = self.store.lock(step, key, waits, || command::stop_signal().is_some())? else {
            return Err(stopped());
        };
        if !forced {
            // Another run may have made it since we looked.
            let again = assess(step, &self.store, results, &mut lock(&self.digests))?;
            if again.key.as_deref() == Some(key) && !matches!(again.state, State::Run { .. }) {
                self.restore(step, &again, key)?;
                return Ok(result);
            }
        }
        let why = match &assessment.state {
            State::Run { changes } if !forced => reason(changes),
            _ => "asked for".to_owned(),
        };
        say("run", &step.name, &(why + &self.discards(step, key)));
        // A program refuses to replace a folder that does not look like its own.
        let is_foreign = result.exists() && !result.join("manifest.json").is_file();
        let aside = if is_foreign { Some(self.store.set_aside(step, key)?) } else { None };
        let earlier = self.store.record(step, key);
        let (program, arguments) = self.command(step, results, key);
        let started = Instant::now();
        let sink = if self.n_jobs() > 1 { Sink::Named(&step.name) } else { Sink::Ours };
        let is_launcher = self.launch.is_shared(step);
        let status = command::run(&program, &arguments, held.try_clone()?, self.n_jobs(), is_launcher, sink)?;
        let is_made = result.join("manifest.json").is_file();
        // MPICH's launcher ends with 0 after the signal that stopped its ranks.
        if command::stop_signal().is_some() && !(status.success() && is_made) {
            return Err(stopped());
        }
        if !status.success() {
            let (how, code) = how_it_ended(status);
            let command = command::shell_line(&program, &arguments);
            return Err(RunError::Stage { stage: step.name.clone(), how, command, code });
        }
        if !is_made {
            return Err(RunError::NoResult { program: step.program.file_name(), path: result });
        }
        self.check_inputs(step, assessment, key, results)?;
        let record = self.store.write_record(step, key, &assessment.entered, &mut lock(&self.digests))?;
        self.store.link_to(step, key)?;
        if let Some(aside) = aside {
            fs_err::remove_dir_all(aside)?;
        }
        lock(&self.ran).push(step.name.clone());
        let seconds = duration(started.elapsed().as_secs_f64());
        say("done", &step.name, &format!("{seconds}, {}", self.store.link(step).display()));
        drop(held);
        warn_about(step, &result, earlier.is_some_and(|earlier| earlier.output != record.output));
        match command::stop_signal() {
            Some(_) => Err(stopped()),
            None => Ok(result),
        }
    }

    /// The inputs must still be what entered the key.
    fn check_inputs(&self, step: &Step, assessment: &Assessment, key: &str, results: &Results) -> Result<(), RunError> {
        for (flag, source) in &step.deps {
            let now = path_of(source, results).and_then(|path| lock(&self.digests).path(&path).ok());
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
        let Some(step) = self.plan.steps.last().filter(|step| !lock(&self.ran).contains(&step.name)) else {
            return Ok(());
        };
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

    /// What running a step again loses: the result that it has, if it is there.
    fn discards(&self, step: &Step, key: &str) -> String {
        match self.store.record(step, key) {
            Some(record) if record.wall_seconds > 0.0 && self.store.result(step, key).is_dir() => {
                format!("; this discards a result that took {}", duration(record.wall_seconds))
            }
            _ => String::new(),
        }
    }

    fn command(&self, step: &Step, results: &Results, key: &str) -> (PathBuf, Vec<String>) {
        self.launch.command(step, results, &self.store.result(step, key))
    }

    fn command_line(&self, step: &Step, results: &Results, key: &str) -> String {
        let (program, arguments) = self.command(step, results, key);
        command::shell_line(&program, &arguments)
    }
}

/// Says what a result shows to be wrong with its program or with us.
fn warn_about(step: &Step, result: &Path, differs: bool) {
    if differs {
        log::warn!(
            "{} gave another result than before from the same inputs: it should not depend on anything else",
            step.name
        );
    }
    if let Ok(manifest) = gpt1_artifacts::manifest::Manifest::read(result)
        && manifest.stage_version != step.program.version
    {
        log::warn!(
            "{} says that it is version {}, this runner knows version {}: build both from the same sources",
            step.program.file_name(),
            manifest.stage_version,
            step.program.version
        );
    }
}

/// One line about a step, on stderr.
pub(crate) fn say(word: &str, stage: &str, why: &str) {
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
