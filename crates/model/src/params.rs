//! The parameters: one allocation, and the names and shapes of the tensors in it.

use crate::Config;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::Normal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::ops::Range;
use std::sync::Arc;

/// One tensor of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Hugging Face's name, such as `transformer.h.3.attn.c_attn.weight`.
    pub name: String,
    /// Shape; the weights of dense layers are (in, out).
    pub shape: Vec<usize>,
    /// Where it lies in [`Params::data`].
    pub range: Range<usize>,
}

impl Tensor {
    /// Whether weight decay applies: to every tensor that is not a bias or a gain (paper 4.1), that is, of two axes.
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// The tensors of a model, in the order in which they lie in memory.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// All tensors: embeddings, blocks or the LSTM, then the classifier if there is one.
    pub tensors: Vec<Tensor>,
    /// Values in all.
    pub n_params: usize,
}

/// Tensors of one block, in layout order.
pub(crate) const PER_BLOCK: usize = 12;

/// The bias of the LSTM's gates.
const LSTM_BIAS: &str = "lstm.bias";

/// Tensors of the LSTM and its projection, in layout order; they follow the token embedding.
pub(crate) const OF_LSTM: usize = 5;

impl Layout {
    /// The layout of a configuration; `n_classes`: with a classifier of so many outputs.
    pub fn new(config: &Config, n_classes: Option<usize>) -> Layout {
        let (v, p, c) = (config.vocab_size, config.n_positions, config.n_embd);
        let mut layout = Layout { tensors: Vec::new(), n_params: 0 };
        layout.push("transformer.tokens_embed.weight".to_owned(), vec![v, c]);
        match config.n_units {
            None => layout.push_blocks(p, c, config.n_layer),
            Some(u) => layout.push_lstm(c, u),
        }
        if let Some(k) = n_classes {
            layout.push("classifier.weight".to_owned(), vec![c, k]);
            layout.push("classifier.bias".to_owned(), vec![k]);
        }
        layout
    }

    /// The tensors of the Transformer after the token embedding.
    fn push_blocks(&mut self, p: usize, c: usize, n_layer: usize) {
        self.push("transformer.positions_embed.weight".to_owned(), vec![p, c]);
        for l in 0..n_layer {
            let parts: [(&str, Vec<usize>); PER_BLOCK] = [
                ("attn.c_attn.weight", vec![c, 3 * c]),
                ("attn.c_attn.bias", vec![3 * c]),
                ("attn.c_proj.weight", vec![c, c]),
                ("attn.c_proj.bias", vec![c]),
                ("ln_1.weight", vec![c]),
                ("ln_1.bias", vec![c]),
                ("mlp.c_fc.weight", vec![c, 4 * c]),
                ("mlp.c_fc.bias", vec![4 * c]),
                ("mlp.c_proj.weight", vec![4 * c, c]),
                ("mlp.c_proj.bias", vec![c]),
                ("ln_2.weight", vec![c]),
                ("ln_2.bias", vec![c]),
            ];
            for (name, shape) in parts {
                self.push(format!("transformer.h.{l}.{name}"), shape);
            }
        }
    }

    /// The tensors of the LSTM after the token embedding; the four gates stand side by side, in PyTorch's order.
    fn push_lstm(&mut self, c: usize, u: usize) {
        let parts: [(&str, Vec<usize>); OF_LSTM] = [
            ("lstm.weight_ih", vec![c, 4 * u]),
            ("lstm.weight_hh", vec![u, 4 * u]),
            (LSTM_BIAS, vec![4 * u]),
            ("lstm.c_proj.weight", vec![u, c]),
            ("lstm.c_proj.bias", vec![c]),
        ];
        for (name, shape) in parts {
            self.push(name.to_owned(), shape);
        }
    }

    fn push(&mut self, name: String, shape: Vec<usize>) {
        let end = self.n_params + shape.iter().product::<usize>();
        self.tensors.push(Tensor { name, shape, range: self.n_params..end });
        self.n_params = end;
    }

    /// The tensor of that name.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// Outputs of the classifier, if there is one.
    pub fn n_classes(&self) -> Option<usize> {
        self.find("classifier.bias").map(|t| t.shape[0])
    }
}

/// Values for every tensor of a layout: the parameters, their gradients, or Adam's moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// Names and shapes.
    pub layout: Arc<Layout>,
    /// All values, tensor after tensor.
    pub data: Vec<f32>,
}

impl Params {
    /// All zero.
    pub fn zeros(layout: &Arc<Layout>) -> Params {
        Params { layout: Arc::clone(layout), data: vec![0.0; layout.n_params] }
    }

