//! Each op's backward against finite differences of its forward.
#![expect(clippy::unwrap_used, reason = "a failing op fails the test")]

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::attention::{Attention, Heads, Rotation};
use super::bf16::{self, HalfMatrix};
use super::cross_entropy::cross_entropy;
use super::linear::{Dropout, FrozenLinear, LoraLinear};
use super::norm::RmsNorm;
use super::seed::Seed;
use super::swiglu::SwiGlu;
use super::weight::Weight;
use super::with_values;
use crate::base::{Family, LlamaConfig};

const STEP: f32 = 1e-2;

/// Values that look random and are the same on every run.
fn values(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|index| ((index * 37 + salt * 101 + 13) as f32 * 0.618_034).fract() * 2.0 - 1.0)
        .collect()
}

fn variable(rows: usize, columns: usize, salt: usize) -> Var {
    Var::from_vec(values(rows * columns, salt), (rows, columns), &Device::Cpu).unwrap()
}

fn frozen(rows: usize, columns: usize, salt: usize) -> Tensor {
    variable(rows, columns, salt).as_detached_tensor().copy().unwrap()
}

fn weight(rows: usize, columns: usize, salt: usize) -> Arc<Weight> {
    Arc::new(Weight::Full(frozen(rows, columns, salt)))
}

/// A scalar of the op's output that weighs every element differently.
fn weighed(output: &Tensor) -> Tensor {
    let weights = Tensor::from_vec(values(output.elem_count(), 9), output.shape(), &Device::Cpu).unwrap();
    (output * weights).unwrap().sum_all().unwrap()
}

/// Compares the gradient of every element of every input with the slope of the forward.
fn check(inputs: &[&Var], forward: impl Fn() -> Tensor) {
    let gradients = weighed(&forward()).backward().unwrap();
    for (number, input) in inputs.iter().enumerate() {
        let gradient: Vec<f32> = gradients.get(input).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let original: Vec<f32> = input.flatten_all().unwrap().to_vec1().unwrap();
        for index in 0..original.len() {
            let at = |shift: f32| {
                let mut moved = original.clone();
                moved[index] += shift;
                input
                    .set(&Tensor::from_vec(moved, input.shape(), &Device::Cpu).unwrap())
                    .unwrap();
                f64::from(weighed(&forward()).to_scalar::<f32>().unwrap())
            };
            let slope = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            at(0.0);
            let error = (slope - f64::from(gradient[index])).abs();
            let scale = slope.abs().max(1.0);
            assert!(
                error < 3e-3 * scale,
                "input {number}, element {index}: {} against {slope}",
                gradient[index]
            );
        }
    }
}

#[test]
fn rms_norm() {
    let x = variable(3, 10, 1);
    let weight = frozen(1, 10, 2).flatten_all().unwrap();
    check(&[&x], || {
        x.apply_op1(RmsNorm {
            weight: weight.clone(),
            eps: 1e-5,
        })
        .unwrap()
    });
}

#[test]
fn swiglu() {
    let (gate, up) = (variable(3, 5, 1), variable(3, 5, 2));
    check(&[&gate, &up], || gate.apply_op2(&up, SwiGlu).unwrap());
}

#[test]
fn frozen_linear() {
    let x = variable(4, 6, 1);
    let weight = weight(5, 6, 2);
    check(&[&x], || x.apply_op1(FrozenLinear { weight: weight.clone() }).unwrap());
}

#[test]
fn lora_linear_with_and_without_dropout() {
    let (x, a, b) = (variable(4, 6, 1), variable(2, 6, 2), variable(5, 2, 3));
    let weight = weight(5, 6, 4);
    for dropout in [
        None,
        Some(Dropout {
            probability: 0.4,
            key: 3,
        }),
    ] {
        let op = || LoraLinear::new(weight.clone(), 1.5, dropout);
        check(&[&x, &a, &b], || x.apply_op3(&a, &b, op()).unwrap());
    }
    let plain = x.apply_op3(&a, &b, LoraLinear::new(weight.clone(), 1.5, None)).unwrap();
    let dropout = Some(Dropout {
        probability: 0.4,
        key: 3,
    });
    let dropped = x.apply_op3(&a, &b, LoraLinear::new(weight, 1.5, dropout)).unwrap();
    assert_ne!(plain.to_vec2::<f32>().unwrap(), dropped.to_vec2::<f32>().unwrap());
}

/// Differs from the exact one, and by less than a hundredth.
fn near(exact: &Tensor, rounded: &Tensor) {
    let square = |tensor: &Tensor| {
        let sum = tensor.sqr().unwrap().sum_all().unwrap();
        f64::from(sum.to_scalar::<f32>().unwrap())
    };
    let share = (square(&(exact - rounded).unwrap()) / square(exact)).sqrt();
    assert!(share > 0.0 && share < 0.01, "{share}");
}

