//! The encoder: texts in tokens to vectors of tokens, several texts at a time without padding.
//!
//! The rows of all texts of a pack stand under each other in one matrix; only attention looks at which are together.

use crate::LocalError;
use crate::config::{Family, Shape};
use crate::kernels::{Activation, Buffer, ByteScratch, Kernels, Linear, Panels, Precision, Rows, RowsMut};
use crate::tensors::{Table, Tensors};
use crate::tokens::Sequence;
use std::ops::Range;

/// An encoder of the BERT family with its weights.
pub(crate) struct Encoder {
    kernels: &'static Kernels,
    pub(crate) shape: Shape,
    words: Table,
    positions: Vec<f32>,
    /// Of the first and the second text; none where the family has none.
    types: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    /// Queries, keys and values, side by side.
    attention: Linear,
    attended: Linear,
    attention_norm: Norm,
    inner: Linear,
    outer: Linear,
    norm: Norm,
}

struct Norm {
    gain: Vec<f32>,
    offset: Vec<f32>,
    epsilon: f32,
}

/// What one thread works in.
#[derive(Default)]
pub(crate) struct Scratch {
    hidden: Buffer,
    projected: Buffer,
    wide: Buffer,
    context: Buffer,
    keys: Buffer,
    values: Buffer,
    scores: Buffer,
    mask: Buffer,
    sums: Vec<f32>,
    bytes: ByteScratch,
}

/// The vectors of the tokens of a pack.
pub(crate) struct Encoded<'a> {
    data: &'a [f32],
    stride: usize,
    width: usize,
}

impl Encoded<'_> {
    /// The vector of a token, by its place in the pack.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        self.data.get(row * self.stride..row * self.stride + self.width).unwrap_or_default()
    }
}

/// Reads tensors under the prefix that a checkpoint happens to have.
struct Named<'a> {
    tensors: &'a Tensors,
    prefix: &'static str,
    kernels: &'static Kernels,
    precision: Precision,
    epsilon: f32,
}

impl Named<'_> {
    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LocalError> {
        self.tensors.read(&format!("{}{name}", self.prefix), shape)
    }

    fn linear(&self, name: &str, from: usize, to: usize) -> Result<Linear, LocalError> {
        let matrix = self.read(&format!("{name}.weight"), &[to, from])?;
        let bias = self.read(&format!("{name}.bias"), &[to])?;
        Ok(Linear::pack(self.kernels, self.precision, &matrix, &bias, from))
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm, LocalError> {
        // Checkpoints of the first years have the names of TensorFlow.
        let old = self.tensors.has(&format!("{}{name}.gamma", self.prefix));
        let (gain, offset) = if old { ("gamma", "beta") } else { ("weight", "bias") };
        Ok(Norm {
            gain: self.read(&format!("{name}.{gain}"), &[width])?,
            offset: self.read(&format!("{name}.{offset}"), &[width])?,
            epsilon: self.epsilon,
        })
    }

    /// Queries, keys and values as one; queries are made smaller by the square root of a head's width here, rather
    /// than every score later.
    fn attention(&self, names: &[String; 3], shape: &Shape) -> Result<Linear, LocalError> {
        let hidden = shape.hidden;
        let mut matrix = Vec::with_capacity(3 * hidden * hidden);
        let mut bias = Vec::with_capacity(3 * hidden);
        for (number, name) in names.iter().enumerate() {
            let mut weights = self.read(&format!("{name}.weight"), &[hidden, hidden])?;
            let mut offsets = self.read(&format!("{name}.bias"), &[hidden])?;
            if number == 0 {
                #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
                let by = 1.0 / ((hidden / shape.heads) as f32).sqrt();
                weights.iter_mut().chain(&mut offsets).for_each(|value| *value *= by);
            }
            matrix.append(&mut weights);
            bias.append(&mut offsets);
        }
        Ok(Linear::pack(self.kernels, self.precision, &matrix, &bias, hidden))
    }
}

