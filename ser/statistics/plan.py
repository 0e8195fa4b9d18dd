"""The plan of a next sweep: what so many speakers and seeds detect, and how many an effect needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ser.statistics.power import ALPHA, POWER, Components, find_seeds, find_speakers, tabulate_plan


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan.

    Attributes:
        components: standard deviations that it starts from.
        effect: the difference to detect.
        power: the probability to detect it.
        alpha: level of the test.
        table: see :func:`ser.statistics.power.tabulate_plan`.
        seeds_needed: speakers → seeds that the effect needs with them, None where no number is enough.
        speakers_needed: seeds → speakers.
    """

    components: Components
    effect: float
    power: float
    alpha: float
    table: pd.DataFrame = field(repr=False)
    seeds_needed: dict[int, int | None]
    speakers_needed: dict[int, int | None]

    def describe(self) -> dict[str, Any]:
        """As plain values."""
        components = {name: None if value != value else value for name, value in asdict(self.components).items()}
        return {
            "components": components | {"notes": list(self.components.notes)},
            "effect": self.effect,
            "power": self.power,
            "alpha": self.alpha,
            "table": self.table.to_dict("records"),
            "seeds_needed": {str(speakers): seeds for speakers, seeds in self.seeds_needed.items()},
            "speakers_needed": {str(seeds): speakers for seeds, speakers in self.speakers_needed.items()},
        }

    def explain(self) -> str:
        """In words."""
        own = self.components
        lines = [
            f"Standard deviations: training again {own.run:.4f}, speakers {own.speaker:.4f}, "
            f"speaker x condition {own.speaker_condition:.4f}, one cell {own.residual:.4f}"
        ]
        parts = {"split": own.split, "initialisation": own.initialisation}
        known = [f"{name} {value:.4f}" for name, value in parts.items() if not np.isnan(value)]
        lines += [f"Of training again: {', '.join(known)}"] if known else []
        lines += [f"Note: {note}" for note in own.notes]
        lines.append(f"Difference to detect {self.effect:g}, power {self.power:.0%}, two-sided {self.alpha:g}:")
        for row in self.table.to_dict("records"):
            on = f"{row['speakers']} speakers, " if row["speakers"] else ""
            lines.append(
                f"  {on}{row['seeds']} seeds a condition: detects {row['mde']:.4f}, power {row['power']:.2f}"
                f"{' (enough)' if row['enough'] else ''}"
            )
        for people, repeats in self.seeds_needed.items():
            need = "no number of seeds is enough" if repeats is None else f"{repeats} seeds a condition"
            lines.append(f"  with {people} speakers: {need}" if people else f"  on fixed test speakers: {need}")
        for own_seeds, wanted in self.speakers_needed.items():
            need = "no number of speakers is enough" if wanted is None else f"{wanted} speakers"
            lines.append(f"  with {own_seeds} seeds a condition: {need}")
        return "\n".join(lines)


def make_plan(
    components: Components,
    effect: float,
    speakers: Sequence[int] = (6, 10, 24, 91),
    seeds: Sequence[int] = (3, 5, 10, 20),
    power: float = POWER,
    alpha: float = ALPHA,
) -> Plan:
    """How many speakers and seeds the difference of two conditions needs.

    Args:
        components: from a sweep (:func:`ser.statistics.components.estimate_components`) or given by hand.
        effect: the difference, in the unit of the components.
        speakers: numbers of test speakers to look at; ``(0,)`` asks for seeds only, on fixed test speakers.
        seeds: numbers of trained models of each condition to look at.
        power: wanted.
        alpha: level of the test.
    """
    if components.run == components.residual == 0:
        seeds = seeds[:1]  # as many as one likes: only speakers differ
    return Plan(
        components,
        effect,
        power,
        alpha,
        tabulate_plan(components, speakers, seeds, effect, alpha, power),
        {people: find_seeds(components, people, effect, power, alpha) for people in speakers},
        {repeats: find_speakers(components, repeats, effect, power, alpha) for repeats in seeds if any(speakers)},
    )
