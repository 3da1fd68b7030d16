"""Off-policy values against the truth: how often the interval holds it, and who refuses.

    python benchmarks/off_policy.py [--simulations 100] [--requests 2000] [--epsilon 0.2]

Three worlds. Single choices: ten candidates per request, the chance of a reward is a logistic
function of eight features; the log shows the favourite of a noisy score, and with chance epsilon
any candidate, with known propensities. Lists: eight of 200 items, a position-based model of clicks;
the log orders by a noisy score. Feed: the simulated feed of this package, whose clicks follow a
position-based model; the other order is that of the true chance of a like after a look.

The truth of a policy is its mean over 200,000 fresh requests (50,000 lists), or over all 5,000
requests of the feed, from which logs are drawn with replacement. The doubly robust guess is a ridge
regression, fitted on the other half of the requests. Bias and width are in units of the truth;
"naive" is the mean reward of the log, whatever was shown. The coverage of 100 logs has itself an
uncertainty of about 0.04.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paretorank.datasets import FeedConfig, FeedData, simulate_feed
from paretorank.off_policy import (
    LoggedChoices,
    Refusal,
    ValueEstimate,
    estimate_by_position,
    estimate_examination,
    estimate_value,
    positions_by_score,
    softmax_chances,
    top_one_chances,
)

N_CANDIDATES, N_FEATURES, N_TRUTH = 10, 8, 200_000
N_ITEMS, N_SHOWN = 200, 8
EXAMINATION = 1.0 / np.arange(1, N_SHOWN + 1) ** 0.7
TASTE = np.random.default_rng(0).normal(0.0, 0.5, N_FEATURES)
BETTER = TASTE + np.random.default_rng(1).normal(0.0, 0.25, N_FEATURES)
OWN = TASTE + np.random.default_rng(2).normal(0.0, 0.6, N_FEATURES)
APPEAL = np.random.default_rng(3).beta(1.0, 6.0, N_ITEMS)
FEED = FeedConfig(n_rows=40_000, n_users=2_000, n_items=300, n_authors=50)
Answer = ValueEstimate | Refusal
Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]


def softmax(score: np.ndarray, request: np.ndarray) -> np.ndarray:
    """Return the chances of a policy that varies what it shows."""
    return softmax_chances(score, request, temperature=0.5)


POLICIES: dict[str, Policy] = {"top-1": top_one_chances, "softmax": softmax}


@dataclass
class Choices:
    """Requests with features of their candidates, and true chances of a reward."""

    features: np.ndarray
    truth: np.ndarray
    request: np.ndarray


def draw_choices(n_requests: int, generator: np.random.Generator) -> Choices:
    """Return fresh requests."""
    features = generator.normal(size=(n_requests * N_CANDIDATES, N_FEATURES))
    truth = 1.0 / (1.0 + np.exp(2.0 - features @ TASTE))
    return Choices(features, truth, np.repeat(np.arange(n_requests), N_CANDIDATES))


def show(world: Choices, epsilon: float, generator: np.random.Generator) -> LoggedChoices:
    """Return what an epsilon-greedy policy shows."""
    greedy = top_one_chances(world.features @ OWN, world.request).reshape(-1, N_CANDIDATES)
    propensity = (1.0 - epsilon) * greedy + epsilon / N_CANDIDATES
    level = generator.random((len(propensity), 1)) * propensity.sum(axis=1, keepdims=True)
    chosen = (propensity.cumsum(axis=1) > level).argmax(axis=1)
    is_shown = np.zeros(propensity.shape, dtype=bool)
    is_shown[np.arange(len(chosen)), chosen] = True
    reward = (generator.random(len(world.truth)) < world.truth).astype(float)
    return LoggedChoices(world.request, is_shown.ravel(), reward, propensity.ravel())


def guessed(world: Choices, log: LoggedChoices) -> np.ndarray:
    """Return a ridge regression's guess of every reward, from the other half of the requests."""
    inputs = np.column_stack([np.ones(len(world.truth)), world.features])
    guess = np.empty(len(world.truth))
    for half in (0, 1):
        rows = log.is_shown & (world.request % 2 == half)
        square = inputs[rows].T @ inputs[rows] + np.eye(N_FEATURES + 1)
        fitted = np.linalg.solve(square, inputs[rows].T @ log.reward[rows])
        other = world.request % 2 != half
        guess[other] = inputs[other] @ fitted
    return guess