    /// The values of the tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        self.layout.find(name).map(|t| &self.data[t.range.clone()])
    }

    /// As [`Params::tensor`], to write.
    pub fn tensor_mut(&mut self, name: &str) -> Option<&mut [f32]> {
        let range = self.layout.find(name)?.range.clone();
        Some(&mut self.data[range])
    }

    /// The values of tensor number `i` of the layout.
    pub(crate) fn at(&self, i: usize) -> &[f32] {
        &self.data[self.layout.tensors[i].range.clone()]
    }

    /// Token embedding (V, C), which is the output projection too.
    pub(crate) fn token_embedding(&self) -> &[f32] {
        self.at(0)
    }

    /// Position embedding (P, C), of a Transformer.
    pub(crate) fn position_embedding(&self) -> &[f32] {
        self.at(1)
    }

    /// The number in the layout of tensor `i` of block `l`.
    pub(crate) fn number(l: usize, i: usize) -> usize {
        2 + l * PER_BLOCK + i
    }

    /// The tensors of the LSTM, in layout order; the first has the number 1.
    pub(crate) fn lstm(&self) -> [&[f32]; OF_LSTM] {
        std::array::from_fn(|i| self.at(1 + i))
    }

    /// As [`Params::lstm`], to write.
    pub(crate) fn lstm_mut(&mut self) -> [&mut [f32]; OF_LSTM] {
        self.consecutive_mut(1)
    }

    /// The tensors of block `l`, in layout order.
    pub(crate) fn block(&self, l: usize) -> [&[f32]; PER_BLOCK] {
        std::array::from_fn(|i| self.at(Params::number(l, i)))
    }

    /// As [`Params::block`], to write.
    pub(crate) fn block_mut(&mut self, l: usize) -> [&mut [f32]; PER_BLOCK] {
        self.consecutive_mut(Params::number(l, 0))
    }

    /// `COUNT` tensors of the layout from number `first` on.
    fn consecutive_mut<const COUNT: usize>(&mut self, first: usize) -> [&mut [f32]; COUNT] {
        let tensors = &self.layout.tensors[first..first + COUNT];
        let (start, end) = (tensors[0].range.start, tensors[COUNT - 1].range.end);
        let mut rest = &mut self.data[start..end];
        std::array::from_fn(|i| {
            let (tensor, after) = std::mem::take(&mut rest).split_at_mut(tensors[i].range.len());
            rest = after;
            tensor
        })
    }
}

/// A model: its configuration and parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Shape and dropout rates.
    pub config: Config,
    /// Parameters.
    pub params: Params,
}

impl Model {
    /// Initial weights: N(0, initializer_range), biases 0, gains 1 (paper 4.1; the positions too, as in the released code);
    /// the bias of an LSTM's forget gate 1, so that it remembers from the start (Jozefowicz et al. 2015). Each tensor has a random
    /// stream of its own, named by the seed and the tensor's number.
    pub fn init(config: Config, seed: u64) -> Model {
        let layout = Arc::new(Layout::new(&config, None));
        let mut params = Params::zeros(&layout);
        for (i, tensor) in layout.tensors.iter().enumerate() {
            let data = &mut params.data[tensor.range.clone()];
            if tensor.decays() {
                fill_normal(data, config.initializer_range, seed, i as u64);
            } else if tensor.name.contains(".ln_") && tensor.name.ends_with(".weight") {
                data.fill(1.0);
            } else if tensor.name == LSTM_BIAS {
                let u = data.len() / 4;
                data[u..2 * u].fill(1.0);
            }
        }
        Model { config, params }
    }

    /// Outputs of the classifier, if there is one.
    pub fn n_classes(&self) -> Option<usize> {
        self.params.layout.n_classes()
    }

    /// The same model with `n_new` more tokens at the end of the vocabulary, initialised as [`Model::init`] does.
    #[must_use]
    pub fn add_tokens(self, n_new: usize, seed: u64) -> Model {
        let mut config = self.config.clone();
        config.vocab_size += n_new;
        let mut model = self.with_layout(config, Layout::n_classes);
        let (c, v) = (model.config.n_embd, model.config.vocab_size);
        let range = model.config.initializer_range;
        fill_normal(&mut model.params.data[(v - n_new) * c..v * c], range, seed, TOKENS_STREAM);
        model
    }

    /// The same model with a new classifier of `n_classes` outputs: weight (C, K) ~ N(0, initializer_range), bias 0.
    #[must_use]
    pub fn add_classifier(self, n_classes: usize, seed: u64) -> Model {
        let config = self.config.clone();
        let mut model = self.with_layout(config, |_| Some(n_classes));
        let range = model.config.initializer_range;
        let names: [(&str, bool); 2] = [("classifier.weight", true), ("classifier.bias", false)];
        for (name, random) in names {
            let data = model.params.tensor_mut(name).expect("the layout has a classifier");
            if random {
                fill_normal(data, range, seed, CLASSIFIER_STREAM);
            } else {
                data.fill(0.0);
            }
        }
        model
    }

    /// The same Transformer with blocks `first..` as [`Model::init`] makes them (paper section 5, figure 2 left).
    #[must_use]
    pub fn reset_blocks(mut self, first: usize, seed: u64) -> Model {
        let fresh = Model::init(self.config.clone(), seed);
        for l in first..self.config.n_layer {
            for (to, from) in self.params.block_mut(l).into_iter().zip(fresh.params.block(l)) {
                to.copy_from_slice(from);
            }
        }
        self
    }

