"""The numbers under evals and tuning are those of scipy, statsmodels and scikit-learn."""

import json
import math
import os
import pathlib
import random
import subprocess

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special, stats
from sklearn import metrics
from statsmodels.stats import contingency_tables, multitest, power, proportion

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def numbers():
    """Asks many questions in one run of the program."""

    def ask(questions):
        command = [os.environ.get("CARGO", "cargo"), "run", "--quiet", "-p", "hanok-stats", "--example", "numbers"]
        told = subprocess.run(
            command, cwd=ROOT, input="\n".join(map(json.dumps, questions)) + "\n", text=True, capture_output=True, timeout=600
        )
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    return ask


def same(found, expected, within=1e-9):
    found, expected = np.atleast_1d(found).astype(float), np.atleast_1d(expected).astype(float)
    assert found.shape == expected.shape, (found, expected)
    assert np.all(np.abs(found - expected) <= within * np.maximum(1.0, np.abs(expected))), (found, expected)


def check(numbers, pairs, within=1e-9):
    for (question, expected), found in zip(pairs, numbers([question for question, _ in pairs]), strict=True):
        try:
            same(found, expected, within)
        except AssertionError as error:
            raise AssertionError(f"{question}") from error


def test_quantiles(numbers):
    pairs = []
    for freedom in (1, 2, 3, 4.5, 10, 29, 100, 5000):
        for p in (0.005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9995):
            pairs.append(({"of": "t_quantile", "p": p, "freedom": freedom}, stats.t.ppf(p, freedom)))
    for p in (1e-9, 0.025, 0.5, 0.8, 0.975, 1 - 1e-9):
        pairs.append(({"of": "normal_quantile", "p": p}, stats.norm.ppf(p)))
    for freedom in (1, 4, 30, 400):
        for shift in (0.0, 0.7, 3.0):
            for x in (-1.0, 0.5, 2.1, 6.0):
                asked = {"of": "noncentral_t", "x": x, "freedom": freedom, "shift": shift}
                pairs.append((asked, stats.nct.cdf(x, freedom, shift) if shift else stats.t.cdf(x, freedom)))
    check(numbers, pairs)


