//! Weights made ready for products once, for all batches that see the same weights.

use crate::{Model, Workspace};
use gpt1_kernels::product::Packed;
use gpt1_kernels::{Precision, RightOperand};
use ndarray::ArrayView2;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// Packed weights, by the tensor's number: as they are, and transposed. Each is packed when it is first needed.
#[derive(Debug)]
pub(crate) struct Held {
    panels: Vec<[OnceLock<Packed>; 2]>,
}

/// A workspace that keeps the packed weights of a model from batch to batch. While it lives, nobody can change the model; when
/// it is dropped, they are forgotten.
#[derive(Debug)]
pub struct Holding<'a> {
    workspace: &'a mut Workspace,
    /// The weights belong to it.
    _model: &'a Model,
}

impl Workspace {
    /// Keeps packed weights of `model` as long as the result lives: for several batches between two updates. In bf16; in f32
    /// the copies would be as large as the model, and are made anew each time.
    pub fn hold<'a>(&'a mut self, model: &'a Model) -> Holding<'a> {
        self.held = (self.precision == Precision::Bf16).then(|| {
            let panels = model.params.layout.tensors.iter().map(|_| Default::default()).collect();
            Held { panels }
        });
        Holding { workspace: self, _model: model }
    }
}

impl Deref for Holding<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        self.workspace
    }
}

impl DerefMut for Holding<'_> {
    fn deref_mut(&mut self) -> &mut Workspace {
        self.workspace
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.workspace.held = None;
    }
}

impl Held {
    /// A weight (in, out), number `tensor` of the layout, as the right operand of products, or its transpose: kept, if weights
    /// are.
    pub(crate) fn operand<'a>(
        held: Option<&'a Held>,
        precision: Precision,
        tensor: usize,
        weight: ArrayView2<'a, f32>,
        transposed: bool,
    ) -> RightOperand<'a> {
        let weight = if transposed { weight.reversed_axes() } else { weight };
        match held {
            Some(held) => {
                let place = &held.panels[tensor][usize::from(transposed)];
                RightOperand::Kept(place.get_or_init(|| Packed::new(precision, weight)))
            }
            None => RightOperand::new(precision, weight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::tests::{config, lstm_config};
    use crate::{Batch, Dropout, Params, backward, forward, lm_loss};

    #[test]
    fn held_weights_change_nothing_and_are_forgotten() {
        for config in [config(), lstm_config()] {
            let mut model = Model::init(config, 3);
            let mut batch = Batch::new();
            batch.push(0, &[1, 2, 3, 4, 5]);
            batch.push(1, &[9, 9, 1, 0, 22, 3, 4, 5, 6]);
            let step = |model: &Model, ws: &mut Workspace| {
                let mut grads = Params::zeros(&model.params.layout);
                let dropout = Some(Dropout { seed: 1, step: 2 });
                forward(model, &batch, dropout, ws);
                let loss = lm_loss(model, &[7; 14], &[0.1; 14], ws, Some(&mut grads));
                backward(model, &batch, dropout, ws, &mut grads);
                (loss, grads)
            };
            let mut ws = Workspace::new(&model.config);
            ws.precision = Precision::Bf16;
            let without = step(&model, &mut ws);
            {
                let mut ws = ws.hold(&model);
                assert!(step(&model, &mut ws) == without && step(&model, &mut ws) == without);
            }
            model.params.data.iter_mut().for_each(|x| *x *= 1.5);
            let changed = step(&model, &mut ws);
            assert!(changed != without);
            assert!(step(&model, &mut ws.hold(&model)) == changed);
        }
    }
}
