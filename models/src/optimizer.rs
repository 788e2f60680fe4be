//! AdamW as the loop uses it, and what Burn leaves to us: groups of parameters and one norm over
//! all gradients.

use crate::modal::ModalEncoder;
use crate::settings::TrainSettings;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};

/// Parameters with and without weight decay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterGroups {
    /// Weights of the linear layers.
    pub matrices: Vec<ParamId>,
    /// Everything else: biases, norms, age biases.
    pub rest: Vec<ParamId>,
}

/// Sorts the model's parameters into groups.
pub fn parameter_groups<B: AutodiffBackend>(model: &ModalEncoder<B>) -> ParameterGroups {
    struct Collect {
        groups: ParameterGroups,
        age_biases: Vec<ParamId>,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let decayed = D == 2 && !self.age_biases.contains(&param.id);
            let group = if decayed { &mut self.groups.matrices } else { &mut self.groups.rest };
            group.push(param.id);
        }
    }
    let age_biases = model.encoder.blocks.iter().map(|b| b.attention.age_bias.id).collect();
    let mut collect = Collect { groups: ParameterGroups::default(), age_biases };
    model.visit(&mut collect);
    collect.groups
}

/// Scales all gradients down together where their joint Euclidean norm exceeds `norm_max`;
/// returns the norm before.
pub fn clip_global_norm<B: AutodiffBackend>(
    model: &ModalEncoder<B>,
    grads: &mut [&mut GradientsParams],
    norm_max: f64,
) -> f64 {
    let mut sum = SumOfSquares { grads, sum: 0.0 };
    Visit::<B>::visit(model, &mut sum);
    let norm = sum.sum.sqrt();
    if norm > norm_max {
        Visit::<B>::visit(model, &mut Scale { grads, factor: norm_max / norm });
    }
    norm
}

/// Keeps the backend parameter next to the visitor's lifetime parameters.
struct Visit<B>(std::marker::PhantomData<B>);

impl<B: AutodiffBackend> Visit<B> {
    fn visit<V: ModuleVisitor<B>>(model: &ModalEncoder<B>, visitor: &mut V) {
        model.visit(visitor);
    }
}

struct SumOfSquares<'a, 'b> {
    grads: &'a mut [&'b mut GradientsParams],
    sum: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for SumOfSquares<'_, '_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        for grads in self.grads.iter() {
            if let Some(g) = grads.get::<B::InnerBackend, D>(param.id) {
                self.sum += (g.clone() * g).sum().into_scalar().elem::<f64>();
            }
        }
    }
}

struct Scale<'a, 'b> {
    grads: &'a mut [&'b mut GradientsParams],
    factor: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Scale<'_, '_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        for grads in self.grads.iter_mut() {
            if let Some(g) = grads.remove::<B::InnerBackend, D>(param.id) {
                grads.register::<B::InnerBackend, D>(param.id, g.mul_scalar(self.factor));
            }
        }
    }
}

/// Burn's AdamW over the whole module.
type Adaptor<B> = OptimizerAdaptor<AdamW, ModalEncoder<B>, B>;
/// Its moments.
pub type Moments<B> = <Adaptor<B> as Optimizer<ModalEncoder<B>, B>>::Record;

/// AdamW with weight decay on the matrices only; biases, norms and age biases have none.
pub struct SplitAdamW<B: AutodiffBackend> {
    decayed: Adaptor<B>,
    plain: Adaptor<B>,
    groups: ParameterGroups,
}

impl<B: AutodiffBackend> SplitAdamW<B> {
    /// Returns an optimiser without any history.
    pub fn new(model: &ModalEncoder<B>, settings: &TrainSettings) -> SplitAdamW<B> {
        let config = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8);
        let decay = settings.weight_decay as f32;
        SplitAdamW {
            decayed: config.clone().with_weight_decay(decay).init(),
            plain: config.with_weight_decay(0.0).init(),
            groups: parameter_groups(model),
        }
    }

    /// Returns the moments of the decayed and of the other parameters, for a checkpoint.
    pub fn records(&self) -> (Moments<B>, Moments<B>) {
        (self.decayed.to_record(), self.plain.to_record())
    }

    /// Returns the optimiser with moments from a checkpoint.
    pub fn with_records(self, decayed: Moments<B>, plain: Moments<B>) -> SplitAdamW<B> {
        SplitAdamW {
            decayed: self.decayed.load_record(decayed),
            plain: self.plain.load_record(plain),
            groups: self.groups,
        }
    }

    /// One step down the clipped gradient; returns the gradient's norm before clipping.
    pub fn step(
        &mut self,
        model: ModalEncoder<B>,
        loss: Tensor<B, 1>,
        rate: f64,
        clip_norm: f64,
    ) -> (ModalEncoder<B>, f64) {
        let mut grads = loss.backward();
        let mut matrices =
            GradientsParams::from_params::<B, _>(&mut grads, &model, &self.groups.matrices);
        let mut rest = GradientsParams::from_params::<B, _>(&mut grads, &model, &self.groups.rest);
        let norm = clip_global_norm::<B>(&model, &mut [&mut matrices, &mut rest], clip_norm);
        let model = self.decayed.step(rate, model, matrices);
        (self.plain.step(rate, model, rest), norm)
    }
}
