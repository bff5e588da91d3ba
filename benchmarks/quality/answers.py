"""What docs/quality.md says in words, computed from the rows."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmarks.quality.runs import GAINS
from benchmarks.quality.variants import ALL_SIZES, CONTROLS, DEFAULT, FULL, GRADIENT, QUICK, SMOOTHED
from benchmarks.study.page import compared
from relax.evaluation import interval

RIVALS = ("relax", SMOOTHED, "occlusion", "lafam", "integrated-gradients")
MAIN = ("relevance-gain", "single-deletion")

Rows = dict[str, pd.DataFrame]
"""Rows of all scenes, by encoder."""


def answer(by_encoder: Rows, titles: Mapping[str, str]) -> list[str]:
    """Three sentences, as a list."""
    together = of_all(by_encoder)
    n, cost = together["input"].nunique(), _cost(together, DEFAULT)
    best = [
        titles[name]
        for name, rows in by_encoder.items()
        if "not told" not in _gain(rows) and "worse" not in _gain(rows)
    ]
    alone = f" On {' and '.join(best)} it is better than all of them." if best else ""
    return [
        f"- On {n} held-out scenes of {len(by_encoder)} encoders together the default, with {cost:.0f} forwards in the mean, is by "
        f"relevance gain {_gain(together)}.{alone}",
        f"- By single deletion it is {compared(together, MAIN[1], DEFAULT, list(RIVALS))}.",
        f"- By relevance gain {_not_above(by_encoder, titles, MAIN[0])}; by single deletion "
        f"{_not_above(by_encoder, titles, MAIN[1])}.",
    ]


def details(by_encoder: Rows, titles: Mapping[str, str]) -> list[str]:
    """Each encoder, and the variants of the default."""
    together = of_all(by_encoder)
    lines = [
        f"- **{titles[encoder]}**: by relevance gain the default ({_cost(rows, DEFAULT):.0f} forwards in the mean) is {_gain(rows)}."
        for encoder, rows in by_encoder.items()
    ]
    return [
        *lines,
        f"- **All together, with 64 masks**: by relevance gain {compared(together, MAIN[0], QUICK, ['relax', SMOOTHED])}.",
        f"- **All together, with 48 masks and their gradients** (`relax-gradient`, 144 forward-equivalents): by relevance gain "
        f"{compared(together, MAIN[0], GRADIENT, [DEFAULT, *RIVALS])}; by single deletion "
        f"{compared(together, MAIN[1], GRADIENT, [DEFAULT, *RIVALS])}.",
        f"- **All together, with all of 512 masks**: by relevance gain {compared(together, MAIN[0], FULL, [DEFAULT, *RIVALS])}.",
        f'- **All together, with masks of all sizes** (`design="all-sizes"`, {_cost(together, ALL_SIZES):.0f} forwards in the '
        f"mean): by relevance gain {compared(together, MAIN[0], ALL_SIZES, [DEFAULT, FULL, *RIVALS])}; by single deletion "
        f"{compared(together, MAIN[1], ALL_SIZES, [DEFAULT, FULL, *RIVALS])}.",
    ]


def reached_table(by_encoder: Rows, titles: Mapping[str, str]) -> list[str]:
    """Controls that the default is not above, by metric and encoder."""
    lines = [
        "Controls that the default cannot be told apart from. Where there is one, the default has shown nothing:",
        "",
        f"| | {' | '.join(titles[encoder] for encoder in by_encoder)} |",
        "|---" * (len(by_encoder) + 1) + "|",
    ]
    for metric in (MAIN[0], *GAINS, MAIN[1]):
        cells = (", ".join(reached(rows, metric)) or "none" for rows in by_encoder.values())
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines


def reached(rows: pd.DataFrame, metric: str) -> list[str]:
    """Controls that are not told apart from the default, or better."""
    values = rows[rows["metric"] == metric].pivot_table(index="input", columns="method", values="value")
    known = [control for control in CONTROLS if control in values]
    return [name for name in known if interval((values[DEFAULT] - values[name]).dropna())[1] <= 0]


def of_all(by_encoder: Rows) -> pd.DataFrame:
    """Rows of all encoders, in which a scene of each is another one."""
    together = pd.concat(by_encoder.values(), ignore_index=True)
    return together.assign(input=together["encoder"] + together["input"])


def _gain(rows: pd.DataFrame) -> str:
    return compared(rows, MAIN[0], DEFAULT, list(RIVALS))


def _cost(rows: pd.DataFrame, method: str) -> float:
    return float(rows[rows["method"] == method]["forwards"].mean())


def _not_above(by_encoder: Rows, titles: Mapping[str, str], metric: str) -> str:
    """On which encoders a control reaches the default."""
    found = {titles[encoder]: reached(rows, metric) for encoder, rows in by_encoder.items()}
    some = [f"{title} ({', '.join(names)})" for title, names in found.items() if names]
    return f"controls reach it on {', '.join(some)}" if some else "it is above every control on each encoder"
