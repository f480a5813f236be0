//! `gpt1-pretrain bench` through the real binary: what it prints fits together.

use serde_json::Value;
use std::process::{Command, Output};

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gpt1-pretrain")).arg("bench").args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = bench(&[args, &["--json", "--threads", "2"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn rates_shares_and_parts_fit_together() {
    for (mode, batch) in [("train", "3"), ("forward", "2")] {
        let found = json(&["--preset", "tiny", "--mode", mode, "--batch", batch, "--steps", "3"]);
        assert_eq!(found["n"], 3, "{found}");
        let number = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("{key}: {found}"));
        assert!(number("tokens_per_s_min") <= number("tokens_per_s"));
        assert!(number("tokens_per_s") <= number("tokens_per_s_max"));
        assert!(number("peak_rss_gib") > 0.001 && number("ceiling_gflops") > 0.1);
        let share = 1e3 * number("tflops") / number("ceiling_gflops");
        assert!((number("share_of_ceiling") - share).abs() < 1e-9);
        let parts = found["profile"]["parts"].as_array().unwrap();
        let names: Vec<&str> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
        for name in ["attention forward", "attn.c_attn forward", "mlp.c_fc forward", "norms forward", "head, logits"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        let trains = mode == "train";
        for name in ["attention backward", "mlp.c_fc d_weight", "head, d_embedding", "optimiser, update"] {
            assert_eq!(names.contains(&name), trains, "{name}: {names:?}");
        }
        let booked: f64 = parts.iter().map(|part| part["share"].as_f64().unwrap()).sum();
        assert!((0.8..=1.0001).contains(&booked), "{booked} of the time is booked");
    }
}

#[test]
fn sampling_is_compared_with_the_memory() {
    let found = json(&["--preset", "small", "--vocab", "500", "--mode", "sample", "--batch", "7", "--steps", "1"]);
    assert_eq!(found["batch"], 1);
    assert!(found["share_of_bandwidth"].as_f64().unwrap() > 0.0 && found["read_gb_per_s"].as_f64().unwrap() > 0.0);
    let output = bench(&["--preset", "tiny", "--mode", "sample"]);
    assert_eq!(output.status.code(), Some(1), "the context is too short");
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs a context of 144"));
}

#[test]
fn the_table_names_the_parts() {
    let output = bench(&["--preset", "tiny", "--batch", "1", "--steps", "1", "--profile"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("mode, preset, batch") && lines[0].ends_with("waiting"), "{text}");
    assert!(lines[1].starts_with("train tiny 1 x 128, 0, ") && lines[1].ends_with('%'), "{text}");
    assert_eq!(lines[0].len(), lines[1].len(), "columns stand below their names: {text}");
    assert!(text.contains("\nattention backward") && text.contains("threads waiting: "), "{text}");
}
