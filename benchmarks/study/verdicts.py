"""Comparisons of methods on the same inputs, in words, and the three sentences that docs/study.md begins with."""

from __future__ import annotations

import pandas as pd

from benchmarks.study.runs import LITE0, UNLABELLED, Run
from relax.evaluation import METRICS, Evaluation, interval

Found = dict[str, tuple[Run, Evaluation]]

UNFILTERED = "RELAX, all kept"


def rows_of(found: Found, part: str) -> pd.DataFrame:
    """All rows of a part; where a setting is varied, it stands in the place of the method."""
    frames = []
    for run, evaluation in found.values():
        if run.part == part:
            frames.append(evaluation.rows.assign(method=run.setting) if run.setting else evaluation.rows)
    rows = pd.concat(frames, ignore_index=True)
    signed = rows["metric"] == "parameter-randomisation"  # older runs kept the sign
    rows.loc[signed, "value"] = rows.loc[signed, "value"].abs()
    return rows


def verdicts(rows: pd.DataFrame, metric: str, one: str, others: list[str]) -> dict[str, list[str]]:
    """Methods that ``one`` is better than, worse than, and not told apart from, by paired differences."""
    values = rows[rows["metric"] == metric].pivot_table(index="input", columns="method", values="value", dropna=False)
    sign = 1 if METRICS[metric].better == "higher" else -1
    groups: dict[str, list[str]] = {"better than": [], "worse than": [], "not told apart from": []}
    for other in others:
        if other not in values or one not in values:
            continue
        _, low, high = interval((sign * (values[one] - values[other])).dropna())
        key = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
        groups[key].append(other.replace(", ", " ").removesuffix(" kept"))
    return groups


def compared(rows: pd.DataFrame, metric: str, one: str, others: list[str]) -> str:
    """``better than a and b; worse than c; not told apart from d``."""
    groups = verdicts(rows, metric, one, others)
    return "; ".join(f"{key} {', '.join(names)}" for key, names in groups.items() if names)


def lead(found: Found, pairs: pd.DataFrame) -> list[str]:
    """Three sentences."""
    rows = rows_of(found, "methods")
    others = [name for name in dict.fromkeys(rows["method"]) if name != "relax"]
    faithful, place = (verdicts(rows, name, "relax", others) for name in ("insertion-deletion", "relevance-rank"))
    by_pair = pairs.groupby(["one", "other"], sort=False)["spearman"].apply(list)
    same = interval(by_pair[(UNLABELLED, "another seed")])
    nearest = max(interval(v) for (one, other), v in by_pair.items() if one == "fashion:supervised")
    cases = less = 0
    for _, part in rows_of(found, "thresholds").groupby("encoder", sort=False):
        settings = [name for name in dict.fromkeys(part["method"]) if name.startswith("U-RELAX")]
        cases += len(settings)
        less += len(verdicts(part, "insertion-deletion", UNFILTERED, settings)["better than"])
    return [
        f"On {rows['input'].nunique()} scenes and {LITE0}, RELAX is more faithful (insertion − deletion) than "
        f"{len(faithful['better than'])} of {len(others)} other methods and less faithful than "
        f"{' and '.join(faithful['worse than']) or 'none'}; it puts more importance on the object (relevance rank) "
        f"than {len(place['better than'])} of them. Encoders that differ only in their objective look at different "
        f"things: maps of one encoder with two seeds correlate by {same[0]:.2f} [{same[1]:.2f}, {same[2]:.2f}], maps "
        "of the supervised encoder and of the one most like it by "
        f"{nearest[0]:.2f} [{nearest[1]:.2f}, {nearest[2]:.2f}]. "
        "Keeping only the parts with little uncertainty makes maps simpler, and less faithful in "
        f"{less} of {cases} cases.",
    ]
