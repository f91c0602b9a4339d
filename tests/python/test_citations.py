"""Citations as each dialect has them, whole and streamed, through its official client: what is quoted stands in the
document, what is quoted wrongly is not passed as a citation, and what no source holds is told."""

import json
import urllib.parse

import anthropic
import ollama
import pytest
from google import genai
from google.genai import types as gt

from upstream import QUOTES

MODEL = "hanok/ask@default:mock/quotes"
QUESTION = "When does the warehouse open?"
TRUE = "opens at seven"


def check_source(server, url, start, end, quote):
    """The quote is the document's own bytes, and the page that the citation opens is there."""
    url = urllib.parse.urlsplit(url)
    source = server.get(url.path.replace("/sources/", "/api/sources/") + "/text")
    assert source.status == 200
    assert source.body[start:end].decode() == quote == TRUE
    assert server.get(f"{url.path}?{url.query}").status == 200


def check_about(about):
    """What is said of the answer beside it."""
    assert about["found"] is True and about["covered"] == "partly"
    assert about["citations"] == 2 and about["verbatim"] == 1 and len(about["dropped"]) == 1
    assert about["misquoted"] == ["opens at noon on Sundays"]
    assert any("moon" in sentence for sentence in about["uncovered"])


def covered(text, start, end):
    """Code points of the answer."""
    return text[start:end]


@pytest.mark.parametrize("stream", [False, True])
def test_openai_chat(library, stream):
    request = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        text, annotations, about = "", [], {}
        for chunk in library.client().chat.completions.create(**request, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                annotations += (choice.delta.model_extra or {}).get("annotations", [])
                about = (choice.model_extra or {}).get("hanok", about)
    else:
        [choice] = library.client().chat.completions.create(**request).choices
        text, about = choice.message.content, choice.model_extra["hanok"]
        annotations = [annotation.model_dump() for annotation in choice.message.annotations]
    assert text == QUOTES
    [annotation] = annotations
    citation = annotation["url_citation"]
    assert covered(text, citation["start_index"], citation["end_index"]) == 'The warehouse "opens at seven"'
    check_source(library, citation["url"], citation["start"], citation["end"], citation["quote"])
    check_about(about)


@pytest.mark.parametrize("stream", [False, True])
def test_openai_responses(library, stream):
    client = library.client()
    if stream:
        added, answer = [], None
        for event in client.responses.create(model=MODEL, input=QUESTION, stream=True):
            if event.type == "response.output_text.annotation.added":
                added.append(event.annotation)
            if event.type == "response.completed":
                answer = event.response
        assert len(added) == 1
    else:
        answer = client.responses.create(model=MODEL, input=QUESTION)
    assert answer.output_text == QUOTES
    [content] = [content for item in answer.output if item.type == "message" for content in item.content]
    [annotation] = content.annotations
    assert annotation.type == "url_citation" and annotation.title
    assert covered(content.text, annotation.start_index, annotation.end_index) == 'The warehouse "opens at seven"'
    more = annotation.model_extra
    check_source(library, annotation.url, more["start"], more["end"], more["quote"])
    check_about(answer.model_extra["hanok"])


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_messages(library, stream):
    client = anthropic.Anthropic(base_url=library.url, api_key="any", max_retries=0)
    request = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        with client.messages.stream(**request) as events:
            seen = list(events)
            message = events.get_final_message()
        assert len([event for event in seen if event.type == "citation"]) == 1
        # What is known at the end alone does not stand in the message, which has begun before.
        [end] = [event for event in seen if event.type == "message_delta"]
        about = end.delta.model_extra["hanok"]
    else:
        message = client.messages.create(**request)
        about = message.model_extra["hanok"]
    text = "".join(block.text for block in message.content if block.type == "text")
    assert text == QUOTES
    [citation] = [citation for block in message.content for citation in block.citations or []]
    assert citation.type == "search_result_location"
    assert citation.source.endswith("warehouse.md") and citation.title and citation.cited_text == TRUE
    more = citation.model_extra
    assert covered(text, more["start_index"], more["end_index"]) == 'The warehouse "opens at seven"'
    check_source(library, more["url"], more["start"], more["end"], citation.cited_text)
    check_about(about)


@pytest.mark.parametrize("stream", [False, True])
def test_gemini(library, stream):
    options = gt.HttpOptions(base_url=library.url, api_version="v1beta")
    client = genai.Client(api_key="any", http_options=options)
    if stream:
        chunks = list(client.models.generate_content_stream(model=MODEL, contents=QUESTION))
        text = "".join(chunk.text or "" for chunk in chunks)
        [grounding] = [
            candidate.grounding_metadata for chunk in chunks for candidate in chunk.candidates or [] if candidate.grounding_metadata
        ]
    else:
        answer = client.models.generate_content(model=MODEL, contents=QUESTION)
        text, grounding = answer.text, answer.candidates[0].grounding_metadata
    assert text == QUOTES
    [chunk], [support] = grounding.grounding_chunks, grounding.grounding_supports
    context = chunk.retrieved_context
    assert support.grounding_chunk_indices == [0]
    assert support.segment.text == 'The warehouse "opens at seven"'
    # The API counts bytes.
    assert text.encode()[support.segment.start_index or 0 : support.segment.end_index].decode() == support.segment.text
    told = {item.key: item.string_value or int(item.numeric_value) for item in context.custom_metadata}
    assert told["source"].endswith("warehouse.md")
    check_source(library, context.uri, told["start"], told["end"], context.text)
    path = f"/v1beta/models/{MODEL}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
    reply = library.post(path, {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]})
    bodies = reply.events if stream else [reply.json]
    [about] = [candidate["hanok"] for body in bodies for candidate in body.get("candidates", []) if "hanok" in candidate]
    check_about(about)


