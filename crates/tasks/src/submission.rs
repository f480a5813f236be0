//! Predictions in the format in which the benchmarks take them.

use std::io::{self, Write};

use crate::{Answer, Example, Split, Target, Task};

/// The file's name as the benchmark wants it (GLUE: `RTE.tsv`, `MNLI-m.tsv`, `MNLI-mm.tsv` ...).
pub fn submission_name(task: Task, split: Split) -> &'static str {
    match task.0.submission_mismatched {
        Some(name) if split.is_mismatched() => name,
        _ => task.0.submission,
    }
}

/// Writes the predictions, one for each of `examples`: GLUE's `index<tab>prediction` with the labels of the official
/// files (STS-B: the score from 0 to 5 with three decimals), Story Cloze's `InputStoryid,AnswerRightEnding`. Benchmarks that take no
/// submissions (SNLI, SciTail, RACE) get GLUE's format.
///
/// # Errors
/// Those of `out`; `InvalidInput` if a prediction is missing or is not one of this task's.
pub fn write_submission(
    task: Task,
    examples: &[Example],
    predictions: &[Target],
    out: &mut impl Write,
) -> io::Result<()> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    if predictions.len() != examples.len() {
        let (found, expected) = (predictions.len(), examples.len());
        return Err(invalid(format!("{found} predictions for {expected} examples of {}", task.title())));
    }
    let csv = task.0.submission.rsplit('.').next() == Some("csv");
    writeln!(out, "{}", if csv { "InputStoryid,AnswerRightEnding" } else { "index\tprediction" })?;
    for (example, prediction) in examples.iter().zip(predictions) {
        let id = &example.id;
        let prediction = match (task.answer(), prediction) {
            (Answer::Label(labels), &Target::Class(class)) => labels.get(class).map(|&label| label.to_owned()),
            (Answer::Score, Target::Score(score)) => Some(format!("{:.3}", score.clamp(0.0, 5.0))),
            _ => None,
        };
        let prediction =
            prediction.ok_or_else(|| invalid(format!("no prediction of {} for example {id}", task.title())))?;
        if !csv {
            writeln!(out, "{}\t{prediction}", id.replace(['\t', '\r', '\n'], " "))?;
        } else if id.contains([',', '"', '\r', '\n']) {
            writeln!(out, "\"{}\",{prediction}", id.replace('"', "\"\""))?;
        } else {
            writeln!(out, "{id},{prediction}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(task: &str, ids: &[&str], predictions: &[Target]) -> io::Result<String> {
        let example = |id: &&str| Example { id: (*id).to_owned(), texts: vec![], target: Target::None };
        let examples: Vec<Example> = ids.iter().map(example).collect();
        let mut out = Vec::new();
        write_submission(task.parse().unwrap(), &examples, predictions, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn formats() {
        use Target::{Class, Score};
        assert_eq!(
            written("rte", &["0", "1"], &[Class(1), Class(0)]).unwrap(),
            "index\tprediction\n0\tnot_entailment\n1\tentailment\n"
        );
        assert_eq!(written("stsb", &["7"], &[Score(3.25)]).unwrap(), "index\tprediction\n7\t3.250\n");
        assert_eq!(
            written("stsb", &["7", "8"], &[Score(5.25), Score(-1.0)]).unwrap(),
            "index\tprediction\n7\t5.000\n8\t0.000\n"
        );
        assert_eq!(written("ax", &["7"], &[Class(2)]).unwrap(), "index\tprediction\n7\tcontradiction\n");
        assert_eq!(written("cola", &["7"], &[Class(1)]).unwrap(), "index\tprediction\n7\t1\n");
        assert_eq!(
            written("storycloze", &["b929f263", "a,\"b"], &[Class(0), Class(1)]).unwrap(),
            "InputStoryid,AnswerRightEnding\nb929f263,1\n\"a,\"\"b\",2\n"
        );
        assert_eq!(written("race", &["high/1.txt:0"], &[Class(3)]).unwrap(), "index\tprediction\nhigh/1.txt:0\tD\n");
        for prediction in [Target::None, Class(2), Score(1.0)] {
            assert_eq!(written("rte", &["0"], &[prediction]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert!(written("rte", &["0", "1"], &[Class(0)]).is_err());
    }

    #[test]
    fn names() {
        let name = |task: &str, split| submission_name(task.parse().unwrap(), split);
        let glue = ["CoLA", "SST-2", "MRPC", "STS-B", "QQP", "QNLI", "RTE", "WNLI", "AX"];
        for (task, file) in ["cola", "sst2", "mrpc", "stsb", "qqp", "qnli", "rte", "wnli", "ax"].into_iter().zip(glue) {
            assert_eq!(name(task, Split::Test), format!("{file}.tsv"));
        }
        assert_eq!(name("mnli", Split::Test), "MNLI-m.tsv");
        assert_eq!(name("mnli", Split::TestMismatched), "MNLI-mm.tsv");
    }
}
