"""The picture of docs/text.md: every method with its interval, beside the controls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from matplotlib.figure import Figure

Interval = tuple[float, float, float]

COLOURS = {"default": "tab:red", "rival": "tab:blue", "control": "0.6"}


def plot_methods(panels: Mapping[str, Mapping[str, Interval]], default: str, controls: Collection[str]) -> Figure:
    """A panel for each metric: mean and interval of every method.

    Args:
        panels: mean and ends of the interval by method, by the metric's title.
        default: the method in red.
        controls: methods in grey, that never saw the encoder.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, intervals) in zip(axes, panels.items(), strict=True):
        for place, (method, (mean, low, high)) in enumerate(reversed(intervals.items())):
            colour = COLOURS["default" if method == default else "control" if method in controls else "rival"]
            axis.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", color=colour, capsize=3)
        axis.axvline(max(intervals[control][0] for control in controls), color="0.6", linestyle=":", linewidth=1)
        axis.set_yticks(range(len(intervals)), list(reversed(intervals)))
        axis.set_xlabel(f"{title}, higher is better")
        axis.grid(axis="x", color="0.92")
    figure.suptitle(
        "red: the default; blue: other methods; grey: never saw the encoder (dotted: the best of them)", size=9
    )
    return figure
