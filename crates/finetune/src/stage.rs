//! The stage: from a pre-trained model and a task's files to a model of that task.

use crate::encode::{Encoded, encode};
use crate::objective::{Recipe, gradients, order};
use crate::{FinetuneError, TOKENS_AT_ONCE, TaskFile, Training, score};
use gpt1_artifacts::digest;
use gpt1_artifacts::eprintln;
use gpt1_artifacts::manifest::Manifest;
use gpt1_artifacts::output::OutputDir;
use gpt1_artifacts::preset::{FinetuneConfig, Preset};
use gpt1_artifacts::version;
use gpt1_model::{Config, Dropout, Model, Workspace};
use gpt1_ranks::Ranks;
use gpt1_tasks::{Dataset, Metric, Special, Split, Target, Task, majority, majority_scores};
use gpt1_tokenize::Encoder;
use gpt1_training::{
    AdamConfig, Best, Criterion, Gradients, Interrupt, Outcome, Plan, Schedule, Settings, Step, Work, checkpoint,
    write_best,
};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Start, delimiter, extract.
const N_SPECIAL: usize = 3;

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Init {
    /// Random weights, in the shape of the preset.
    Scratch,
    /// A pre-trained model's directory, which has the vocabulary too.
    Pretrained(PathBuf),
}

impl FromStr for Init {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Init, Infallible> {
        Ok(if text == "scratch" { Init::Scratch } else { Init::Pretrained(PathBuf::from(text)) })
    }
}

impl Init {
    /// `scratch` or `pretrained`.
    pub fn name(&self) -> &'static str {
        match self {
            Init::Scratch => "scratch",
            Init::Pretrained(_) => "pretrained",
        }
    }
}

/// What to fine-tune on what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hyper-parameters: section `finetune`; of `model` the dropout rates, and from scratch the shape.
    pub preset: Preset,
    /// The task.
    pub task: Task,
    /// Where the weights come from.
    pub init: Init,
    /// The vocabulary's directory; `None`: that of the pre-trained model.
    pub tokenizer: Option<PathBuf>,
    /// The folder that holds the tasks' official folders.
    pub data: PathBuf,
    /// The directory to write.
    pub out: PathBuf,
    /// Threads at work, for the record; they are rayon's.
    pub n_threads: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The model is written.
    Finished(Finetuned),
    /// A signal came; a checkpoint has been written.
    Interrupted {
        /// SIGINT (2) or SIGTERM (15).
        signal: i32,
    },
}

/// A finished model.
#[derive(Debug, Clone, PartialEq)]
pub struct Finetuned {
    /// Its directory.
    pub out: PathBuf,
    /// Scores on the development set after the last epoch.
    pub dev: Vec<(Metric, f64)>,
    /// What the training set's majority answer scores there.
    pub majority: Vec<(Metric, f64)>,
}

/// The two splits, read and encoded.
struct Data {
    train: Encoded,
    dev: Encoded,
    dev_set: Dataset,
    majority: Target,
    majority_scores: Vec<(Metric, f64)>,
}

/// Fine-tunes a model and writes its directory: `config.json`, `model.safetensors`, the vocabulary's files, `task.json`,
/// `metrics.jsonl`, and `best/`, the model of the best epoch, if the preset says so. An interrupted run with the same options continues and ends with the same bytes.
///
/// # Errors
/// Anything wrong with model, vocabulary, data or output; an earlier output is then untouched.
pub fn run(options: &Options) -> Result<Ended, FinetuneError> {
    let Options { preset, task, .. } = options;
    let config = &preset.finetune;
    let (mut model, encoder, tokenizer) = initial_model(options)?;
    let special = Special::after(encoder.n_vocab());

    let mut train_set = gpt1_tasks::read(*task, &options.data, Split::Train)?;
    let dev_set = gpt1_tasks::read(*task, &options.data, Split::Dev)?;
    train_set.examples.truncate(config.max_train_examples.unwrap_or(usize::MAX));

    let mut manifest = Manifest::start("finetune", version::FINETUNE, &resolved(options, &model.config));
    let mut init_digest = None;
    if let Init::Pretrained(dir) = &options.init {
        init_digest = Some(manifest.input("init", dir)?);
    }
    if options.tokenizer.is_some() {
        manifest.input("tokenizer", &tokenizer)?;
    }
    for set in [&train_set, &dev_set] {
        manifest.inputs(set.split.name(), &set.files)?;
    }
    manifest.n_threads = options.n_threads;
    let run_key = manifest.run_key();
    let out = OutputDir::begin(&options.out, &run_key)?;

    let data = prepare(train_set, dev_set, &encoder, &special, model.config.n_positions)?;
    let settings = settings(config, *task, data.train.n_examples(), &run_key);
    plan(&model.config, config, &data, settings.n_updates, options.n_threads)?;

    let mut dev = Value::Null;
    let (outcome, best) = train(&settings, out.path(), &mut model, &data, config, &mut dev)?;
    if let Outcome::Interrupted { signal } = outcome {
        return Ok(Ended::Interrupted { signal });
    }
    model.save(out.path())?;
    encoder.copy_files_to(out.path())?;
    let training = Training {
        init: options.init.name().to_owned(),
        seed: config.seed,
        n_train: data.train.n_examples(),
        lm_coef: config.lm_coef,
        n_layer_transferred: config.n_layer_transferred.filter(|_| init_digest.is_some()),
        architecture: model.config.architecture().to_owned(),
    };
    let task_file = TaskFile::new(*task, encoder.n_vocab(), training, init_digest, data.majority);
    task_file.write(out.path())?;
    if config.keep_best {
        let best = write_best(out.path(), best.map_or(settings.n_updates, |best| best.update))?;
        encoder.copy_files_to(&best)?;
        task_file.write(&best)?;
    }
    manifest.note("best", best);
    manifest.note("dev", &dev);
    manifest.note("n_train", data.train.n_examples());
    manifest.note("n_truncated", data.train.n_truncated);
    let out = out.commit(manifest)?;
    checkpoint::remove_all(&out)?;
    let dev = task.metrics().iter().filter_map(|metric| Some((*metric, dev.get(metric.name())?.as_f64()?))).collect();
    Ok(Ended::Finished(Finetuned { out, dev, majority: data.majority_scores }))
}

