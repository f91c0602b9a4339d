"""Answers from documents: quoted, cited, or plainly not found."""

import json
import re
import urllib.parse

import pytest

from support import by_operation


def ask(text):
    return [{"role": "user", "content": text}]


def whole(server, model, question):
    message = server.client().chat.completions.create(model=model, messages=ask(question)).choices[0].message
    return message.content, [annotation.model_dump() for annotation in message.annotations or []]


def streamed(server, model, question):
    """The same out of a stream; annotations must come before the finish."""
    text, annotations, finished = "", [], False
    for chunk in server.client().chat.completions.create(model=model, messages=ask(question), stream=True):
        for choice in chunk.choices:
            found = (choice.delta.model_extra or {}).get("annotations") or getattr(choice.delta, "annotations", None)
            assert not (finished and (found or choice.delta.content)), "something came after the finish"
            annotations += [item if isinstance(item, dict) else item.model_dump() for item in found or []]
            text += choice.delta.content or ""
            finished = finished or choice.finish_reason is not None
    assert finished
    return text, annotations


def member(annotation, name):
    """Ours stand beside OpenAI's, inside `url_citation` or next to it."""
    return annotation.get(name, annotation["url_citation"].get(name))


def check_citations(server, text, annotations):
    assert annotations
    for annotation in annotations:
        assert annotation["type"] == "url_citation"
        citation = annotation["url_citation"]
        quote, start, end = member(annotation, "quote"), member(annotation, "start"), member(annotation, "end")
        # Python counts code points, as the contract does.
        assert text[citation["start_index"] : citation["end_index"]] == quote
        assert citation["title"]
        url = urllib.parse.urlsplit(citation["url"])
        assert url.path.startswith("/sources/")
        assert urllib.parse.parse_qs(url.query)["start"] == [str(start)]
        source_id = url.path.removeprefix("/sources/")
        source = server.get(f"/api/sources/{source_id}/text")
        assert source.status == 200
        assert source.body[start:end] == quote.encode()
        page = server.get(f"{url.path}?{url.query}")
        assert page.status == 200 and page.headers["content-type"].startswith("text/html")


QUESTIONS = [
    ("When does the warehouse open?", "opens at seven", "warehouse.md"),
    ("How long may a customer return a parcel?", "thirty days", "warehouse.md"),
    ("Where are forklift batteries charged?", "bay four", "warehouse.md"),
    ("Why did the conveyor belt jam?", "pallet strap", "incidents.txt"),
    ("2년차 직원의 연차 휴가는 며칠인가요?", "열다섯 날", "규정.md"),
    ("출장 영수증은 언제까지 제출해야 하나요?", "열흘 안에", "규정.md"),
    ("서버실에는 누구와 들어갈 수 있나요?", "보안 담당자", "규정.md"),
]


@pytest.mark.parametrize("answer", [whole, streamed])
@pytest.mark.parametrize("question, part, source", QUESTIONS)
def test_the_answer_is_quoted_and_cited(library, answer, question, part, source):
    text, annotations = answer(library, "hanok/extract", question)
    assert part in text
    check_citations(library, text, annotations)
    assert any(source in member(annotation, "source") and part in member(annotation, "quote") for annotation in annotations)


def test_whole_and_streamed_say_the_same(library):
    for question, *_ in QUESTIONS:
        assert whole(library, "hanok/extract@default", question) == streamed(library, "hanok/extract@default", question)


ABSENT = [
    "What is the capital of Mongolia?",
    "How many moons does Jupiter have?",
    "몽골의 수도는 어디인가요?",
    "비트코인 채굴에 쓰는 전력은 얼마인가요?",
]


@pytest.mark.parametrize("answer", [whole, streamed])
@pytest.mark.parametrize("question", ABSENT)
def test_what_the_documents_do_not_hold_is_not_found(library, answer, question):
    text, annotations = answer(library, "hanok/extract", question)
    assert not annotations, text
    assert "nothing" in text.lower() or "찾지 못" in text or "없" in text


def test_the_last_question_of_a_conversation_counts(library):
    messages = [
        *ask("When does the warehouse open?"),
        {"role": "assistant", "content": "At seven."},
        *ask("Where are forklift batteries charged?"),
    ]
    answer = library.client().chat.completions.create(model="hanok/extract", messages=messages)
    assert "bay four" in answer.choices[0].message.content


def test_the_answerer_does_not_pose_as_a_language_model(library):
    answer = library.client().chat.completions.create(model="hanok/extract", messages=ask("When does the warehouse open?"))
    assert answer.model.startswith("hanok/extract")
    assert answer.choices[0].finish_reason == "stop"


def test_what_must_not_be_indexed_is_not(library):
    assert not any("quarry" in hit["text"].lower() for hit in library.search("gravel quarry", top_k=20))
    for hit in library.search("GRAVEL_QUARRY_TOKEN", top_k=20):
        assert "GRAVEL" not in hit["text"]


