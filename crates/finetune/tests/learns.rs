//! Every input transformation learns a task whose answer is one word.

mod common;

use common::{Place, finish, metric};
use gpt1_artifacts::preset::Architecture;
use gpt1_finetune::{Init, TaskModel, encode, score};
use gpt1_model::{Config, Model};
use gpt1_tasks::{Metric, Split, read};

/// Of the first and the last eight values.
fn means(values: &[f64]) -> (f64, f64) {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    (mean(&values[..8]), mean(&values[values.len() - 8..]))
}

#[test]
fn all_forms_learn() {
    let place = Place::new(240);
    for (task, metric_name) in [
        ("sst2", Metric::Accuracy),
        ("rte", Metric::Accuracy),
        ("mrpc", Metric::F1),
        ("stsb", Metric::Pearson),
        ("storycloze", Metric::Accuracy),
    ] {
        let done = finish(&place.options(task, task, &["finetune.n_epochs=6"]));
        let (name, value) = done.dev[0];
        assert_eq!(name, metric_name);
        assert!(value > 0.9, "{task}: {} {value}", name.name());
        assert!(value > done.majority[0].1 + 0.2, "{task}: majority {}", done.majority[0].1);
        let (first, last) = means(&metric(&done.out, "classifier_loss"));
        assert!(last < 0.7 * first, "{task}: classifier loss {first} -> {last}");
        let (first, last) = means(&metric(&done.out, "lm_loss"));
        assert!(last < 0.8 * first, "{task}: language-model loss {first} -> {last}");
        assert_eq!(metric(&done.out, "dev_loss").len(), 6);
        assert!(!done.out.join(".checkpoints").exists());

        // The directory alone gives the same scores again.
        let model = TaskModel::load(&done.out, task.parse().unwrap()).unwrap();
        assert_eq!(model.file.training.init, "scratch");
        let dev = read(model.file.task, &place.data, Split::Dev).unwrap();
        let encoded = encode(&dev, &model.encoder, &model.file.special(), model.model.config.n_positions).unwrap();
        let scored = score(&model.model, &dev, &encoded);
        assert!((scored.scores.unwrap()[0].1 - value).abs() < 1e-12, "{task}");
        for name in ["vocab.json", "merges.txt"] {
            let read = |dir: &std::path::Path| fs_err::read(dir.join(name)).unwrap();
            assert_eq!(read(&done.out), read(&place.tokenizer), "{name}");
        }
    }
}

#[test]
fn a_pretrained_model_keeps_its_shape_and_weights() {
    let place = Place::new(32);
    let encoder = gpt1_tokenize::Encoder::from_dir(&place.tokenizer).unwrap();
    let mut options = place.options("rte", "out", &["finetune.learning_rate=1.0e-12", "finetune.weight_decay=0.0"]);
    let mut shape = options.preset.model.clone();
    (shape.n_layer, shape.n_ctx) = (1, 30);
    let before = Model::init(Config::new(&shape, encoder.n_vocab()), 7);
    let init = place.join("pretrained");
    fs_err::create_dir(&init).unwrap();
    before.save(&init).unwrap();
    encoder.copy_files_to(&init).unwrap();
    (options.init, options.tokenizer) = (Init::Pretrained(init), None);
    let done = finish(&options);
    let after = TaskModel::load(&done.out, options.task).unwrap();
    assert_eq!((after.model.config.n_layer, after.model.config.n_positions), (1, 30));
    assert_eq!((after.file.training.init.as_str(), after.file.init_digest.is_some()), ("pretrained", true));
    assert_eq!(after.model.config.vocab_size, encoder.n_vocab() + 3);
    for tensor in &before.params.layout.tensors {
        let kept = after.model.params.tensor(&tensor.name).unwrap();
        let found = &before.params.data[tensor.range.clone()];
        assert!(kept.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-6), "{}", tensor.name);
    }
    // The new rows are random, not zero.
    let embedding = after.model.params.tensor("transformer.tokens_embed.weight").unwrap();
    let new = &embedding[encoder.n_vocab() * 32..];
    let deviation = (new.iter().map(|x| x * x).sum::<f32>() / new.len() as f32).sqrt();
    assert!((0.07..0.13).contains(&deviation), "{deviation}");

    // Of the pre-trained model only the embeddings: its block begins anew.
    options.out = place.join("transferred");
    options.preset.finetune.n_layer_transferred = Some(0);
    let transferred = TaskModel::load(&finish(&options).out, options.task).unwrap();
    assert_eq!(transferred.file.training.n_layer_transferred, Some(0));
    for (name, is_kept) in [("positions_embed.weight", true), ("h.0.attn.c_attn.weight", false)] {
        let name = &format!("transformer.{name}");
        let (found, pretrained) = (transferred.model.params.tensor(name), before.params.tensor(name));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert_eq!(found.unwrap().iter().zip(pretrained.unwrap()).all(near), is_kept, "{name}");
    }
    options.out = place.join("too_many");
    options.preset.finetune.n_layer_transferred = Some(2);
    let error = gpt1_finetune::run(&options).unwrap_err().to_string();
    assert!(error.starts_with("finetune.n_layer_transferred = 2: expected null or 0 to 1"), "{error}");
    let lstm = place.join("lstm");
    fs_err::create_dir(&lstm).unwrap();
    shape.architecture = Architecture::Lstm;
    Model::init(Config::new(&shape, encoder.n_vocab()), 7).save(&lstm).unwrap();
    encoder.copy_files_to(&lstm).unwrap();
    options.init = Init::Pretrained(lstm);
    options.preset.finetune.n_layer_transferred = Some(0);
    let error = gpt1_finetune::run(&options).unwrap_err().to_string();
    assert!(error.starts_with("finetune.n_layer_transferred = 0: expected null, as the LSTM in "), "{error}");
}

#[test]
fn another_seed_another_model_and_a_limit_on_examples() {
    let place = Place::new(64);
    let run = |out: &str, more: &[&str]| finish(&place.options("sst2", out, more)).out;
    let (a, b) = (run("a", &["finetune.seed=1"]), run("b", &["finetune.seed=2"]));
    assert_ne!(metric(&a, "loss"), metric(&b, "loss"));
    // 33 of 64 examples in batches of 16: the third batch has one.
    let c = run("c", &["finetune.max_train_examples=33", "finetune.n_epochs=2"]);
    assert_eq!(metric(&c, "loss").len(), 6);
}
