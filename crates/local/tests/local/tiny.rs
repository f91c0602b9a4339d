//! Models made up for the tests: few weights, at random, written as published ones are.

use hanok_local::Family;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// Words of the vocabulary beside the special ones: `w0`, `w1`, ...
pub(crate) const WORDS: usize = 40;
/// Tokens that there are positions for.
pub(crate) const POSITIONS: usize = 64;
/// Where `RoBERTa` begins to count.
pub(crate) const FIRST: usize = 2;
/// The special tokens: padding, unknown, first, last.
pub(crate) const SPECIAL: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    F32,
    F16,
    Bf16,
}

pub(crate) struct Tiny {
    pub(crate) family: Family,
    pub(crate) hidden: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) labels: usize,
    pub(crate) pooling: &'static str,
    pub(crate) activation: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) dtype: Dtype,
    /// `gamma` and `beta`.
    pub(crate) old_names: bool,
    /// Tensors by name, as they are read back: shape and values.
    pub(crate) tensors: RefCell<BTreeMap<String, (Vec<usize>, Vec<f32>)>>,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            family: Family::Bert,
            hidden: 32,
            heads: 4,
            inner: 64,
            layers: 2,
            labels: 0,
            pooling: "mean_tokens",
            activation: "gelu",
            prefix: "",
            dtype: Dtype::F32,
            old_names: false,
            tensors: RefCell::default(),
        }
    }
}

impl Tiny {
    /// The values of a tensor.
    pub(crate) fn get(&self, name: &str) -> Vec<f64> {
        let tensors = self.tensors.borrow();
        let (_, values) = tensors.get(&self.full(name)).unwrap_or_else(|| panic!("no {name}"));
        values.iter().copied().map(f64::from).collect()
    }

    fn full(&self, name: &str) -> String {
        let head = ["classifier", "pre_classifier", "pooler"].iter().any(|head| name.starts_with(head));
        let prefix = if self.labels == 0 {
            self.prefix
        } else if head && !name.starts_with("pooler") {
            ""
        } else {
            match self.family {
                Family::Bert => "bert.",
                Family::Roberta => "roberta.",
                Family::DistilBert => "distilbert.",
            }
        };
        format!("{prefix}{name}")
    }

    /// The names of the linear layers of one layer: queries, keys, values, output, inner, outer; and of its norms.
    pub(crate) fn names(&self, layer: usize) -> ([String; 6], [String; 2]) {
        if self.family == Family::DistilBert {
            let base = format!("transformer.layer.{layer}");
            let linear = [
                "attention.q_lin",
                "attention.k_lin",
                "attention.v_lin",
                "attention.out_lin",
                "ffn.lin1",
                "ffn.lin2",
            ];
            return (
                linear.map(|name| format!("{base}.{name}")),
                ["sa_layer_norm", "output_layer_norm"].map(|name| format!("{base}.{name}")),
            );
        }
        let base = format!("encoder.layer.{layer}");
        let linear = [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        ];
        let norms = ["attention.output.LayerNorm", "output.LayerNorm"];
        (linear.map(|name| format!("{base}.{name}")), norms.map(|name| format!("{base}.{name}")))
    }

    /// The names of a norm's two tensors.
    pub(crate) fn norm(&self, name: &str) -> [String; 2] {
        let ends = if self.old_names { ["gamma", "beta"] } else { ["weight", "bias"] };
        ends.map(|end| format!("{name}.{end}"))
    }

    fn fill(&self) {
        let mut random = fastrand::Rng::with_seed(42);
        let mut add = |name: &str, shape: &[usize], size: f32, middle: f32| {
            let values =
                (0..shape.iter().product()).map(|_| self.rounded((random.f32() * 2.0 - 1.0) * size + middle));
            self.tensors.borrow_mut().insert(self.full(name), (shape.to_vec(), values.collect()));
        };
        let (hidden, inner) = (self.hidden, self.inner);
        let first = if self.family == Family::Roberta { FIRST } else { 0 };
        add("embeddings.word_embeddings.weight", &[WORDS + SPECIAL, hidden], 1.0, 0.0);
        add("embeddings.position_embeddings.weight", &[POSITIONS + first, hidden], 0.5, 0.0);
        match self.family {
            Family::Bert => add("embeddings.token_type_embeddings.weight", &[2, hidden], 0.5, 0.0),
            Family::Roberta => add("embeddings.token_type_embeddings.weight", &[1, hidden], 0.5, 0.0),
            Family::DistilBert => {}
        }
        let mut norms = vec!["embeddings.LayerNorm".to_owned()];
        for layer in 0..self.layers {
            let (linear, of_layer) = self.names(layer);
            norms.extend(of_layer);
            for (number, name) in linear.iter().enumerate() {
                let (to, from) = match number {
                    4 => (inner, hidden),
                    5 => (hidden, inner),
                    _ => (hidden, hidden),
                };
                add(&format!("{name}.weight"), &[to, from], 0.3, 0.0);
                add(&format!("{name}.bias"), &[to], 0.2, 0.0);
            }
        }
        for name in norms {
            let [gain, offset] = self.norm(&name);
            add(&gain, &[hidden], 0.3, 1.0);
            add(&offset, &[hidden], 0.2, 0.0);
        }
        if self.labels > 0 {
            let (dense, out) = self.head();
            add(&format!("{dense}.weight"), &[hidden, hidden], 0.3, 0.0);
            add(&format!("{dense}.bias"), &[hidden], 0.2, 0.0);
            add(&format!("{out}.weight"), &[self.labels, hidden], 0.5, 0.0);
            add(&format!("{out}.bias"), &[self.labels], 0.5, 0.0);
        }
    }

