"""Workers on a Ray cluster: a pool of actors that hold explainers; rows come back to one process, which writes them."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

from relax._support.extras import require
from relax.errors import EncoderError, first_line
from relax.runs.pool import Pool
from relax.runs.records import table_of
from relax.runs.sources import Item
from relax.runs.worker import Recipe, Row

TASKS = 16
"""Tasks for each worker, at least: the last ones end at about the same time."""

LONGEST = 64
"""Most inputs of a task, which is what a killed worker has to do again."""


class Cluster:
    """Actors of Ray Data that explain inputs.

    Connects to the cluster at ``RAY_ADDRESS``; without one, starts a cluster on this machine and ends it afterwards.

    Args:
        recipe: how each actor builds its explainer.
        workers: number of actors; each has a GPU if the cluster has any.
    """

    def __init__(self, recipe: Recipe, workers: int) -> None:
        self.recipe, self.workers = recipe, workers
        require("ray.data", extra="ray")

    def rows(self, items: Iterable[Item]) -> Iterator[tuple[Item, Row]]:
        """Explain inputs, in the order in which they are ready.

        Args:
            items: the inputs.

        Raises:
            EncoderError: an actor cannot build the explainer, or dies again and again.
        """
        ray = require("ray", extra="ray")
        pickled = [pickle.dumps(item) for item in items]
        if not pickled:
            return
        ours = not ray.is_initialized()
        if ours:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        try:
            yield from self._explained(ray, pickled)
        except ray.exceptions.RayError as error:
            reason = first_line(getattr(error, "cause", None) or error)
            raise EncoderError(f"the Ray workers failed: {reason}; what is in the store is kept") from error
        finally:
            if ours:
                ray.shutdown()

    def _explained(self, ray: Any, pickled: list[bytes]) -> Iterator[tuple[Item, Row]]:
        a_task = max(1, min(LONGEST, len(pickled) // (TASKS * self.workers)))
        gpus = 1 if self.recipe.device in ("auto", "cuda") and ray.cluster_resources().get("GPU") else 0
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        explained = ray.data.from_items(
            [{"item": item} for item in pickled], override_num_blocks=-(-len(pickled) // a_task)
        ).map_batches(
            _Actor,
            fn_constructor_kwargs={"recipe": self.recipe},
            batch_size=a_task,
            compute=ray.data.ActorPoolStrategy(size=self.workers),
            num_cpus=1 if gpus else _cores(ray.nodes(), self.workers),
            num_gpus=gpus,
        )
        for table in explained.iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in table.to_pylist():
                yield Item(row.pop("position"), row["key"], row["row"], None), row


def _cores(nodes: list[dict[str, Any]], workers: int) -> int:
    """Cores of each actor, so that all actors find room."""
    cores = [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]
    return max(1, min(cores) // -(-workers // len(cores)))


class _Actor:
    """Holds an explainer on one machine of the cluster, in a process of its own, which an input may crash."""

    def __init__(self, recipe: Recipe) -> None:
        self.pool = Pool(recipe, 1)
        self.pool.__enter__()

    def __call__(self, batch: dict[str, Any]) -> Any:
        items = (pickle.loads(item) for item in batch["item"])  # noqa: S301 - from the process that started this one
        found = list(self.pool.rows(items))
        table = table_of([row for _, row in found])
        positions = require("pyarrow", extra="ray").array([item.position for item, _ in found])
        return table.append_column("position", positions)
