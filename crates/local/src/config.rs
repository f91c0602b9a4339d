//! What a model's folder says of it: kind, sizes, pooling, limits, prompts.

use crate::LocalError;
use crate::kernels::Activation;
use hanok_base::EmbedKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// A family of models that is computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// BERT: `MiniLM`, BGE, E5, GTE.
    Bert,
    /// `RoBERTa` and XLM-R, the multilingual ones.
    Roberta,
    /// `DistilBERT`.
    DistilBert,
}

impl Family {
    /// Its name: `bert`, `roberta`, `distilbert`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::DistilBert => "distilbert",
        }
    }
}

/// `config.json`, of every family.
#[derive(Debug, Deserialize)]
struct ConfigFile {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(alias = "dim")]
    hidden_size: Option<usize>,
    #[serde(alias = "n_layers")]
    num_hidden_layers: Option<usize>,
    #[serde(alias = "n_heads")]
    num_attention_heads: Option<usize>,
    #[serde(alias = "hidden_dim")]
    intermediate_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    #[serde(alias = "activation")]
    hidden_act: Option<String>,
    layer_norm_eps: Option<f32>,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
}

/// The sizes of an encoder.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) family: Family,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    pub(crate) activation: Activation,
    pub(crate) epsilon: f32,
    /// The position of the first token.
    pub(crate) first_position: usize,
    /// Tokens at most, special ones included.
    pub(crate) most_tokens: usize,
    pub(crate) classifies: bool,
}

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Mean,
    First,
    Max,
}

/// What is put before a text, by what it is embedded for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompts {
    pub(crate) query: String,
    pub(crate) document: String,
}

impl Prompts {
    pub(crate) fn of(&self, kind: EmbedKind) -> &str {
        match kind {
            EmbedKind::Query => &self.query,
            EmbedKind::Document => &self.document,
        }
    }
}

/// Reads a JSON file of a model; `None` where there is none.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LocalError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::read(path, error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| LocalError::invalid(path, format!("is not what it should be: {error}")))
}

/// The families and their way out.
const KNOWN: &str =
    "take a model of the BERT family, such as all-minilm-l6-v2, bge-small-en-v1.5, multilingual-e5-small";