impl Encoder {
    /// Reads the weights and packs them.
    pub(crate) fn open(
        tensors: &Tensors,
        shape: Shape,
        precision: Precision,
        kernels: &'static Kernels,
    ) -> Result<Self, LocalError> {
        let prefixes = ["", "bert.", "roberta.", "distilbert.", "model."];
        let first = "embeddings.word_embeddings.weight";
        let prefix = prefixes.into_iter().find(|prefix| tensors.has(&format!("{prefix}{first}")));
        let Some(prefix) = prefix else {
            return Err(LocalError::tensor(
                tensors.path(),
                first,
                "is missing: these are no weights of the BERT family",
            ));
        };
        let named = Named { tensors, prefix, kernels, precision, epsilon: shape.epsilon };
        let hidden = shape.hidden;
        let positions = [shape.first_position + shape.most_tokens, hidden];
        let mut types = Vec::new();
        let types_name = format!("{prefix}embeddings.token_type_embeddings.weight");
        if shape.family != Family::DistilBert && tensors.has(&types_name) {
            let rows = tensors.shape(&types_name)?.first().copied().unwrap_or_default();
            types = tensors.read(&types_name, &[rows, hidden])?;
        }
        let mut layers = Vec::with_capacity(shape.layers);
        for number in 0..shape.layers {
            layers.push(Layer::read(&named, &shape, number)?);
        }
        Ok(Self {
            kernels,
            words: tensors.table(&format!("{prefix}{first}"), hidden)?,
            positions: named.read("embeddings.position_embeddings.weight", &positions)?,
            types,
            norm: named.norm("embeddings.LayerNorm", hidden)?,
            layers,
            shape,
        })
    }

    /// Rows of the table of words.
    pub(crate) fn vocabulary(&self) -> usize {
        self.words.rows
    }