# -- search

def test_search(library):
    reply = library.post("/api/search", {"query": "forklift licence", "collection": "default", "top_k": 3})
    assert reply.status == 200
    hits = reply.json["hits"]
    assert 0 < len(hits) <= 3
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    best = hits[0]
    assert best["source"].endswith("warehouse.md")
    assert "Forklifts" in best["heading"]
    assert "valid licence" in best["text"]
    source = library.get(f"/api/sources/{best['source_id']}/text") if "source_id" in best else None
    if source:
        assert source.body[best["start"] : best["end"]] == best["text"].encode()
    assert len(best["text"].encode()) == best["end"] - best["start"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", best["indexed_at"])
    assert re.fullmatch("[0-9a-f]{64}", best["hash"])
    assert reply.json["left_out"] == [], "without an embedder words are all there is"


def test_search_has_defaults(library):
    assert library.post("/api/search", {"query": "forklift"}).json["hits"]


@pytest.mark.parametrize(
    "body, status",
    [
        ({"query": "x", "collection": "nowhere"}, 404),
        ({"query": "", "collection": "default"}, 400),
        ({"query": "?!", "collection": "default"}, 400),
        ({"collection": "default"}, 400),
        ({"query": "x", "top_k": -1}, 400),
        (b"{", 400),
    ],
)
def test_a_bad_search_is_told(library, body, status):
    reply = library.post("/api/search", body)
    assert reply.status == status, reply.text
    assert reply.json["error"]["message"]


@pytest.mark.parametrize("query", ['"unbalanced', "a AND OR (", "text:*", "-x", "~!@#$%^&*", "\\", "ㅋ", "가", "🏠", "x" * 10000])
def test_a_query_is_words_not_a_language(library, query):
    for reply in (library.post("/api/search", {"query": query}), library.chat("hanok/extract", query)):
        assert reply.status in (200, 400)
        assert len(reply.body) < 10_000, "the query comes back whole"


def test_the_source_of_nobody_is_not_found(library):
    assert library.get("/api/sources/0000000000000000/text").status == 404
    assert library.get("/api/sources/../../etc/passwd/text").status in (400, 404)


# -- spans

def test_retrieval_is_a_span_with_its_hits(library):
    reply = library.chat("hanok/extract", "When does the warehouse open?")
    trace = library.trace(reply.headers["x-hanok-trace-id"], spans=2)
    spans = trace["spans"]
    [root] = [span for span in spans if span["parent_id"] is None]
    assert root["attributes"]["gen_ai.request.model"] == "hanok/extract"
    [retrieval] = by_operation(trace, "retrieval")
    assert retrieval["parent_id"] in {span["span_id"] for span in spans}
    attributes = json.dumps(retrieval["attributes"], ensure_ascii=False)
    assert "warehouse.md" in attributes and "score" in attributes
    assert "When does the warehouse open?" in attributes
    [vote] = retrieval["attributes"]["hanok.hits"][0]["votes"]
    assert (vote["leg"], vote["rank"], vote["weight"]) == ("bm25", 1, 1.0) and "warehous" in vote["reason"], vote


# -- answers by a model, from the documents

@pytest.mark.parametrize("answer", [whole, streamed])
def test_ask_keeps_only_citations_that_hold(library, forgetful, answer):
    text, annotations = answer(library, "hanok/ask@default:mock/from-documents", "When does the warehouse open?")
    assert "opens at seven" in text
    prompt = forgetful.requests()[-1]["body"].decode()
    assert "opens at seven" in prompt, "the chunks are not in the prompt"
    for annotation in annotations:
        source_id = annotation["url_citation"]["url"].split("/sources/")[1].split("?")[0]
        source = library.get(f"/api/sources/{source_id}/text").body
        assert source[member(annotation, "start") : member(annotation, "end")] == member(annotation, "quote").encode()


def test_ask_records_every_room_it_went_through(library):
    reply = library.chat("hanok/ask@default:mock/from-documents", "When does the warehouse open?")
    trace = library.trace(reply.headers["x-hanok-trace-id"], spans=3)
    assert len(by_operation(trace, "retrieval")) == 1
    assert any(
        span["attributes"].get("gen_ai.request.model") == "from-documents" for span in by_operation(trace, "chat")
    )


@pytest.mark.parametrize("stream", [False, True])
def test_ask_passes_the_models_fault_on(library, stream):
    reply = library.chat("hanok/ask@default:mock/err500", "When does the warehouse open?", stream=stream)
    if reply.status == 200:
        assert any(event != "[DONE]" and event.get("error") for event in reply.events)
    else:
        assert reply.status == 502


def test_ask_of_itself_ends(library):
    reply = library.chat("hanok/ask@default:hanok/ask@default", "When does the warehouse open?")
    assert reply.status >= 400
    assert reply.json["error"]["message"]