    /// The names of the two linear layers of the head.
    pub(crate) fn head(&self) -> (&'static str, &'static str) {
        match self.family {
            Family::Bert => ("pooler.dense", "classifier"),
            Family::Roberta => ("classifier.dense", "classifier.out_proj"),
            Family::DistilBert => ("pre_classifier", "classifier"),
        }
    }

    /// A value that can be written down in the type.
    fn rounded(&self, value: f32) -> f32 {
        match self.dtype {
            Dtype::F32 => value,
            // Eleven bits, of a range far from the ends of a half's.
            Dtype::F16 if value.abs() < 1e-3 => 0.0,
            Dtype::F16 => f32::from_bits(value.to_bits() & !0x1fff),
            Dtype::Bf16 => f32::from_bits(value.to_bits() & 0xffff_0000),
        }
    }

    fn bytes(&self, value: f32) -> Vec<u8> {
        let bits = value.to_bits();
        match self.dtype {
            Dtype::F32 => bits.to_le_bytes().to_vec(),
            Dtype::Bf16 => bits.to_le_bytes()[2..].to_vec(),
            Dtype::F16 if value == 0.0 => vec![0, 0],
            Dtype::F16 => {
                let (sign, exponent, fraction) = (bits >> 31, bits >> 23 & 255, bits >> 13 & 1023);
                let half = sign << 15 | (exponent - 112) << 10 | fraction;
                half.to_le_bytes()[..2].to_vec()
            }
        }
    }

    /// Writes the folder.
    pub(crate) fn write(&self, folder: &Path) {
        self.fill();
        let (mut header, mut data) = (Map::new(), Vec::new());
        for (name, (shape, values)) in &*self.tensors.borrow() {
            let start = data.len();
            data.extend(values.iter().flat_map(|value| self.bytes(*value)));
            let dtype = match self.dtype {
                Dtype::F32 => "F32",
                Dtype::F16 => "F16",
                Dtype::Bf16 => "BF16",
            };
            header.insert(
                name.clone(),
                json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] }),
            );
        }
        let mut header = serde_json::to_vec(&header).unwrap();
        header.resize(header.len().next_multiple_of(8), b' ');
        let weights = [&(header.len() as u64).to_le_bytes(), header.as_slice(), data.as_slice()].concat();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
        write("model.safetensors", &weights);
        write("config.json", self.config().to_string().as_bytes());
        write("tokenizer.json", self.tokenizer().to_string().as_bytes());
        let modules = json!([
            { "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" },
            { "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" },
        ]);
        write("modules.json", modules.to_string().as_bytes());
        std::fs::create_dir_all(folder.join("1_Pooling")).unwrap();
        write("1_Pooling/config.json", format!("{{\"pooling_mode_{}\":true}}", self.pooling).as_bytes());
    }

    fn config(&self) -> Value {
        let kind = if self.labels > 0 { "ModelForSequenceClassification" } else { "Model" };
        if self.family == Family::DistilBert {
            return json!({
                "model_type": "distilbert", "architectures": [kind], "dim": self.hidden, "n_layers": self.layers,
                "n_heads": self.heads, "hidden_dim": self.inner, "max_position_embeddings": POSITIONS,
                "activation": self.activation,
            });
        }
        let (kind_of, first) =
            if self.family == Family::Roberta { ("xlm-roberta", FIRST) } else { ("bert", 0) };
        json!({
            "model_type": kind_of, "architectures": [kind], "hidden_size": self.hidden,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads, "intermediate_size": self.inner,
            "max_position_embeddings": POSITIONS + first, "hidden_act": self.activation, "layer_norm_eps": 1e-12,
            "pad_token_id": if first > 0 { 1 } else { 0 },
        })
    }

    fn tokenizer(&self) -> Value {
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
        let mut vocabulary = Map::new();
        for (id, word) in special
            .iter()
            .map(|word| (*word).to_owned())
            .chain((0..WORDS).map(|n| format!("w{n}")))
            .enumerate()
        {
            vocabulary.insert(word, id.into());
        }
        let second = i32::from(self.family == Family::Bert);
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" }, "decoder": null,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
                    { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }],
                "pair": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
                    { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": second } },
                    { "SpecialToken": { "id": "[SEP]", "type_id": second } }],
                "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] },
                    "[SEP]": { "id": "[SEP]", "ids": [3], "tokens": ["[SEP]"] } },
            },
            "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
        })
    }
}
