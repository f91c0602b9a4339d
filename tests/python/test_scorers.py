"""Scores of texts are those of sacrebleu and rouge-score."""

import json
import os
import pathlib
import random
import re
import subprocess

import pytest
import sacrebleu
from rouge_score import rouge_scorer

ROOT = pathlib.Path(__file__).parents[2]

ENGLISH = "the a cat dog sat on mat, and it's 3.14 or 1,000.5 (really) well-known e-mail \"so\" U.S. 10-20 &amp; x/y".split()
KOREAN = "고양이가 매트 위에 앉았다. 서울은 대한민국의 수도이다, 정말? 3월 1일에는 '만세'를 불렀다… 값은 1,200원(약 0.9달러)이다".split()
MIXED = ["hanok은", "GPT-5", "日本語", "«quoted»", "naïve", "É", "한글English섞임", "…", "<skipped>", "-", "\n", "a\u00a0b", "\u001cx"]


def texts(seed, count):
    draw = random.Random(seed)
    for _ in range(count):
        words = draw.choice((ENGLISH, KOREAN, ENGLISH + KOREAN + MIXED))
        reference = [draw.choice(words) for _ in range(draw.randrange(0, 25))]
        text = [word if draw.random() < 0.7 else draw.choice(words) for word in reference if draw.random() < 0.9]
        breaks = draw.choice((0.0, 0.1, 0.3))

        def written(words):
            return "".join(word + ("\n" if draw.random() < breaks else " ") for word in words)

        yield written(text), written(reference)


@pytest.fixture(scope="module")
def scores():
    """Asks many questions in one run of the program."""

    def ask(questions):
        command = [os.environ.get("CARGO", "cargo"), "run", "--quiet", "-p", "hanok-eval", "--example", "scores"]
        told = subprocess.run(
            command, cwd=ROOT, input="\n".join(map(json.dumps, questions)) + "\n", text=True, capture_output=True, timeout=900
        )
        assert told.returncode == 0, told.stderr
        return [
            {name: verdict["value"] for name, verdict in json.loads(line).items()} for line in told.stdout.splitlines()
        ]

    return ask


def check(scores, questions, expected):
    found = scores(questions)
    assert len(found) == len(expected)
    for question, found, expected in zip(questions, found, expected, strict=True):
        assert found.keys() == expected.keys(), question
        for name in expected:
            assert abs(found[name] - expected[name]) < 1e-9, (question, found, expected)


def test_bleu(scores):
    questions, expected = [], []
    for number, (text, reference) in enumerate(texts(1, 600)):
        tokens, lowercase, order = ("13a", "char", "none")[number % 3], number % 2 == 0, (4, 2, 6)[number % 5 % 3]
        references = [reference] if number % 4 else [reference, reference[::-1], text + " x"]
        questions.append(
            {
                "scorer": {"kind": "bleu", "tokens": tokens, "lowercase": lowercase, "order": order},
                "text": text,
                "expected": references,
            }
        )
        bleu = sacrebleu.BLEU(tokenize=tokens, lowercase=lowercase, max_ngram_order=order, effective_order=True)
        expected.append({"bleu": bleu.sentence_score(text, references).score / 100})
    assert sum(0 < score["bleu"] < 1 for score in expected) > 300
    check(scores, questions, expected)


def test_chrf(scores):
    questions, expected = [], []
    for number, (text, reference) in enumerate(texts(2, 600)):
        characters, words, beta = (6, 4)[number % 2], (0, 2, 1)[number % 3], (2, 1, 3)[number % 5 % 3]
        references = [reference] if number % 4 else [reference, text[: len(text) // 2], "."]
        scorer = {"kind": "chrf", "characters": characters, "words": words, "beta": beta, "lowercase": number % 7 == 0}
        questions.append({"scorer": scorer, "text": text, "expected": references})
        chrf = sacrebleu.CHRF(char_order=characters, word_order=words, beta=beta, lowercase=number % 7 == 0)
        expected.append({"chrf": chrf.sentence_score(text, references).score / 100})
    assert sum(0 < score["chrf"] < 1 for score in expected) > 300
    check(scores, questions, expected)


class Words:
    """Runs of letters, marks and digits of any script."""

    def tokenize(self, text):
        return re.findall(r"[^\W_]+", text.lower())


@pytest.mark.parametrize("tokens", ["ascii", "words"])
def test_rouge(scores, tokens):
    names = ["1", "2", "3", "l", "lsum"]
    types = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]
    scorer = rouge_scorer.RougeScorer(types, tokenizer=Words() if tokens == "words" else None)
    questions, expected = [], []
    for number, (text, reference) in enumerate(texts(3, 400)):
        references = [reference] if number % 4 else [reference, text[len(text) // 2 :], "그 외\nthe cat"]
        questions.append(
            {"scorer": {"kind": "rouge", "of": names, "tokens": tokens}, "text": text, "expected": references}
        )
        found = scorer.score_multi(references, text)
        parts = {f"rouge.{name}": found[type].fmeasure for name, type in zip(names, types, strict=True)}
        expected.append({"rouge": parts["rouge.1"], **parts})
    assert sum(0 < score["rouge.l"] < 1 for score in expected) > 150
    assert sum(score["rouge.lsum"] != score["rouge.l"] for score in expected) > 30
    check(scores, questions, expected)