/// The model before its first update, with the new tokens and the classifier; its vocabulary, and where that was read.
fn initial_model(options: &Options) -> Result<(Model, Encoder, PathBuf), FinetuneError> {
    let Options { preset, task, init, .. } = options;
    let seed = preset.finetune.seed;
    let (model, encoder, tokenizer) = match init {
        Init::Scratch => {
            let tokenizer = options.tokenizer.clone().ok_or(FinetuneError::NoTokenizer)?;
            let encoder = Encoder::from_dir(&tokenizer)?;
            (Model::init(Config::new(&preset.model, encoder.n_vocab()), seed), encoder, tokenizer)
        }
        Init::Pretrained(dir) => {
            let config = Config::read(dir)?;
            if let Some(file) = TaskFile::read(dir)? {
                return Err(FinetuneError::AlreadyFineTuned { dir: dir.clone(), task: file.task });
            }
            let tokenizer = options.tokenizer.clone().unwrap_or_else(|| dir.clone());
            let encoder = Encoder::from_dir(&tokenizer)?;
            if config.vocab_size != encoder.n_vocab() {
                return Err(FinetuneError::VocabularySize {
                    model: dir.clone(),
                    vocab_size: config.vocab_size,
                    expected: encoder.n_vocab(),
                    tokenizer,
                    n_vocab: encoder.n_vocab(),
                });
            }
            let mut model = Model::load(dir)?;
            if let Some(n) = preset.finetune.n_layer_transferred {
                if model.config.n_units.is_some() {
                    return Err(FinetuneError::NoBlocks { asked: n, model: dir.clone() });
                }
                let n_layer = model.config.n_layer;
                if n > n_layer {
                    return Err(FinetuneError::TooManyLayers { asked: n, n_layer, model: dir.clone() });
                }
                model = model.reset_blocks(n, seed);
            }
            model.config.embd_pdrop = preset.model.embd_pdrop;
            model.config.resid_pdrop = preset.model.resid_pdrop;
            model.config.attn_pdrop = preset.model.attn_pdrop;
            (model, encoder, tokenizer)
        }
    };
    let model = model.add_tokens(N_SPECIAL, seed).add_classifier(task.n_classes(), seed);
    Ok((model, encoder, tokenizer))
}

/// What decides the result beside the inputs. The model's shape is that of the model, whatever the preset says.
fn resolved(options: &Options, model: &Config) -> Value {
    let init = options.init.name();
    let precision = gpt1_kernels::Precision::chosen().name();
    json!({
        "task": options.task, "init": init, "model": model, "finetune": options.preset.finetune, "precision": precision,
    })
}

/// Encodes both splits; says what was left out or cut.
fn prepare(
    train_set: Dataset,
    dev_set: Dataset,
    encoder: &Encoder,
    special: &Special,
    n_ctx: usize,
) -> Result<Data, FinetuneError> {
    let mut both = Vec::new();
    for set in [&train_set, &dev_set] {
        if let Some(example) = set.examples.iter().find(|example| example.target == Target::None) {
            return Err(FinetuneError::Unlabelled { task: set.task, split: set.split, id: example.id.clone() });
        }
        let encoded = encode(set, encoder, special, n_ctx)?;
        eprintln!(
            "{} {}: {} examples, {} tokens, {} examples cut to fit {n_ctx} tokens",
            set.task.title(),
            set.split,
            encoded.n_examples(),
            encoded.n_tokens(),
            encoded.n_truncated
        );
        for note in &set.notes {
            eprintln!("  {note}");
        }
        both.push(encoded);
    }
    let [train, dev] = <[Encoded; 2]>::try_from(both).expect("two splits");
    let majority = majority(train_set.task, &train_set.examples);
    let majority_scores = majority_scores(train_set.task, &train_set.examples, &dev_set.examples).unwrap_or_default();
    Ok(Data { train, dev, dev_set, majority, majority_scores })
}

