//! The forward pass of the BERT family in 64-bit floats, as the papers have it.

use crate::tiny::{FIRST, POSITIONS, SPECIAL, Tiny};
use hanok_local::Family;

type Matrix = Vec<Vec<f64>>;

/// Token ids and types of a text, or of two.
fn tokens(tiny: &Tiny, first: &str, second: Option<&str>) -> (Vec<usize>, Vec<usize>) {
    let words = |text: &str| -> Vec<usize> {
        text.split_whitespace().map(|word| word[1..].parse::<usize>().unwrap() + SPECIAL).collect()
    };
    let mut ids = [vec![2], words(first), vec![3]].concat();
    let mut types = vec![0; ids.len()];
    if let Some(second) = second {
        let more = [words(second), vec![3]].concat();
        types.extend(vec![usize::from(tiny.family == Family::Bert); more.len()]);
        ids.extend(more);
    }
    assert!(ids.len() <= POSITIONS, "the reference does not cut");
    (ids, types)
}

fn linear(tiny: &Tiny, name: &str, x: &Matrix) -> Matrix {
    let (weight, bias) = (tiny.get(&format!("{name}.weight")), tiny.get(&format!("{name}.bias")));
    x.iter()
        .map(|row| {
            let outputs = weight.chunks(row.len()).zip(&bias);
            outputs.map(|(weight, bias)| dot(weight, row) + bias).collect()
        })
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(tiny: &Tiny, name: &str, x: &Matrix) -> Matrix {
    let [gain, offset] = tiny.norm(name).map(|name| tiny.get(&name));
    x.iter()
        .map(|row| {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
            let scaled = row.iter().map(|x| (x - mean) / (variance + 1e-12).sqrt());
            scaled.zip(&gain).zip(&offset).map(|((x, gain), offset)| x * gain + offset).collect()
        })
        .collect()
}

fn plus(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

/// The normal distribution, by its series.
fn normal(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (x, x, 1.0);
    while term.abs() > 1e-18 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn gelu(tiny: &Tiny, x: f64) -> f64 {
    if tiny.activation == "gelu" {
        return x * normal(x);
    }
    x / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

fn encode(tiny: &Tiny, ids: &[usize], types: &[usize]) -> Matrix {
    let hidden = tiny.hidden;
    let words = tiny.get("embeddings.word_embeddings.weight");
    let positions = tiny.get("embeddings.position_embeddings.weight");
    let kinds = if tiny.family == Family::DistilBert {
        vec![0.0; hidden]
    } else {
        tiny.get("embeddings.token_type_embeddings.weight")
    };
    let first = if tiny.family == Family::Roberta { FIRST } else { 0 };
    let mut x: Matrix = (0..ids.len())
        .map(|place| {
            (0..hidden)
                .map(|j| {
                    words[ids[place] * hidden + j]
                        + positions[(place + first) * hidden + j]
                        + kinds[types[place] * hidden + j]
                })
                .collect()
        })
        .collect();
    x = norm(tiny, "embeddings.LayerNorm", &x);
    let head = hidden / tiny.heads;
    for layer in 0..tiny.layers {
        let (names, norms) = tiny.names(layer);
        let [queries, keys, values] = [0, 1, 2].map(|part: usize| linear(tiny, &names[part], &x));
        let mut context = vec![vec![0.0; hidden]; x.len()];
        for number in 0..tiny.heads {
            let columns = number * head..(number + 1) * head;
            for (query, context) in queries.iter().zip(&mut context) {
                let scores: Vec<f64> = keys
                    .iter()
                    .map(|key| {
                        (dot(&query[columns.clone()], &key[columns.clone()]) / (head as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                for (score, value) in scores.iter().zip(&values) {
                    for j in columns.clone() {
                        context[j] += score / total * value[j];
                    }
                }
            }
        }
        x = norm(tiny, &norms[0], &plus(&x, &linear(tiny, &names[3], &context)));
        let mut inner = linear(tiny, &names[4], &x);
        inner.iter_mut().flatten().for_each(|x| *x = gelu(tiny, *x));
        x = norm(tiny, &norms[1], &plus(&x, &linear(tiny, &names[5], &inner)));
    }
    x
}

/// The vector of a text, of any length.
pub(crate) fn embed(tiny: &Tiny, text: &str) -> Vec<f64> {
    let (ids, types) = tokens(tiny, text, None);
    let x = encode(tiny, &ids, &types);
    match tiny.pooling {
        "cls_token" => x[0].clone(),
        "max_tokens" => {
            (0..tiny.hidden).map(|j| x.iter().map(|row| row[j]).fold(f64::MIN, f64::max)).collect()
        }
        _ => (0..tiny.hidden).map(|j| x.iter().map(|row| row[j]).sum()).collect(),
    }
}

/// The score of a text for a question.
pub(crate) fn score(tiny: &Tiny, question: &str, text: &str) -> f64 {
    let (ids, types) = tokens(tiny, question, Some(text));
    let x = encode(tiny, &ids, &types);
    let (dense, out) = tiny.head();
    let mut first = linear(tiny, dense, &vec![x[0].clone()]);
    let relu = tiny.family == Family::DistilBert;
    first.iter_mut().flatten().for_each(|x| *x = if relu { x.max(0.0) } else { x.tanh() });
    let labels = linear(tiny, out, &first).remove(0);
    if labels.len() == 1 { labels[0] } else { labels[1] - labels[0] }
}
