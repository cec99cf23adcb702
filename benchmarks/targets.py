"""The closing lines of every benchmark: one for each target, after the table that a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Target:
    """One figure that was measured, and what it should be."""

    name: str
    """One word, such as `submit_ratio_c8`."""
    value: float
    bound: float
    sense: Literal["<=", ">="]
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is as good as it should be."""
        return self.value <= self.bound if self.sense == "<=" else self.value >= self.bound

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        verdict = "ok" if self.met else "short"
        return f"{self.name} {self.value:.4g}{unit} (target {self.sense} {self.bound:.4g}{unit}) {verdict}"


def report(targets: Sequence[Target]) -> int:
    """Print the closing lines; the exit status: 0 where every target is met, 1 otherwise."""
    print()
    for target in targets:
        print(target)
    return 0 if all(target.met for target in targets) else 1
