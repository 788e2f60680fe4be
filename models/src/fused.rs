//! Attention, norm and GELU of the training step, each in one pass over its numbers, on the CPU.
//!
//! Burn's automatic differentiation takes these apart into element-wise operations: every one
//! writes a tensor as large as its input, attention computes the half of each block's scores that
//! the band throws away again, and every exponential is computed twice. Here forward and backward
//! are written out over slices, sixteen numbers abreast, and joined to Burn's graph as operations
//! of their own. Backends other than `Flex` and `Autodiff<Flex>` get `None`: their callers compute
//! with Burn's own operations, and the two ways agree (`fused/tests.rs`).

mod attention;
mod gelu;
mod lanes;
mod norm;
#[cfg(test)]
mod tests;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use std::any::Any;
use std::sync::Arc;

/// What trains on the CPU.
type Learner = Autodiff<Flex>;
/// A tensor of the CPU backend without its number of axes.
type Primitive = <Flex as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive;

/// Banded attention between the projections: queries, keys and values `[batch, tokens, d]` and
/// biases `[heads, window]` to mixed values `[batch, tokens, d]`. `None` on other backends and for
/// head widths other than 8 and 16.
pub(crate) fn attention<B: Backend>(
    qkv: [&Tensor<B, 3>; 3],
    age_bias: &Tensor<B, 2>,
) -> Option<Tensor<B, 3>> {
    let [batch, tokens, d] = qkv[0].dims();
    let [heads, window] = age_bias.dims();
    let sizes = attention::Sizes { batch, tokens, heads, width: d / heads, window };
    if !attention::WIDTHS.contains(&sizes.width) {
        return None;
    }
    let shape = [batch, tokens, d];
    if let (Some([q, k, v]), Some(bias)) = (same_all::<B, Flex, 3>(qkv), same(age_bias)) {
        let inputs = [&q, &k, &v].map(|t: &Tensor<Flex, 3>| values_of(t.clone()));
        let bias: Tensor<Flex, 2> = bias;
        let (out, _) = attention::forward(
            sizes,
            inputs.each_ref().map(Vec::as_slice),
            &values_of(bias),
            false,
        );
        return same(&tensor::<3>(out, shape));
    }
    let [q, k, v] = same_all::<B, Learner, 3>(qkv)?;
    let bias: Tensor<Learner, 2> = same(age_bias)?;
    let parents = [q, k, v].map(primitive_of);
    let bias = primitive_of(bias);
    let inputs = parents.each_ref().map(|p| numbers(p.primitive.clone(), shape));
    let (out, kept) = {
        let bias = numbers(bias.primitive.clone(), [heads, window]);
        attention::forward(sizes, inputs.each_ref().map(Vec::as_slice), &bias, true)
    };
    let [q, k, v] = &parents;
    let nodes = [q.node.clone(), k.node.clone(), v.node.clone(), bias.node.clone()];
    let out = tensor::<3>(out, shape).into_primitive().tensor();
    let out = match AttentionStep.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(Arc::new((sizes, inputs, kept)), out),
        OpsKind::UnTracked(step) => step.finish(out),
    };
    same(&Tensor::<Learner, 3>::from_primitive(TensorPrimitive::Float(out)))
}

#[derive(Debug)]
struct AttentionStep;

impl Backward<Flex, 4> for AttentionStep {
    /// Sizes; queries, keys, values; softmax weights.
    type State = Arc<(attention::Sizes, [Vec<f32>; 3], Vec<f32>)>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (sizes, inputs, weights) = &*ops.state;
        let rows = [sizes.batch, sizes.tokens, sizes.heads * sizes.width];
        let upstream = numbers(grads.consume::<Flex>(&ops.node), rows);
        let inputs = inputs.each_ref().map(Vec::as_slice);
        let [q, k, v, bias] = attention::backward(*sizes, inputs, weights, &upstream);
        let [to_q, to_k, to_v, to_bias] = ops.parents;
        for (parent, grad) in [(to_q, q), (to_k, k), (to_v, v)] {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, tensor(grad, rows).into_primitive().tensor());
            }
        }
        if let Some(node) = to_bias {
            let grad = tensor(bias, [sizes.heads, sizes.window]);
            grads.register::<Flex>(node.id, grad.into_primitive().tensor());
        }
    }
}

