//! Folders that somebody removes while a stage is at work: a clear error and exit code 1, or no matter at all.

use gpt1_tests::small::{Random, STAGES, World, assert_same, content, names, partial, said, start, wait};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// One for each test: what one removes is no input of the other.
fn world() -> World {
    World::new(
        60,
        &[
            "tokenizer.n_merges=800",
            "shards.tokens_per_shard=20000",
            "pretrain.max_updates=40",
            "finetune.max_train_examples=32",
        ],
    )
}

/// Waits until the run writes into its folder and some time more; false if it has ended.
fn is_at_work(child: &mut Child, out: &Path, more: Duration) -> bool {
    loop {
        if child.try_wait().expect("a process of ours").is_some() {
            return false;
        }
        if partial(out).join(".run-key.json").exists() {
            std::thread::sleep(more);
            return child.try_wait().expect("a process of ours").is_none();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Removes a folder whatever is written into it meanwhile.
fn remove(dir: &Path) {
    for _ in 0..1000 {
        if !dir.exists() || fs_err::remove_dir_all(dir).is_ok() {
            return;
        }
    }
    panic!("cannot remove {}", dir.display());
}

#[test]
fn an_output_that_is_removed_under_a_run_is_named() {
    let world = world();
    let mut random = Random::new("removed outputs");
    for (i, stage) in STAGES.into_iter().enumerate() {
        for case in 0..4 {
            let (_dir, out) = world.case();
            let place = out.parent().expect("the place");
            let mut child = start(&mut world.command(stage, &out), &out);
            let was_at_work = is_at_work(&mut child, &out, world.usual[i].mul_f64(0.7 * random.uniform()));
            // The folder that it writes into, or the one around it with all that is there.
            if case % 2 == 0 {
                remove(&partial(&out));
            } else {
                remove(place);
            }
            let status = wait(&mut child, stage);
            let message = said(&out);
            let what = format!("{stage}, removed {}: {status}\n{message}", ["partial", "parent"][case % 2]);
            if status.success() {
                // It had done its work. What a removed folder was given after that is gone with it.
                assert!(content(&out).is_empty() || content(&out) == world.expected[i], "{what}");
            } else {
                assert!(was_at_work, "{what}");
                assert_eq!(status.code(), Some(1), "{what}");
                assert!(message.contains("error: ") && !message.contains("panicked"), "{what}");
                assert!(
                    message.contains(place.to_str().expect("UTF-8")) && message.contains("the same command again"),
                    "{what}"
                );
                assert!(content(&out).is_empty(), "{what}");
            }
            world.succeed(stage, &out);
            world.check(stage, &out, &what);
        }
    }
}

#[test]
fn an_input_that_is_removed_under_a_run_is_named_or_no_matter() {
    let world = world();
    let mut random = Random::new("removed inputs");
    let inputs = [&["corpus"][..], &["corpus"], &["results/shard"], &["data/tasks/RTE"], &["results/finetune"]];
    for (i, stage) in STAGES.into_iter().enumerate() {
        for input in inputs[i] {
            let (_dir, out) = world.case();
            let (input, aside) = (world.root.join(input), world.root.join("aside"));
            let mut child = start(&mut world.command(stage, &out), &out);
            std::thread::sleep(world.usual[i].mul_f64(0.8 * random.uniform()));
            fs_err::rename(&input, &aside).expect("it can be moved");
            let status = wait(&mut child, stage);
            fs_err::rename(&aside, &input).expect("it can be moved back");
            let message = said(&out);
            let what = format!("{stage}, removed {}: {status}\n{message}", input.display());
            if status.success() {
                assert_same(&content(&out), &world.expected[i], &what);
            } else {
                assert_eq!(status.code(), Some(1), "{what}");
                assert!(message.contains("error: ") && !message.contains("panicked"), "{what}");
                assert!(message.contains(input.to_str().expect("UTF-8")), "{what}");
                assert!(names(&out).is_empty(), "{what}");
            }
            world.succeed(stage, &out);
            world.check(stage, &out, &what);
        }
    }
}
