"""Embeds the same texts by torch: a line in, a round done, its seconds out. The vectors go to a file at the start."""
import json
import sys
import time

import torch
from transformers import AutoModel, AutoTokenizer

folder, texts, vectors, batch, threads, most = sys.argv[1:]
torch.set_num_threads(int(threads))
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).eval()
texts = json.load(open(texts))


def embed(texts):
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=int(most), return_tensors="pt")
        mask = tokens["attention_mask"].unsqueeze(-1).float()
        hidden = model(**tokens).last_hidden_state
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def all_of_them():
    # Sorted by length, as sentence-transformers does: less padding.
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    out = [None] * len(texts)
    for start in range(0, len(order), int(batch)):
        some = order[start : start + int(batch)]
        for i, vector in zip(some, embed([texts[i] for i in some])):
            out[i] = vector
    return torch.stack(out)


all_of_them().numpy().astype("<f4").tofile(vectors)
print(f"torch {torch.__version__}", flush=True)
for _ in sys.stdin:
    start, busy = time.perf_counter(), time.process_time()
    all_of_them()
    print(time.perf_counter() - start, time.process_time() - busy, flush=True)
