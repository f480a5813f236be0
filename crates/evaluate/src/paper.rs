//! What the paper reports beside each task's own numbers ([`gpt1_tasks::Task::paper`]): GLUE's average and the ablations.

use gpt1_finetune::Training;

/// GPT-1's score on GLUE, times 100 (table 4): the mean over the nine tasks of the mean of each task's metrics.
pub const GLUE: f64 = 72.8;

/// The number of its table.
pub const GLUE_TABLE: u8 = 4;

/// The tasks of that average, by name.
pub const GLUE_TASKS: [&str; 9] = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"];

/// A row of table 5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ablation {
    /// What was changed.
    pub name: &'static str,
    /// The mean of the scores.
    pub average: f64,
    /// Of [`ABLATION_TASKS`], times 100: CoLA Matthews, SST-2 accuracy, MRPC F1, STS-B Pearson, QQP F1, MNLI, QNLI and RTE
    /// accuracy. MNLI is the mean of matched and mismatched.
    pub scores: [f64; 8],
}

/// How a model of a row of [`ABLATIONS`] was trained, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As the paper's model.
    Full,
    /// From random weights.
    WithoutPretraining,
    /// Without the auxiliary language-modelling objective.
    WithoutLm,
    /// With an LSTM in the place of the Transformer.
    Lstm,
}

/// The row that a model belongs to; none for other mixtures, and where a part of the layers was transferred.
pub fn method(training: &Training) -> Option<Method> {
    if training.n_layer_transferred.is_some() {
        return None;
    }
    match (training.architecture.as_str(), training.init.as_str(), training.lm_coef > 0.0) {
        ("transformer", "pretrained", true) => Some(Method::Full),
        ("transformer", "scratch", true) => Some(Method::WithoutPretraining),
        ("transformer", "pretrained", false) => Some(Method::WithoutLm),
        ("lstm", "pretrained", true) => Some(Method::Lstm),
        _ => None,
    }
}

/// The columns of table 5, by name of the task.
pub const ABLATION_TASKS: [&str; 8] = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"];

/// Table 5.
pub const ABLATIONS: [Ablation; 4] = [
    Ablation {
        name: "Transformer w/ aux LM (full)",
        average: 74.7,
        scores: [45.4, 91.3, 82.3, 82.0, 70.3, 81.8, 88.1, 56.0],
    },
    Ablation {
        name: "Transformer w/o pre-training",
        average: 59.9,
        scores: [18.9, 84.0, 79.4, 30.9, 65.5, 75.7, 71.2, 53.8],
    },
    Ablation {
        name: "Transformer w/o aux LM",
        average: 75.0,
        scores: [47.9, 92.0, 84.9, 83.2, 69.8, 81.1, 86.9, 54.4],
    },
    Ablation { name: "LSTM w/ aux LM", average: 69.1, scores: [30.3, 90.5, 83.2, 71.8, 68.1, 73.7, 81.1, 54.6] },
];

#[cfg(test)]
mod tests {
    use super::*;
    use gpt1_tasks::Task;

    #[test]
    fn averages_are_those_of_the_scores() {
        for Ablation { name, average, scores } in ABLATIONS {
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            // The paper rounds, or cuts off.
            assert!((mean - average).abs() <= 0.1, "{name}: {mean}, the paper says {average}");
        }
    }

    #[test]
    fn the_full_model_of_table_5_is_that_of_tables_2_and_4() {
        for (name, score) in ABLATION_TASKS.iter().zip(ABLATIONS[0].scores) {
            let numbers = name.parse::<Task>().unwrap().paper();
            let mean = numbers.iter().map(|number| number.score).sum::<f64>() / numbers.len() as f64;
            assert!((mean - score).abs() < 0.051, "{name}: {mean}, table 5 says {score}");
        }
        assert!(GLUE_TASKS.iter().all(|name| name.parse::<Task>().is_ok()));
    }
}
