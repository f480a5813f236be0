//! SciTail (Khot et al. 2018): does the premise, a sentence of the web, entail the hypothesis, the answer to a science question?
//! Two of the official formats are read: `tsv_format`, whose columns are premise, hypothesis, label (`entails`, `neutral`)
//! without header; and `snli_format`, JSON lines as SNLI's, which says `entailment`.

use crate::files::Place;
use crate::task::Definition;
use crate::tsv::{self, Table};
use crate::{Answer, Dataset, Kind, Metric, TaskError, jsonl};

pub(super) static TASK: Definition = Definition {
    name: "scitail",
    title: "SciTail",
    folders: &["scitail", "scitailv1", "scitailv11"],
    kind: Kind::Entailment,
    answer: Answer::Label(&["entails", "neutral"]),
    metrics: &[Metric::Accuracy],
    submission: "SciTail.tsv",
    submission_mismatched: None,
    source: "unpack http://data.allenai.org.s3.amazonaws.com/downloads/SciTailV1.1.zip there",
    read,
};

fn read(place: &Place) -> Result<Dataset, TaskError> {
    let file = format!("scitail_1.0_{}", place.split);
    let tsv_files = [format!("tsv_format/{file}.tsv"), format!("{file}.tsv")];
    let json_files = [format!("snli_format/{file}.txt"), format!("{file}.txt")];
    let json_names = json_files.each_ref().map(String::as_str);
    let tsv_names = tsv_files.each_ref().map(String::as_str);
    if let Some(path) = place.try_find(&tsv_names)? {
        let columns: &[&str] = &["premise", "hypothesis", "label"];
        let texts = &columns[..2];
        return tsv::read(
            place,
            path,
            &Table { columns: Some(columns), id: "", texts, label: "label", skip_broken: false },
        );
    }
    let path = place.find(&[tsv_names, json_names].concat())?;
    jsonl::read(place, path, &[("entailment", "entails")])
}
