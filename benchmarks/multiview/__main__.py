"""Cluster, explain, and write docs/multiview.md: ``make multiview``; a run that was cut off goes on."""

from __future__ import annotations

import argparse
import warnings

import torch

import relax
from benchmarks.multiview.clusterings import DATA, clusterings
from benchmarks.multiview.explanations import cost_rows, noise_rows, threshold_rows
from benchmarks.multiview.page import FOLDER, write_page
from benchmarks.multiview.pictures import plot_members, plot_noise, plot_thresholds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    relax.keep_memory()
    warnings.simplefilter("ignore", relax.RelaxWarning)
    clustered = {data: clusterings(data) for data in DATA}
    noise, thresholds = noise_rows(), threshold_rows()
    FOLDER.mkdir(parents=True, exist_ok=True)
    members = plot_members(FOLDER)
    plot_noise(noise, FOLDER)
    plot_thresholds(thresholds, FOLDER)
    write_page(clustered, noise, thresholds, members, cost_rows(), threads)


if __name__ == "__main__":
    main()