/// GELU in its tanh form, element by element. `None` on other backends.
pub(crate) fn gelu_tanh<B: Backend, const D: usize>(x: &Tensor<B, D>) -> Option<Tensor<B, D>> {
    let shape = x.dims();
    if let Some(x) = same::<_, Tensor<Flex, D>>(x) {
        return same(&tensor(gelu::forward(&values_of(x)), shape));
    }
    let x = primitive_of(same::<_, Tensor<Learner, D>>(x)?);
    let inputs = numbers(x.primitive.clone(), shape);
    let out = tensor(gelu::forward(&inputs), shape).into_primitive().tensor();
    let step = GeluStep::<D>.prepare::<NoCheckpointing>([x.node.clone()]).compute_bound();
    let out = match step.stateful() {
        OpsKind::Tracked(step) => step.finish(Arc::new((shape, inputs)), out),
        OpsKind::UnTracked(step) => step.finish(out),
    };
    same(&Tensor::<Learner, D>::from_primitive(TensorPrimitive::Float(out)))
}

#[derive(Debug)]
struct GeluStep<const D: usize>;

impl<const D: usize> Backward<Flex, 1> for GeluStep<D> {
    /// Shape and inputs.
    type State = Arc<([usize; D], Vec<f32>)>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (shape, x) = &*ops.state;
        let upstream = numbers(grads.consume::<Flex>(&ops.node), *shape);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let grad = tensor(gelu::backward(x, &upstream), *shape);
            grads.register::<Flex>(node.id, grad.into_primitive().tensor());
        }
    }
}

/// Layer norm over the last axis: inputs `[.., d]`, gain and shift `[d]`. `None` on other backends.
pub(crate) fn layer_norm<B: Backend, const D: usize>(
    x: &Tensor<B, D>,
    gain: &Tensor<B, 1>,
    shift: &Tensor<B, 1>,
    epsilon: f32,
) -> Option<Tensor<B, D>> {
    let shape = x.dims();
    let vector = gain.dims();
    if let Some(x) = same::<_, Tensor<Flex, D>>(x) {
        let (gain, shift) = (same(gain)?, same(shift)?);
        let (gain, shift) = (values_of::<1>(gain), values_of::<1>(shift));
        let (out, _) = norm::forward(&values_of(x), &gain, &shift, epsilon);
        return same(&tensor(out, shape));
    }
    let x = primitive_of(same::<_, Tensor<Learner, D>>(x)?);
    let gain = primitive_of(same::<_, Tensor<Learner, 1>>(gain)?);
    let shift = primitive_of(same::<_, Tensor<Learner, 1>>(shift)?);
    let gains = numbers(gain.primitive.clone(), vector);
    let (out, kept) = norm::forward(
        &numbers(x.primitive.clone(), shape),
        &gains,
        &numbers(shift.primitive.clone(), vector),
        epsilon,
    );
    let out = tensor(out, shape).into_primitive().tensor();
    let nodes = [x.node.clone(), gain.node.clone(), shift.node.clone()];
    let out = match NormStep::<D>.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(Arc::new((shape, gains, kept)), out),
        OpsKind::UnTracked(step) => step.finish(out),
    };
    same(&Tensor::<Learner, D>::from_primitive(TensorPrimitive::Float(out)))
}

#[derive(Debug)]
struct NormStep<const D: usize>;

impl<const D: usize> Backward<Flex, 3> for NormStep<D> {
    /// Shape, gain, normalised inputs.
    type State = Arc<([usize; D], Vec<f32>, norm::Normalised)>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (shape, gain, kept) = &*ops.state;
        let upstream = numbers(grads.consume::<Flex>(&ops.node), *shape);
        let [x, of_gain, of_shift] = norm::backward(kept, gain, &upstream);
        let [to_x, to_gain, to_shift] = ops.parents;
        if let Some(node) = to_x {
            grads.register::<Flex>(node.id, tensor(x, *shape).into_primitive().tensor());
        }
        for (parent, grad) in [(to_gain, of_gain), (to_shift, of_shift)] {
            if let Some(node) = parent {
                let grad = tensor(grad, [gain.len()]);
                grads.register::<Flex>(node.id, grad.into_primitive().tensor());
            }
        }
    }
}

/// Returns the value where it is of the other type: generic code meets the backend it runs on.
fn same<T: 'static, U: Clone + 'static>(value: &T) -> Option<U> {
    (value as &dyn Any).downcast_ref::<U>().cloned()
}

fn same_all<B: Backend, C: Backend, const D: usize>(
    values: [&Tensor<B, D>; 3],
) -> Option<[Tensor<C, D>; 3]> {
    let [a, b, c] = values;
    Some([same(a)?, same(b)?, same(c)?])
}

/// The tensor as Burn's graph holds it.
fn primitive_of<const D: usize>(
    tensor: Tensor<Learner, D>,
) -> <Learner as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive {
    tensor.into_primitive().tensor()
}

fn values_of<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
    // The backend's element is f32, so that the conversion cannot fail.
    tensor.into_data().into_vec().unwrap_or_default()
}

fn numbers<const D: usize>(primitive: Primitive, _: [usize; D]) -> Vec<f32> {
    values_of(Tensor::<Flex, D>::from_primitive(TensorPrimitive::Float(primitive)))
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}