/// In bf16, what flows back is close to what fp32 gives, with and without dropout.
#[test]
fn lora_linear_in_bf16_is_near_fp32() {
    let (x, a, b) = (variable(40, 33, 1), variable(3, 33, 2), variable(21, 3, 3));
    let full = weight(21, 33, 4);
    let mut values = Vec::new();
    (0..21).for_each(|row| full.extend_with_row(row, &mut values).unwrap());
    let half = Arc::new(Weight::Half(HalfMatrix {
        values: values.into_iter().map(bf16::round).collect(),
        rows: 21,
        columns: 33,
    }));
    let dropout = Dropout {
        probability: 0.4,
        key: 3,
    };
    for dropout in [None, Some(dropout)] {
        let run = |weight: &Arc<Weight>| {
            let y = x
                .apply_op3(&a, &b, LoraLinear::new(weight.clone(), 1.5, dropout))
                .unwrap();
            let gradients = weighed(&y).backward().unwrap();
            let of = |input: &Var| gradients.get(input).unwrap().clone();
            [y.detach(), of(&x), of(&a), of(&b)]
        };
        for (full, half) in run(&full).iter().zip(run(&half)) {
            near(full, &half);
        }
    }
}

#[test]
fn frozen_weights_get_no_gradient() {
    let (x, a, b) = (variable(4, 6, 1), variable(2, 6, 2), variable(5, 2, 3));
    let tensor = frozen(5, 6, 4);
    let weight = Arc::new(Weight::Full(tensor.clone()));
    let y = x.apply_op3(&a, &b, LoraLinear::new(weight.clone(), 1.0, None)).unwrap();
    let gradients = y.apply_op1(Seed(y.ones_like().unwrap())).unwrap().backward().unwrap();
    assert!(gradients.get(&tensor).is_none());
    // x, a and b alone.
    assert_eq!(gradients.get_ids().count(), 3);
}

fn config() -> LlamaConfig {
    LlamaConfig {
        family: Family::Llama,
        hidden: 16,
        layers: 1,
        heads: 4,
        kv_heads: 2,
        head_dim: 4,
        intermediate: 8,
        vocab: 8,
        context_length: 16,
        rms_norm_eps: 1e-5,
        rope_theta: 100.0,
        rope_scaling: None,
        tied_embeddings: false,
        eos_token_ids: Vec::new(),
        license: None,
        architecture: String::new(),
    }
}

#[test]
fn attention_over_two_segments() {
    let (q, k, v) = (variable(7, 16, 1), variable(7, 8, 2), variable(7, 8, 3));
    let rotation = Arc::new(Rotation::new(&config(), (0..4).chain(0..3)));
    let op = || Attention {
        heads: Heads::of(&config()),
        rotation: rotation.clone(),
        segments: Arc::new([0..4, 4..7]),
        half: false,
    };
    check(&[&q, &k, &v], || q.apply_op3(&k, &v, op()).unwrap());
}

#[test]
fn attention_in_bf16_is_near_fp32() {
    let (q, k, v) = (variable(150, 16, 1), variable(150, 8, 2), variable(150, 8, 3));
    let run = |half: bool| {
        let op = Attention {
            heads: Heads::of(&config()),
            rotation: Arc::new(Rotation::new(&config(), (0..140).chain(0..10))),
            segments: Arc::new([0..140, 140..150]),
            half,
        };
        let y = q.apply_op3(&k, &v, op).unwrap();
        let gradients = weighed(&y).backward().unwrap();
        let of = |input: &Var| gradients.get(input).unwrap().clone();
        [y.detach(), of(&q), of(&k), of(&v)]
    };
    for (full, half) in run(false).iter().zip(run(true)) {
        near(full, &half);
    }
}

#[test]
fn attention_in_blocks_is_attention_row_by_row() {
    // More rows than a block: each row's output must not depend on where a block starts.
    let (q, k, v) = (variable(150, 16, 1), variable(150, 8, 2), variable(150, 8, 3));
    let attend = |rows: usize| {
        let op = Attention {
            heads: Heads::of(&config()),
            rotation: Arc::new(Rotation::new(&config(), 0..rows)),
            segments: std::iter::once(0..rows).collect(),
            half: false,
        };
        let part = |x: &Var| x.narrow(0, 0, rows).unwrap().contiguous().unwrap();
        let y = part(&q).apply_op3(&part(&k), &part(&v), op).unwrap();
        y.get(rows - 1).unwrap().to_vec1::<f32>().unwrap()
    };
    let whole = Attention {
        heads: Heads::of(&config()),
        rotation: Arc::new(Rotation::new(&config(), 0..150)),
        segments: std::iter::once(0..150).collect(),
        half: false,
    };
    let whole = q.apply_op3(&k, &v, whole).unwrap().to_vec2::<f32>().unwrap();
    for rows in [1, 2, 127, 128, 129, 150] {
        for (left, right) in whole[rows - 1].iter().zip(attend(rows)) {
            assert!((left - right).abs() < 1e-5, "row {rows}: {left} {right}");
        }
    }
}

#[test]
fn cross_entropy_gradient() {
    let x = variable(3, 6, 1);
    let head = weight(7, 6, 2);
    let targets = [1, 6, 0];
    let loss = |x: &Tensor| cross_entropy(x, &head, &targets, Some(&vec![0.5; targets.len()])).unwrap();
    let gradient = loss(&x).gradient.unwrap();
    let original = with_values(&x, |x| Ok(x.to_vec())).unwrap();
    for index in 0..original.len() {
        let at = |shift: f32| {
            let mut moved = original.clone();
            moved[index] += shift;
            loss(&Tensor::from_vec(moved, (3, 6), &Device::Cpu).unwrap()).sum
        };
        let slope = 0.5 * (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
        assert!(
            (slope - f64::from(gradient[index])).abs() < 1e-3,
            "{index}: {} {slope}",
            gradient[index]
        );
    }
}