    /// Computes the vectors of all tokens of these texts, one text after the other.
    pub(crate) fn run<'a>(&self, pack: &[&Sequence], scratch: &'a mut Scratch) -> Encoded<'a> {
        let shape = &self.shape;
        let (hidden, kernels) = (shape.hidden, self.kernels);
        let rows: usize = pack.iter().map(|sequence| sequence.ids.len()).sum();
        // Room for what kernels write beyond the columns that are meant: at most one panel.
        let beyond = kernels.float_width.max(kernels.byte_width);
        let stride = (hidden + beyond).next_multiple_of(16);
        let attention_stride = (3 * hidden + beyond).next_multiple_of(16);
        let inner_stride = (shape.inner + beyond).next_multiple_of(16);
        scratch.hidden.at_least(rows * stride);
        scratch.projected.at_least(rows * stride);
        scratch.context.at_least(rows * stride);
        scratch.wide.at_least(rows * attention_stride.max(inner_stride));
        self.embed(pack, scratch.hidden.as_mut_slice(), stride);
        for layer in &self.layers {
            {
                let x = Rows::new(scratch.hidden.as_slice(), rows, hidden, stride);
                let room = layer.attention.room(kernels);
                let mut c = RowsMut::new(scratch.wide.as_mut_slice(), rows, room, attention_stride);
                layer.attention.apply(kernels, x, &mut c, Activation::None, &mut scratch.bytes);
            }
            let mut start = 0;
            for sequence in pack {
                let end = start + sequence.ids.len();
                self.attend(start..end, attention_stride, stride, scratch);
                start = end;
            }
            {
                let x = Rows::new(scratch.context.as_slice(), rows, hidden, stride);
                let room = layer.attended.room(kernels);
                let mut c = RowsMut::new(scratch.projected.as_mut_slice(), rows, room, stride);
                layer.attended.apply(kernels, x, &mut c, Activation::None, &mut scratch.bytes);
            }
            self.add(&layer.attention_norm, rows, stride, scratch);
            {
                let x = Rows::new(scratch.hidden.as_slice(), rows, hidden, stride);
                let room = layer.inner.room(kernels);
                let mut c = RowsMut::new(scratch.wide.as_mut_slice(), rows, room, inner_stride);
                layer.inner.apply(kernels, x, &mut c, shape.activation, &mut scratch.bytes);
            }
            {
                let x = Rows::new(scratch.wide.as_slice(), rows, shape.inner, inner_stride);
                let room = layer.outer.room(kernels);
                let mut c = RowsMut::new(scratch.projected.as_mut_slice(), rows, room, stride);
                layer.outer.apply(kernels, x, &mut c, Activation::None, &mut scratch.bytes);
            }
            self.add(&layer.norm, rows, stride, scratch);
        }
        Encoded { data: scratch.hidden.as_slice(), stride, width: hidden }
    }

    /// Words, positions and types, added up and normalised.
    fn embed(&self, pack: &[&Sequence], to: &mut [f32], stride: usize) {
        let hidden = self.shape.hidden;
        let mut rows = to.chunks_exact_mut(stride);
        for sequence in pack {
            for (place, id) in sequence.ids.iter().enumerate() {
                let Some(row) = rows.next().and_then(|row| row.get_mut(..hidden)) else { return };
                // Opening has checked that the table has a row for every token of the tokenizer.
                if self.words.row(*id as usize, row).is_none() {
                    row.fill(0.0);
                }
                let position = (place + self.shape.first_position) * hidden;
                add(row, self.positions.get(position..position + hidden));
                let kind = sequence.types.get(place).map_or(0, |kind| *kind as usize) * hidden;
                // Models of one type only have it for both texts.
                add(row, self.types.get(kind..kind + hidden).or_else(|| self.types.get(..hidden)));
                self.norm.apply(self.kernels, row, None);
            }
        }
    }

    fn add(&self, norm: &Norm, rows: usize, stride: usize, scratch: &mut Scratch) {
        let hidden = self.shape.hidden;
        let x = scratch.hidden.as_mut_slice().chunks_exact_mut(stride).take(rows);
        let y = scratch.projected.as_slice().chunks_exact(stride);
        for (x, y) in x.zip(y) {
            if let Some(x) = x.get_mut(..hidden) {
                norm.apply(self.kernels, x, Some(y));
            }
        }
    }

    /// Attention within one text: from queries, keys and values of its rows in `wide` to the same rows of `context`.
    fn attend(&self, rows: Range<usize>, from: usize, to: usize, scratch: &mut Scratch) {
        let kernels = self.kernels;
        let (len, hidden) = (rows.len(), self.shape.hidden);
        if len == 0 {
            return;
        }
        let head = hidden / self.shape.heads;
        let width = kernels.float_width;
        let across = len.next_multiple_of(width);
        let head_across = head.next_multiple_of(width);
        scratch.keys.at_least(across * head);
        scratch.values.at_least(head_across * len);
        scratch.scores.at_least(len * across);
        scratch.sums.resize(scratch.sums.len().max(len), 0.0);
        // What is added to the scores: nothing, but for columns behind the last token so much that they vanish.
        let mask = scratch.mask.at_least(across);
        mask.iter_mut().take(len).for_each(|score| *score = 0.0);
        mask.iter_mut().take(across).skip(len).for_each(|score| *score = -1e30);
        let Some(source) = scratch.wide.as_slice().get(rows.start * from..) else { return };
        for number in 0..self.shape.heads {
            let (query, key, value) = (number * head, hidden + number * head, 2 * hidden + number * head);
            let keys = scratch.keys.as_mut_slice();
            transpose(source, from, key, len, head, width, keys);
            let Some(queries) = source.get(query..) else { return };
            let queries = Rows::new(queries, len, head, from);
            let panels = Panels {
                data: scratch.keys.as_slice(),
                depth: head,
                columns: len,
                stride: width,
                panel_stride: head * width,
                bias: Some(scratch.mask.as_slice()),
            };
            let mut scores = RowsMut::new(scratch.scores.as_mut_slice(), len, across, across);
            kernels.product(queries, panels, &mut scores, Activation::None);
            kernels.soften(&mut scores, &mut scratch.sums);

            let weights = Rows::new(scratch.scores.as_slice(), len, len, across);
            let panels = if head.is_multiple_of(width) {
                let Some(data) = source.get(value..) else { return };
                Panels { data, depth: len, columns: head, stride: from, panel_stride: width, bias: None }
            } else {
                gather(source, from, value, len, head, head_across, scratch.values.as_mut_slice());
                let data = scratch.values.as_slice();
                Panels {
                    data,
                    depth: len,
                    columns: head,
                    stride: head_across,
                    panel_stride: width,
                    bias: None,
                }
            };
            let Some(context) = scratch.context.as_mut_slice().get_mut(rows.start * to + query..) else {
                return;
            };
            kernels.product(
                weights,
                panels,
                // Heads are written in order: what one writes beyond its columns, the next one writes over.
                &mut RowsMut::new(context, len, head_across.min(to), to),
                Activation::None,
            );
            for (row, sum) in context.chunks_mut(to).zip(&scratch.sums).take(len) {
                if let Some(row) = row.get_mut(..head) {
                    kernels.scale(row, 1.0 / sum);
                }
            }
        }
    }
}

