"""What something costs on this machine, learned from what it has cost."""

import math


class LearnedCost:
    """Cost per unit, as the ratio of two sums in which the past fades.

    Args:
        prior: Cost per unit before anything was seen.
        trust: So many units of experience the prior is worth.
        memory: After so many units an experience counts 1/e.
    """

    def __init__(self, prior: float, trust: float, memory: float) -> None:
        self._memory = memory
        self._cost = prior * trust
        self._units = trust

    @property
    def per_unit(self) -> float:
        return self._cost / self._units

    def learn(self, cost: float, units: float) -> None:
        """Takes what was spent, and for how many units; 0 when it was spent on the same ones again."""
        kept = math.exp(-units / self._memory)
        self._cost = self._cost * kept + cost
        self._units = self._units * kept + units
