//! The `gpt1-fetch` program.

use anyhow::Result;
use clap::Parser;
use gpt1_fetch::{Catalogue, Options, Url, run};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Downloads the real data, checks it against the published digests, and unpacks it where the other programs look for it.
///
/// A broken download continues where it stopped, also in a later run. What is there already is not downloaded again.
#[derive(Parser)]
#[command(name = "gpt1-fetch", version)]
struct Cli {
    /// The data sets: rte, snli, bookcorpus, gpt1-weights ...; --list shows them
    #[arg(value_name = "NAME", required_unless_present = "list")]
    names: Vec<String>,
    /// Show the data sets, their sizes, and where each is or how to get it
    #[arg(long)]
    list: bool,
    /// With --list: as JSON
    #[arg(long, requires = "list")]
    json: bool,
    /// The folder to put the data sets' folders into
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Another list of data sets than the built-in data/datasets.yaml
    #[arg(long, value_name = "FILE")]
    datasets: Option<PathBuf>,
    /// Take all files from URL/<file name>, wherever the list says they are
    #[arg(long, value_name = "URL", value_parser = address)]
    mirror: Option<String>,
    /// Use a file of which the list gives no digest
    #[arg(long)]
    accept_unknown_digest: bool,
    /// Seconds to wait for a connection, and for the next byte, before trying again
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Seconds before the first new try after a connection broke; doubled for each further one
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pause: Duration,
}

/// A day at most: more is a slip, and the clock's arithmetic has its limits.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err("expected 0.001 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn address(text: &str) -> Result<String, String> {
    Url::try_from(text.to_owned()).map(|url| url.to_string())
}

fn main() -> ExitCode {
    let cli: Cli = gpt1_artifacts::parse_or_exit();
    gpt1_artifacts::run_main("fetch", || fetch(cli))
}

fn fetch(cli: Cli) -> Result<()> {
    let Cli { names, list, json, data, datasets, mirror, accept_unknown_digest, timeout, pause } = cli;
    let catalogue = Catalogue::load(datasets.as_deref())?;
    let chosen = catalogue.choose(&names)?;
    if list {
        let text = if json { gpt1_fetch::list_json(&chosen, &data)? } else { gpt1_fetch::list_table(&chosen, &data)? };
        gpt1_artifacts::print(&text)?;
        return Ok(());
    }
    let options = Options { data, mirror, accept_unknown_digest, timeout, pause };
    Ok(run(&chosen, &options, |line| gpt1_artifacts::print(&format!("{line}\n")).map(drop))?)
}