@pytest.mark.parametrize("stream", [False, True])
def test_ollama(library, stream):
    client = ollama.Client(host=library.url)
    messages = [{"role": "user", "content": QUESTION}]
    if stream:
        text = "".join(part.message.content or "" for part in client.chat(model=MODEL, messages=messages, stream=True))
    else:
        text = client.chat(model=MODEL, messages=messages).message.content
    assert text == QUOTES
    # Its client keeps no member that it does not know: they are in the bytes.
    reply = library.post("/api/chat", {"model": MODEL, "messages": messages, "stream": stream})
    parts = [json.loads(line) for line in reply.body.splitlines() if line.strip()]
    [citation] = [citation for part in parts for citation in part["message"].get("citations", [])]
    assert covered(text, citation["start_index"], citation["end_index"]) == 'The warehouse "opens at seven"'
    check_source(library, citation["url"], citation["start"], citation["end"], citation["quote"])
    [about] = [part["hanok"] for part in parts if "verbatim" in part.get("hanok", {})]
    check_about(about)


# -- what a request asks of the search

@pytest.mark.parametrize("stream", [False, True])
def test_a_request_says_how_to_search(library, forgetful, stream):
    """In the place that each dialect's own client has for what is not the dialect's."""

    def passages():
        return forgetful.requests()[-1]["body"].decode().count("--- passage ")

    client = library.client()
    own = {"hanok": {"top_k": 1, "legs": "bm25"}}
    for more in [{"extra_body": own}, {"metadata": {"hanok.top_k": "1"}}]:
        answer = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=stream, **more
        )
        assert not stream or list(answer)
        assert passages() == 1, more
        assert b"hanok.top_k" not in forgetful.requests()[-1]["body"]
    answer = client.responses.create(model=MODEL, input=QUESTION, stream=stream, metadata={"hanok.top_k": "1"})
    assert not stream or list(answer)
    assert passages() == 1
    claude = anthropic.Anthropic(base_url=library.url, api_key="any", max_retries=0)
    claude.messages.create(
        model=MODEL, max_tokens=50, messages=[{"role": "user", "content": QUESTION}], extra_body=own
    )
    assert passages() == 1
    options = gt.HttpOptions(base_url=library.url, api_version="v1beta", extra_body=own)
    google = genai.Client(api_key="any", http_options=options)
    google.models.generate_content(model=MODEL, contents=QUESTION)
    assert passages() == 1
    ollama.Client(host=library.url).chat(
        model=MODEL, messages=[{"role": "user", "content": QUESTION}], options=own
    )
    assert passages() == 1


def test_a_wish_that_is_none_is_refused(library):
    reply = library.chat("hanok/extract", QUESTION, hanok={"top_k": 0})
    assert reply.status == 400 and "hanok.top_k" in reply.json["error"]["message"]
    reply = library.chat(MODEL, QUESTION, hanok={"topk": 3})
    assert reply.status == 400 and "there are: filter, top_k, legs, query" in reply.json["error"]["message"]


def test_the_question_is_prepared_by_a_model(library, forgetful):
    reply = library.chat("hanok/ask@default:mock/echo", QUESTION, hanok={"query": ["hyde", "multi"]})
    assert reply.status == 200
    trace = library.trace(reply.headers["x-hanok-trace-id"], spans=8)
    names = sorted(span["name"] for span in trace["spans"] if span["name"].startswith("query "))
    assert names == ["query hyde", "query multi"]
    assert len([span for span in trace["spans"] if span["name"].startswith("retrieval ")]) > 1