def test_shares(numbers):
    pairs = []
    for trials in (1, 5, 20, 333):
        for successes in {0, 1, trials // 3, trials}:
            for confidence in (0.9, 0.95):
                alpha = 1 - confidence
                for name, method in (("wilson", "wilson"), ("clopper_pearson", "beta")):
                    low, high = proportion.proportion_confint(successes, trials, alpha, method)
                    asked = {"of": name, "successes": successes, "trials": trials, "confidence": confidence}
                    low = 0.0 if math.isnan(low) else low
                    high = 1.0 if math.isnan(high) else high
                    pairs.append((asked, [successes / trials, low, high]))
    for a, of_a, b, of_b in ((9, 10, 3, 10), (56, 70, 48, 80), (0, 10, 0, 20), (10, 10, 0, 20), (5, 56, 0, 29)):
        low, high = proportion.confint_proportions_2indep(a, of_a, b, of_b, method="newcomb", compare="diff")
        pairs.append(({"of": "newcombe", "a": a, "of_a": of_a, "b": b, "of_b": of_b}, [a / of_a - b / of_b, low, high]))
    check(numbers, pairs)


def samples(seed, n, clusters=None):
    draw = np.random.default_rng(seed)
    first = draw.normal(0.6, 0.3, n)
    second = first + draw.normal(0.05, 0.2, n)
    groups = draw.integers(0, clusters or n, n)
    return first, second, groups


def test_means_and_differences(numbers):
    pairs = []
    for seed, n in ((1, 2), (2, 7), (3, 60), (4, 500)):
        first, second, _ = samples(seed, n)
        low, high = stats.t.interval(0.95, n - 1, first.mean(), stats.sem(first))
        pairs.append(({"of": "mean", "values": first.tolist()}, [first.mean(), low, high]))
        test = stats.ttest_rel(second, first)
        interval = test.confidence_interval(0.95)
        asked = {"of": "paired_t", "first": first.tolist(), "second": second.tolist()}
        pairs.append((asked, [(second - first).mean(), interval.low, interval.high, test.pvalue]))
    for seed, n, clusters in ((5, 30, 6), (6, 400, 40), (7, 50, 49)):
        first, second, groups = samples(seed, n, clusters)
        for name, values, asked in (
            ("clustered", first, {"values": first.tolist()}),
            ("paired_clustered", second - first, {"first": first.tolist(), "second": second.tolist()}),
        ):
            fit = sm.OLS(values, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
            (low, high), p = fit.conf_int(0.05)[0], fit.pvalues[0]
            expected = [values.mean(), low, high] + ([p] if name == "paired_clustered" else [])
            pairs.append(({"of": name, "clusters": groups.tolist(), **asked}, expected))
    check(numbers, pairs)


def test_mcnemar(numbers):
    pairs = []
    for wins, losses in ((0, 0), (1, 0), (5, 5), (12, 3), (40, 71), (400, 300)):
        expected = contingency_tables.mcnemar([[0, wins], [losses, 0]], exact=True).pvalue if wins + losses else 1.0
        pairs.append(({"of": "mcnemar", "wins": wins, "losses": losses}, expected))
    check(numbers, pairs)


def test_agreement(numbers):
    questions, expected = [], []
    for seed, k, n in ((1, 2, 40), (2, 2, 400), (3, 5, 200)):
        draw = np.random.default_rng(seed)
        first = draw.integers(0, k, n)
        second = np.where(draw.random(n) < 0.7, first, draw.integers(0, k, n))
        questions.append({"of": "agreement", "k": k, "first": first.tolist(), "second": second.tolist()})
        truth, said = first == 1, second == 1
        # Gwet's AC1 is in none of these libraries: by its definition.
        shares = [(np.mean(first == label) + np.mean(second == label)) / 2 for label in range(k)]
        by_chance = sum(share * (1 - share) for share in shares) / (k - 1)
        expected.append(
            {
                "kappa": metrics.cohen_kappa_score(first, second),
                "linear": metrics.cohen_kappa_score(first, second, weights="linear"),
                "quadratic": metrics.cohen_kappa_score(first, second, weights="quadratic"),
                "ac1": (np.mean(first == second) - by_chance) / (1 - by_chance),
                "precision": metrics.precision_score(truth, said),
                "recall": metrics.recall_score(truth, said),
                "specificity": metrics.recall_score(~truth, ~said),
                "f1": metrics.f1_score(truth, said),
            }
        )
    for found, expected in zip(numbers(questions), expected, strict=True):
        assert found.keys() == expected.keys()
        for name in expected:
            same(found[name], expected[name])


def test_orders(numbers):
    pairs = []
    for seed, n, values in ((1, 5, 100), (2, 60, 4), (3, 700, 30)):
        draw = random.Random(seed)
        x = [draw.randrange(values) for _ in range(n)]
        y = [a if draw.random() < 0.5 else draw.randrange(values) for a in x]
        y = [-0.0 if b == 0 and draw.random() < 0.5 else b for b in y]
        pairs.append(({"of": "tau_b", "x": x, "y": y}, stats.kendalltau(x, y).statistic))
        pairs.append(({"of": "rho", "x": x, "y": y}, stats.spearmanr(x, y).statistic))
    check(numbers, pairs)


def test_many_tests_at_once(numbers):
    pairs = []
    for seed, n in ((1, 1), (2, 8), (3, 100)):
        p = (np.random.default_rng(seed).random(n) ** 3).tolist()
        pairs.append(({"of": "holm", "p": p}, multitest.multipletests(p, method="holm")[1]))
        pairs.append(({"of": "bh", "p": p}, multitest.multipletests(p, method="fdr_bh")[1]))
    check(numbers, pairs)


def test_power(numbers):
    pairs, effects, test = [], [], power.TTestPower()
    for n in (5, 30, 200, 1000):
        for effect in (0.05, 0.2, 0.5):
            asked = {"of": "power", "effect": effect, "n": n, "level": 0.05}
            pairs.append((asked, test.power(effect, n, 0.05, alternative="two-sided")))
        found = test.solve_power(nobs=n, alpha=0.05, power=0.8)
        effects.append(({"of": "mde", "n": n, "level": 0.05, "power": 0.8}, found))
    check(numbers, pairs)
    # Its solver stops some digits early, so the effect is also held to the power that it is to have.
    check(numbers, effects, 1e-5)
    for (question, _), effect in zip(effects, numbers([question for question, _ in effects]), strict=True):
        reached = test.power(effect, question["n"], 0.05, alternative="two-sided")
        # Of some effects scipy's noncentral t has no value.
        assert math.isnan(reached) or abs(reached - 0.8) < 1e-7, (question, reached)


def test_repeats(numbers):
    pairs = []
    for k, successes, tries in ((1, 3, 10), (5, 3, 10), (8, 3, 10), (10, 10, 10), (2, 0, 4), (20, 100, 1000)):
        ways = special.comb(tries, k, exact=True)
        asked = {"k": k, "successes": successes, "tries": tries}
        pairs.append(({"of": "pass_at", **asked}, 1 - special.comb(tries - successes, k, exact=True) / ways))
        pairs.append(({"of": "pass_all", **asked}, special.comb(successes, k, exact=True) / ways))
    check(numbers, pairs)
