"""Searches a collection in BEIR's layout with bm25s and with LlamaIndex, one line of JSON for each way.

Usage: peers.py FOLDER MODEL_FOLDER [THREADS]. Needs bm25s, PyStemmer, llama-index-core, llama-index-retrievers-bm25,
torch and transformers. Times are of one query after the other, encoding included.
"""

import json
import math
import resource
import sys
import time

folder, model_folder = sys.argv[1:3]
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2


def lines(name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


judged = {}
with open(f"{folder}/qrels.tsv", encoding="utf-8") as file:
    for row in file:
        fields = row.split()
        if len(fields) >= 3 and fields[-1].isdigit():
            judged.setdefault(fields[0], {})[fields[-2]] = int(fields[-1])
corpus = lines("corpus.jsonl")
ids = [document["_id"] for document in corpus]
texts = [f"{document.get('title') or ''} {document['text']}".strip() for document in corpus]
queries = [query for query in lines("queries.jsonl") if query["_id"] in judged]


def ndcg(found, relevant):
    gain = sum((2 ** relevant.get(one, 0) - 1) / math.log2(rank + 2) for rank, one in enumerate(found[:10]))
    best = sorted(relevant.values(), reverse=True)[:10]
    ideal = sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(best))
    return gain / ideal if ideal else 0.0


def measure(peer, index_seconds, search):
    search(queries[0]["text"])
    took, gains = [], []
    for query in queries:
        start = time.perf_counter()
        found = search(query["text"])
        took.append((time.perf_counter() - start) * 1000)
        gains.append(ndcg(found, judged[query["_id"]]))
    took.sort()
    print(
        json.dumps(
            {
                "peer": peer,
                "ndcg@10": sum(gains) / len(gains),
                "index_seconds": index_seconds,
                "p50": took[len(took) // 2],
                "p99": took[min(len(took) - 1, int(len(took) * 0.99))],
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        ),
        flush=True,
    )


def by_bm25s():
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    start = time.perf_counter()
    tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    built = time.perf_counter() - start

    def search(text):
        asked = bm25s.tokenize([text], stopwords="en", stemmer=stemmer, show_progress=False)
        found, _ = index.retrieve(asked, k=10, show_progress=False)
        return [ids[at] for at in found[0]]

    measure(f"bm25s {bm25s.__version__}", built, search)


def by_llama_index():
    import torch
    from importlib.metadata import version
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.retrievers.bm25 import BM25Retriever
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModel.from_pretrained(model_folder).eval()

    class MiniLM(BaseEmbedding):
        def embed(self, some):
            with torch.inference_mode():
                tokens = tokenizer(some, padding=True, truncation=True, max_length=256, return_tensors="pt")
                mask = tokens["attention_mask"].unsqueeze(-1).float()
                hidden = model(**tokens).last_hidden_state
                pooled = (hidden * mask).sum(1) / mask.sum(1)
                return torch.nn.functional.normalize(pooled, dim=1).tolist()

        def _get_text_embedding(self, text):
            return self.embed([text])[0]

        def _get_text_embeddings(self, some):
            return self.embed(some)

        def _get_query_embedding(self, query):
            return self.embed([query])[0]

        async def _aget_query_embedding(self, query):
            return self.embed([query])[0]

    start = time.perf_counter()
    nodes = [TextNode(text=text, id_=one) for one, text in zip(ids, texts)]
    words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=10)
    built = time.perf_counter() - start
    named = f"LlamaIndex {version('llama-index-core')}"
    measure(f"{named}, BM25", built, lambda text: [hit.node.node_id for hit in words.retrieve(text)])
    index = VectorStoreIndex(nodes, embed_model=MiniLM(embed_batch_size=32))
    built = time.perf_counter() - start
    dense = index.as_retriever(similarity_top_k=10)
    both = QueryFusionRetriever(
        [words, dense], similarity_top_k=10, num_queries=1, mode="reciprocal_rerank", use_async=False, llm=MockLLM()
    )
    measure(f"{named}, RRF with MiniLM", built, lambda text: [hit.node.node_id for hit in both.retrieve(text)])


by_bm25s()
by_llama_index()
