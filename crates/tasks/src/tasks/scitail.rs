//! SciTail (Khot et al. 2018): does the premise, a sentence of the web, entail the hypothesis, the answer to a science question?
//! All four official formats are read: `tsv_format`, whose columns are premise, hypothesis, label (`entails`, `neutral`) without
//! header, and `dgem_format` with the hypothesis's structure as a fourth; `snli_format`, JSON lines as SNLI's, which says
//! `entailment`, and `predictor_format`, JSON lines which say `entails`. Those with structure lack nine training pairs.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, Paper, TaskError, jsonl};

pub(super) static TASK: Definition = Definition {
    name: "scitail",
    title: "SciTail",
    folders: &["scitail", "scitailv1", "scitailv11"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entails", "neutral"]),
    metrics: &[Metric::Accuracy],
    submission: "SciTail.tsv",
    submission_mismatched: None,
    trained_on: None,
    groups: &[],
    paper: &[Paper::new("SciTail", 88.3, 2)],
    source: "unpack http://data.allenai.org.s3.amazonaws.com/downloads/SciTailV1.1.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let split = place.split;
    let names = [
        ("tsv_format", format!("scitail_1.0_{split}.tsv")),
        ("snli_format", format!("scitail_1.0_{split}.txt")),
        ("predictor_format", format!("scitail_1.0_structure_{split}.jsonl")),
        ("dgem_format", format!("scitail_1.0_structure_{split}.tsv")),
    ]
    .map(|(folder, file)| [format!("{folder}/{file}"), file])
    .concat();
    let path = place.find(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    if path.extension().is_some_and(|extension| extension == "tsv") {
        let columns: &[&str] = &["premise", "hypothesis", "label", "structure"];
        return tsv::read(place, path, &Table { columns: Some(columns), texts: &columns[..2], ..tsv::GLUE });
    }
    jsonl::read(place, path, &[("entailment", "entails")])
}