impl Layer {
    fn read(named: &Named<'_>, shape: &Shape, number: usize) -> Result<Self, LocalError> {
        let (hidden, inner) = (shape.hidden, shape.inner);
        if shape.family == Family::DistilBert {
            let base = format!("transformer.layer.{number}");
            let parts = ["q_lin", "k_lin", "v_lin"].map(|part| format!("{base}.attention.{part}"));
            return Ok(Self {
                attention: named.attention(&parts, shape)?,
                attended: named.linear(&format!("{base}.attention.out_lin"), hidden, hidden)?,
                attention_norm: named.norm(&format!("{base}.sa_layer_norm"), hidden)?,
                inner: named.linear(&format!("{base}.ffn.lin1"), hidden, inner)?,
                outer: named.linear(&format!("{base}.ffn.lin2"), inner, hidden)?,
                norm: named.norm(&format!("{base}.output_layer_norm"), hidden)?,
            });
        }
        let base = format!("encoder.layer.{number}");
        let parts = ["query", "key", "value"].map(|part| format!("{base}.attention.self.{part}"));
        Ok(Self {
            attention: named.attention(&parts, shape)?,
            attended: named.linear(&format!("{base}.attention.output.dense"), hidden, hidden)?,
            attention_norm: named.norm(&format!("{base}.attention.output.LayerNorm"), hidden)?,
            inner: named.linear(&format!("{base}.intermediate.dense"), hidden, inner)?,
            outer: named.linear(&format!("{base}.output.dense"), inner, hidden)?,
            norm: named.norm(&format!("{base}.output.LayerNorm"), hidden)?,
        })
    }
}

impl Norm {
    fn apply(&self, kernels: &Kernels, x: &mut [f32], y: Option<&[f32]>) {
        kernels.add_norm(x, y, &self.gain, &self.offset, self.epsilon);
    }
}

fn add(row: &mut [f32], other: Option<&[f32]>) {
    row.iter_mut().zip(other.unwrap_or_default()).for_each(|(to, from)| *to += from);
}

/// Columns `column..` of `len` rows as panels of columns: `head` rows of `width` tokens each, zeros behind the last.
fn transpose(
    from: &[f32],
    stride: usize,
    column: usize,
    len: usize,
    head: usize,
    width: usize,
    to: &mut [f32],
) {
    for (number, panel) in to.chunks_exact_mut(head * width).take(len.div_ceil(width)).enumerate() {
        let tokens = width.min(len - number * width);
        for lane in 0..width {
            let to = panel.iter_mut().skip(lane).step_by(width);
            let start = (number * width + lane) * stride + column;
            match from.get(start..start + head).filter(|_| lane < tokens) {
                Some(row) => to.zip(row).for_each(|(to, from)| *to = *from),
                None => to.for_each(|to| *to = 0.0),
            }
        }
    }
}

/// Columns `column..column + head` of `len` rows, with zeros behind them to `across`.
fn gather(
    from: &[f32],
    stride: usize,
    column: usize,
    len: usize,
    head: usize,
    across: usize,
    to: &mut [f32],
) {
    for (number, to) in to.chunks_exact_mut(across).take(len).enumerate() {
        let start = number * stride + column;
        let row = from.get(start..start + head).unwrap_or_default();
        to.iter_mut()
            .zip(row.iter().copied().chain(std::iter::repeat(0.0)))
            .for_each(|(to, from)| *to = from);
    }
}