    /// Carries every tensor over to a new layout; where one has grown, its new end is zero.
    fn with_layout(self, config: Config, n_classes: impl Fn(&Layout) -> Option<usize>) -> Model {
        let layout = Arc::new(Layout::new(&config, n_classes(&self.params.layout)));
        let mut params = Params::zeros(&layout);
        for tensor in &self.params.layout.tensors {
            if let Some(to) = params.tensor_mut(&tensor.name) {
                let from = &self.params.data[tensor.range.clone()];
                let n = from.len().min(to.len());
                to[..n].copy_from_slice(&from[..n]);
            }
        }
        Model { config, params }
    }
}

/// Random streams of the new parts, apart from those of the layout's tensors.
const TOKENS_STREAM: u64 = 1 << 32;
const CLASSIFIER_STREAM: u64 = (1 << 32) + 1;

/// Fills with N(0, std) from the stream (seed, stream).
fn fill_normal(data: &mut [f32], std: f32, seed: u64, stream: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let normal = Normal::new(0.0, std).expect("a finite standard deviation");
    let values = ndarray::Array1::<f32>::random_using(data.len(), normal, &mut rng);
    data.copy_from_slice(values.as_slice().expect("contiguous"));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small shape for tests.
    pub(crate) fn config() -> Config {
        Config {
            vocab_size: 23,
            n_positions: 9,
            n_embd: 12,
            n_layer: 2,
            n_head: 3,
            n_units: None,
            embd_pdrop: 0.1,
            resid_pdrop: 0.2,
            attn_pdrop: 0.15,
            layer_norm_epsilon: 1e-5,
            initializer_range: 0.02,
        }
    }

    /// The same with an LSTM of 7 units.
    pub(crate) fn lstm_config() -> Config {
        Config { n_layer: 1, n_head: 1, n_units: Some(7), ..config() }
    }

    #[test]
    fn initial_weights_of_the_lstm() {
        let model = Model::init(lstm_config(), 7);
        let tensor = |name| model.params.tensor(name).unwrap();
        assert!(tensor("lstm.c_proj.bias").iter().all(|x| *x == 0.0));
        let bias = tensor("lstm.bias");
        assert!(bias[..7].iter().chain(&bias[14..]).all(|x| *x == 0.0) && bias[7..14].iter().all(|x| *x == 1.0));
        for name in ["transformer.tokens_embed.weight", "lstm.weight_ih", "lstm.weight_hh", "lstm.c_proj.weight"] {
            let n = tensor(name).len() as f32;
            let std = (tensor(name).iter().map(|x| x * x).sum::<f32>() / n).sqrt();
            assert!((std - 0.02).abs() < 0.05 / n.sqrt(), "{name} {std}");
        }
    }

    #[test]
    fn initial_weights_follow_the_paper() {
        let config = Config { vocab_size: 500, n_embd: 60, ..config() };
        let model = Model::init(config, 7);
        let normal = model.params.token_embedding();
        let n = normal.len() as f64;
        let mean = normal.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let std = (normal.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() < 5.0 * 0.02 / n.sqrt() && (std - 0.02).abs() < 5e-4, "{mean} {std}");
        for tensor in &model.params.layout.tensors {
            let data = &model.params.data[tensor.range.clone()];
            if tensor.name.ends_with("bias") {
                assert!(data.iter().all(|x| *x == 0.0), "{}", tensor.name);
            } else if tensor.name.contains("ln_") {
                assert!(data.iter().all(|x| *x == 1.0), "{}", tensor.name);
            }
        }
        assert_eq!(model, Model::init(model.config.clone(), 7));
        assert_ne!(model, Model::init(model.config.clone(), 8));
    }

    #[test]
    fn new_tokens_and_classifier_leave_the_rest() {
        for config in [config(), lstm_config()] {
            let model = Model::init(config, 1);
            let grown = model.clone().add_tokens(3, 2).add_classifier(4, 2);
            assert_eq!(grown.config.vocab_size, 26);
            assert_eq!(grown.n_classes(), Some(4));
            assert_eq!(&grown.params.token_embedding()[..23 * 12], model.params.token_embedding());
            assert!(grown.params.token_embedding()[23 * 12..].iter().all(|x| *x != 0.0));
            for tensor in &model.params.layout.tensors[1..] {
                assert_eq!(grown.params.tensor(&tensor.name), model.params.tensor(&tensor.name), "{}", tensor.name);
            }
        }
    }

    #[test]
    fn reset_blocks_are_new_and_the_rest_is_kept() {
        let model = Model::init(config(), 1);
        let fresh = Model::init(config(), 2);
        let reset = model.clone().reset_blocks(1, 2);
        assert_eq!(reset.params.block(0), model.params.block(0));
        assert_eq!(reset.params.block(1), fresh.params.block(1));
        assert_eq!(reset.params.token_embedding(), model.params.token_embedding());
        assert_eq!(model.clone().reset_blocks(2, 2), model);
    }

    #[test]
    fn blocks_are_the_named_tensors() {
        let mut model = Model::init(config(), 1);
        let name = "transformer.h.1.mlp.c_proj.weight";
        let wanted = model.params.tensor(name).unwrap().to_vec();
        assert_eq!(model.params.block(1)[8], wanted);
        assert_eq!(model.params.block_mut(1)[8], wanted);
    }
}
