"""Models of the BERT family with few weights, at random, written as published ones are. Standard library only."""

import json
import random
import struct

HIDDEN, INNER, HEADS, LAYERS, POSITIONS = 32, 64, 4, 1, 128
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def write(folder, words, scores=False):
    """An embedder that knows these words, or with `scores` a cross-encoder."""
    folder.mkdir(parents=True)
    rng = random.Random(7)
    tensors, prefix = {}, "bert." if scores else ""

    def add(name, *shape, size=0.3, middle=0.0, prefix=prefix):
        count = 1
        for length in shape:
            count *= length
        tensors[prefix + name] = (shape, [rng.uniform(-size, size) + middle for _ in range(count)])

    vocabulary = SPECIAL + list(words)
    add("embeddings.word_embeddings.weight", len(vocabulary), HIDDEN, size=1.0)
    add("embeddings.position_embeddings.weight", POSITIONS, HIDDEN, size=0.1)
    add("embeddings.token_type_embeddings.weight", 2, HIDDEN, size=0.5)
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        base = f"encoder.layer.{layer}"
        for name, to, of in [
            ("attention.self.query", HIDDEN, HIDDEN), ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN), ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INNER, HIDDEN), ("output.dense", HIDDEN, INNER),
        ]:
            add(f"{base}.{name}.weight", to, of)
            add(f"{base}.{name}.bias", to)
        norms += [f"{base}.attention.output.LayerNorm", f"{base}.output.LayerNorm"]
    for name in norms:
        add(f"{name}.weight", HIDDEN, middle=1.0)
        add(f"{name}.bias", HIDDEN)
    if scores:
        add("pooler.dense.weight", HIDDEN, HIDDEN)
        add("pooler.dense.bias", HIDDEN)
        add("classifier.weight", 1, HIDDEN, size=1.0, prefix="")
        add("classifier.bias", 1, prefix="")
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        start = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    kind = "BertForSequenceClassification" if scores else "BertModel"
    put(folder / "config.json", {
        "model_type": "bert", "architectures": [kind], "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": INNER, "max_position_embeddings": POSITIONS,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0,
    })
    token = lambda name, kind: {"SpecialToken": {"id": name, "type_id": kind}}
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    single = [token("[CLS]", 0), text("A", 0), token("[SEP]", 0)]
    put(folder / "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "decoder": None,
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": [*single, text("B", 1), token("[SEP]", 1)],
            "special_tokens": {name: {"id": name, "ids": [SPECIAL.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")},
        },
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(vocabulary)}, "unk_token": "[UNK]"},
    })
    if not scores:
        put(folder / "modules.json", [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ])
        (folder / "1_Pooling").mkdir()
        put(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    return folder


def put(path, value):
    path.write_text(json.dumps(value))