fn settings(config: &FinetuneConfig, task: Task, n_examples: usize, run_key: &Value) -> Settings {
    let n_updates = updates_per_epoch(n_examples, config) * config.n_epochs as u64;
    Settings {
        ranks: Ranks::alone(),
        n_updates,
        adam: AdamConfig {
            learning_rate: config.learning_rate,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            weight_decay: config.weight_decay,
            max_grad_norm: Some(config.max_grad_norm),
        },
        schedule: Schedule::WarmupLinear { warmup_fraction: config.warmup_fraction, total: n_updates },
        log_interval: config.log_interval,
        checkpoint_interval: config.checkpoint_interval,
        n_checkpoints: config.n_checkpoints,
        evaluated_on: "dev",
        // The metric that the paper's tables report.
        best: Criterion { name: dev_name(task.metrics()[0]), lower_is_better: false },
        keep_best: config.keep_best,
        run_digest: digest::bytes(run_key.to_string().as_bytes()),
        ids_are: "examples (rows of the training set, from 0)",
    }
}

/// The last batch of an epoch may be smaller; the released code leaves it out, with up to 31 examples.
fn updates_per_epoch(n_examples: usize, config: &FinetuneConfig) -> u64 {
    n_examples.div_ceil(config.batch_size) as u64
}

/// Prints the plan of memory and time; refuses what the machine cannot hold.
fn plan(
    model: &Config,
    config: &FinetuneConfig,
    data: &Data,
    n_updates: u64,
    n_threads: usize,
) -> Result<(), FinetuneError> {
    let train = &data.train;
    let per_example = (0..train.n_examples() as u32).map(|i| train.n_tokens_of(i));
    let largest = per_example.max().unwrap_or(0);
    let tokens_per_update = train.n_tokens() as f64 * config.n_epochs as f64 / n_updates as f64;
    let work = Work {
        micro_batch_tokens: TOKENS_AT_ONCE.min(largest * config.batch_size).max(largest),
        tokens_per_update,
        n_updates,
        n_epochs: config.n_epochs as f64,
        n_threads,
        n_ranks: 1,
        n_here: 1,
    };
    let plan = Plan::new(model, work);
    eprintln!("{plan}");
    Ok(plan.check_memory()?)
}

/// All updates, with the development set scored after each epoch; `dev` becomes the last of those scores. Returns the best, too.
fn train(
    settings: &Settings,
    out: &Path,
    model: &mut Model,
    data: &Data,
    config: &FinetuneConfig,
    dev: &mut Value,
) -> Result<(Outcome, Option<Best>), FinetuneError> {
    let per_epoch = updates_per_epoch(data.train.n_examples(), config);
    let recipe = Recipe { lm_coef: config.lm_coef, clf_pdrop: config.clf_pdrop };
    let interrupt = Interrupt::listen()?;
    let mut ws = Workspace::new(&model.config);
    let mut epoch_and_order = (u64::MAX, Vec::new());
    let step = |u: u64, model: &Model, grads: &mut Gradients| {
        let epoch = u / per_epoch;
        if epoch_and_order.0 != epoch {
            epoch_and_order = (epoch, order(data.train.n_examples(), config.seed, epoch));
        }
        let first = (u % per_epoch) as usize * config.batch_size;
        let last = (first + config.batch_size).min(epoch_and_order.1.len());
        let batch = &epoch_and_order.1[first..last];
        let dropout = Dropout { seed: config.seed, step: u };
        let stop = || interrupt.signal().is_some();
        let losses = gradients(model, &data.train, batch, recipe, dropout, &mut ws, &mut grads.sum, stop)?;
        let mut parts = vec![("classifier_loss", losses.classifier)];
        if recipe.lm_coef > 0.0 {
            parts.push(("lm_loss", losses.language_model));
        }
        Some(Step {
            loss: losses.classifier + f64::from(recipe.lm_coef) * losses.language_model,
            parts,
            n_tokens: batch.iter().map(|example| data.train.n_tokens_of(*example) as u64).sum(),
            ids: batch.iter().map(|example| u64::from(*example)).collect(),
        })
    };
    let evaluate = |finished: u64, model: &Model, dev: &mut Value| {
        if finished == 0 || !finished.is_multiple_of(per_epoch) {
            return Ok(Vec::new());
        }
        let scored = score(model, &data.dev_set, &data.dev);
        let mut values = vec![("dev_loss", scored.loss.unwrap_or(f64::NAN))];
        let scores = scored.scores.unwrap_or_default();
        values.extend(scores.iter().map(|(metric, value)| (dev_name(*metric), *value)));
        let by_name: Map<String, Value> = scores.iter().map(|(m, value)| (m.name().to_owned(), json!(value))).collect();
        *dev = Value::Object(by_name);
        Ok(values)
    };
    Ok(gpt1_training::run(settings, out, model, dev, &interrupt, step, evaluate)?)
}

/// The metric's key in metrics.jsonl.
fn dev_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "dev_accuracy",
        Metric::F1 => "dev_f1",
        Metric::Matthews => "dev_matthews",
        Metric::Pearson => "dev_pearson",
        Metric::Spearman => "dev_spearman",
    }
}