def choices(n_requests: int, epsilon: float, seed: int) -> dict[str, Answer | float]:
    """Return every estimator's answer for every policy on one log, and the naive mean."""
    generator = np.random.default_rng([seed, 10])
    world = draw_choices(n_requests, generator)
    log = show(world, epsilon, generator)
    guess = guessed(world, log)
    found: dict[str, Answer | float] = {}
    for name, policy in POLICIES.items():
        chance = policy(world.features @ BETTER, world.request)
        found[f"{name}, naive"] = float(log.reward[log.is_shown].mean())
        for estimator in ("ips", "snips", "dr"):
            found[f"{name}, {estimator}"] = estimate_value(
                log, chance, estimator=estimator, expected_reward=guess
            )
    return found


def true_choices() -> dict[str, float]:
    """Return the true value of every policy."""
    world = draw_choices(N_TRUTH, np.random.default_rng(11))
    score = world.features @ BETTER
    return {
        name: float((policy(score, world.request) * world.truth).sum() / N_TRUTH)
        for name, policy in POLICIES.items()
    }


def draw_lists(n_requests: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return lists of items in the log's order and in another policy's."""
    item = generator.random((n_requests, N_ITEMS)).argpartition(N_SHOWN)[:, :N_SHOWN].ravel()
    request = np.repeat(np.arange(n_requests), N_SHOWN)
    noisy = APPEAL[item] + generator.normal(0.0, 0.15, len(item))
    return {
        "request": request,
        "item": item,
        "position": positions_by_score(noisy, request),
        "target_position": positions_by_score(APPEAL[item], request),
    }


def lists(n_requests: int, seed: int) -> dict[str, Answer | float]:
    """Return the answers on one log of lists, with known and with fitted examination."""
    generator = np.random.default_rng([seed, 20])
    rows = draw_lists(n_requests, generator)
    chance = APPEAL[rows["item"]] * EXAMINATION[rows["position"] - 1]
    reward = (generator.random(len(chance)) < chance).astype(float)
    fitted = estimate_examination(rows["item"], rows["position"], reward)
    columns = (rows["request"], rows["position"], reward, rows["target_position"])
    found: dict[str, Answer | float] = {"list, naive": float(reward.sum() / n_requests)}
    found["list, known examination"] = estimate_by_position(*columns, EXAMINATION)
    if isinstance(fitted, Refusal):
        found["list, fitted examination"] = fitted
    else:
        found["list, fitted examination"] = estimate_by_position(*columns, fitted)
    return found


def true_lists(order: str = "target_position") -> float:
    """Return the true number of clicks per list, with places from one of the columns."""
    rows = draw_lists(N_TRUTH // 4, np.random.default_rng(21))
    clicks = APPEAL[rows["item"]] * EXAMINATION[rows[order] - 1]
    return float(clicks.sum() / (N_TRUTH // 4))


def feed_lists(seed: int, data: FeedData, n_requests: int) -> dict[str, Answer | float]:
    """Return the answers for clicks of the feed, with known and with fitted examination."""
    generator = np.random.default_rng([seed, 30])
    size = data.config.request_size
    drawn = generator.integers(0, len(data.log) // size, n_requests)
    rows = (drawn[:, None] * size + np.arange(size)).ravel()
    chance = data.truth["p_click"].to_numpy()[rows]
    reward = (generator.random(len(rows)) < chance).astype(float)
    request, position = (
        np.repeat(np.arange(n_requests), size),
        np.tile(np.arange(size) + 1, n_requests),
    )
    target = positions_by_score(likes_after_a_look(data)[rows], request)
    user = data.log["user_id"].to_numpy()[rows].astype(np.int64)
    columns = (request, position, reward, target)
    looks = data.truth["examination"].to_numpy()[:size].astype(float)
    item = data.log["item_id"].to_numpy()[rows].astype(np.int64)
    fitted = estimate_examination(item, position, reward)
    return {
        "feed, naive": float(reward.sum() / n_requests),
        "feed, known examination": estimate_by_position(*columns, looks, user=user),
        "feed, fitted examination": fitted
        if isinstance(fitted, Refusal)
        else estimate_by_position(*columns, fitted, user=user),
    }


def likes_after_a_look(data: FeedData) -> np.ndarray:
    """Return the chance of a like on every row that is looked at."""
    truth = data.truth
    return (truth["attractiveness"] * truth["p_like_given_click"]).to_numpy().astype(float)


def true_feed(data: FeedData) -> float:
    """Return the true number of clicks per request of the feed in the other order."""
    size = data.config.request_size
    request = np.arange(len(data.log)) // size
    target = positions_by_score(likes_after_a_look(data), request)
    looks = data.truth["examination"].to_numpy()[:size]
    clicks = looks[target - 1] * data.truth["attractiveness"].to_numpy()
    return float(clicks.sum() / (len(data.log) // size))


def report(
    name: str, answers: list[Answer | float], truth: float, *, shown: float | None = None
) -> None:
    """Print how far the answers are from the truth; `shown` is that of the order in the log."""
    refused = sum(isinstance(answer, Refusal) for answer in answers)
    if refused == len(answers):
        print(f"{name:34} {refused} of {len(answers)} refused: {answers[0].reason}")
        return
    values = np.array([a if isinstance(a, float) else a.value for a in answers if a_number(a)])
    error = values / truth - 1.0
    line = f"{name:34} truth {truth:.4f}  bias {error.mean():+.4f} ± "
    line += f"{1.96 * error.std(ddof=1) / np.sqrt(len(error)):.4f}  rmse {error.std():.4f}"
    known = [answer for answer in answers if isinstance(answer, ValueEstimate)]
    if known:
        held = np.mean([answer.low <= truth <= answer.high for answer in known])
        width = np.mean([answer.high - answer.low for answer in known]) / 2 / truth
        size = np.mean([answer.overlap.effective_size for answer in known])
        line += f"  coverage {held:.2f}  half width {width:.4f}  effective {size:,.0f}"
        line += f"  refused {refused}"
    if known and shown is not None:
        gain = truth - shown
        held = np.mean([answer.gain_low <= gain <= answer.gain_high for answer in known])
        line += f"  gain {gain:+.4f}, coverage {held:.2f}"
    print(line)


def a_number(answer: Answer | float) -> bool:
    """Return whether an answer is one."""
    return not isinstance(answer, Refusal)


def main() -> None:
    """Print one line per policy and estimator."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--epsilon", type=float, default=0.2)
    given = parser.parse_args()
    seeds = range(given.simulations)
    truths = true_choices()
    for epsilon in (given.epsilon, 0.0):
        print(f"{given.requests:,} requests, epsilon {epsilon:g}, {given.simulations} logs")
        runs = [choices(given.requests, epsilon, seed) for seed in seeds]
        for name in runs[0]:
            report(name, [run[name] for run in runs], truths[name.split(",")[0]])
    print(f"{given.requests:,} lists of {N_SHOWN}, {given.simulations} logs")
    of_lists = [lists(given.requests, seed) for seed in seeds]
    truth, shown = true_lists(), true_lists("position")
    for name in of_lists[0]:
        report(name, [run[name] for run in of_lists], truth, shown=shown)
    print(f"{given.requests:,} requests of the feed, {given.simulations} logs")
    data = simulate_feed(FEED)
    of_feed = [feed_lists(seed, data, given.requests) for seed in seeds]
    shown = float(data.truth["p_click"].mean()) * data.config.request_size
    for name in of_feed[0]:
        report(name, [run[name] for run in of_feed], true_feed(data), shown=shown)


if __name__ == "__main__":
    main()