impl Shape {
    /// Reads `config.json`.
    pub(crate) fn read(folder: &Path) -> Result<Self, LocalError> {
        let path = folder.join("config.json");
        let Some(file) = json::<ConfigFile>(&path)? else {
            return Err(LocalError::invalid(&path, "is missing: this is no folder of a model"));
        };
        let family = match file.model_type.as_deref() {
            Some("bert") => Family::Bert,
            Some("roberta" | "xlm-roberta" | "camembert") => Family::Roberta,
            Some("distilbert") => Family::DistilBert,
            Some(other) => {
                return Err(LocalError::unsupported(&path, format!("the model type `{other}`"), KNOWN));
            }
            None => return Err(LocalError::invalid(&path, "says no `model_type`")),
        };
        if let Some(kind) = &file.position_embedding_type
            && kind != "absolute"
        {
            return Err(LocalError::unsupported(&path, format!("`position_embedding_type` `{kind}`"), KNOWN));
        }
        let size = |name: &str, value: Option<usize>, most: usize| match value {
            Some(value) if (1..=most).contains(&value) => Ok(value),
            Some(value) => {
                Err(LocalError::invalid(&path, format!("`{name}` is {value}, not from 1 to {most}")))
            }
            None => Err(LocalError::invalid(&path, format!("says no `{name}`"))),
        };
        let hidden = size("hidden_size", file.hidden_size, 16_384)?;
        let heads = size("num_attention_heads", file.num_attention_heads, hidden)?;
        if !hidden.is_multiple_of(heads) {
            return Err(LocalError::invalid(
                &path,
                format!("{hidden} inputs cannot be shared by {heads} heads"),
            ));
        }
        let positions = size("max_position_embeddings", file.max_position_embeddings, 1 << 20)?;
        let first_position = if family == Family::Roberta { file.pad_token_id.unwrap_or(1) + 1 } else { 0 };
        let most_tokens = positions.saturating_sub(first_position);
        if most_tokens < 8 {
            return Err(LocalError::invalid(&path, format!("{positions} positions are too few")));
        }
        let activation = match file.hidden_act.as_deref().unwrap_or("gelu") {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            other => return Err(LocalError::unsupported(&path, format!("`hidden_act` `{other}`"), KNOWN)),
        };
        Ok(Self {
            family,
            hidden,
            heads,
            layers: size("num_hidden_layers", file.num_hidden_layers, 256)?,
            inner: size("intermediate_size", file.intermediate_size, 1 << 17)?,
            activation,
            epsilon: file.layer_norm_eps.unwrap_or(1e-12),
            first_position,
            most_tokens,
            classifies: file.architectures.iter().any(|name| name.ends_with("ForSequenceClassification")),
        })
    }
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file's members")]
#[derive(Default)]
struct PoolingFile {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// Reads `modules.json` and the pooling it names; the mean where there is none.
pub(crate) fn pooling(folder: &Path) -> Result<Pooling, LocalError> {
    let modules_path = folder.join("modules.json");
    let modules: Vec<Module> = json(&modules_path)?.unwrap_or_default();
    let mut pooling = Pooling::Mean;
    for module in &modules {
        // Of `sentence_transformers.models.Pooling` only the end is stable between versions.
        match module.kind.rsplit('.').next().unwrap_or_default() {
            // Vectors leave with length 1 whether or not a model says so.
            "Transformer" | "Normalize" => {}
            "Pooling" => {
                let path = folder.join(&module.path).join("config.json");
                let Some(file) = json::<PoolingFile>(&path)? else {
                    return Err(LocalError::invalid(&path, "is missing, though modules.json names it"));
                };
                pooling = match file {
                    PoolingFile { pooling_mode_weightedmean_tokens: true, .. }
                    | PoolingFile { pooling_mode_lasttoken: true, .. } => {
                        return Err(LocalError::unsupported(&path, "this pooling", "mean, cls and max are"));
                    }
                    PoolingFile { pooling_mode_cls_token: true, .. } => Pooling::First,
                    PoolingFile { pooling_mode_max_tokens: true, .. } => Pooling::Max,
                    // The two means differ by a factor, which normalising takes away.
                    PoolingFile { pooling_mode_mean_tokens: true, .. }
                    | PoolingFile { pooling_mode_mean_sqrt_len_tokens: true, .. } => Pooling::Mean,
                    _ => return Err(LocalError::invalid(&path, "names no pooling")),
                };
            }
            other => {
                let what = format!("the module `{other}`");
                return Err(LocalError::unsupported(&modules_path, what, "take a model without it"));
            }
        }
    }
    Ok(pooling)
}

/// Tokens at most, as the model was trained: `sentence_bert_config.json`, else `tokenizer_config.json`.
pub(crate) fn most_tokens(folder: &Path, shape: &Shape) -> Result<usize, LocalError> {
    #[derive(Deserialize)]
    struct Sentence {
        max_seq_length: Option<usize>,
    }
    #[derive(Deserialize)]
    struct Tokenizer {
        // Some say 1e30 for no limit.
        model_max_length: Option<f64>,
    }
    let sentence: Option<Sentence> = json(&folder.join("sentence_bert_config.json"))?;
    let tokenizer: Option<Tokenizer> = json(&folder.join("tokenizer_config.json"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is bounded below"
    )]
    let said = sentence
        .and_then(|file| file.max_seq_length)
        .or_else(|| tokenizer.and_then(|file| file.model_max_length).map(|most| most as usize));
    Ok(said.filter(|most| *most >= 8).unwrap_or(shape.most_tokens).min(shape.most_tokens))
}

/// What the model wants before queries and documents: as the folder says, else as models of its name do.
pub(crate) fn prompts(folder: &Path) -> Result<Prompts, LocalError> {
    #[derive(Default, Deserialize)]
    struct File {
        #[serde(default)]
        prompts: BTreeMap<String, Option<String>>,
    }
    for name in [crate::models::NOTE, "config_sentence_transformers.json"] {
        let file: File = json(&folder.join(name))?.unwrap_or_default();
        let said = |names: [&str; 3]| {
            names.into_iter().find_map(|name| file.prompts.get(name).cloned().flatten()).unwrap_or_default()
        };
        let prompts = Prompts {
            query: said(["query", "search_query", "s2p_query"]),
            document: said(["document", "passage", "search_document"]),
        };
        if prompts != Prompts::default() {
            return Ok(prompts);
        }
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    Ok(prompts_by_name(&name))
}

/// What models of the families with habits want, by their names.
pub(crate) fn prompts_by_name(name: &str) -> Prompts {
    let words: Vec<&str> = name.split(['-', '_', '.']).collect();
    if words.contains(&"e5") && !words.contains(&"instruct") {
        return Prompts { query: "query: ".to_owned(), document: "passage: ".to_owned() };
    }
    // BGE-M3 was trained without.
    if words.contains(&"bge") && words.contains(&"en") {
        let query = "Represent this sentence for searching relevant passages: ".to_owned();
        return Prompts { query, document: String::new() };
    }
    Prompts::default()
}
