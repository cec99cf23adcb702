"""What CF has to be told of a result: the method, the units, and the limits of each period."""

import re
from dataclasses import replace

import numpy as np
from pydantic import JsonValue

from climatejobs.frequencies import Frequency, Unit, parse_frequency
from climatejobs.processes.resample import QUANTILES
from climatejobs_runner.arrays import ArraySpec, Field, time_field
from climatejobs_runner.resampling.plan import Plan

BOUNDS = "time_bnds"
_CELL_METHODS = {
    "mean": "mean",
    "sum": "sum",
    "min": "minimum",
    "max": "maximum",
    "std": "standard_deviation",
    "median": "median",
    "first": "point",
    "last": "point",
}
_UNIT_WORDS = {Unit.HOUR: "hour", Unit.DAY: "day", Unit.MONTH: "month", Unit.YEAR: "year"}
_LENGTHS = {Unit.WEEK: (7, Unit.DAY), Unit.DEKAD: (10, Unit.DAY), Unit.QUARTER: (3, Unit.MONTH)}
_STEP_SECONDS = {Unit.HOUR: 3600, Unit.DAY: 86400, Unit.WEEK: 7 * 86400}
_RATE = re.compile(
    r"(?P<amount>.*?)(?:\s*/\s*|\s+per\s+)(?P<per>s|sec|second|h|hr|hour|d|day)"
    r"|(?P<amount_>.*?)[ .*]?(?P<per_>s|h|hr|hour|d|day)(?:\^|\*\*)?-1"
)
_PER_SECONDS = {"s": 1, "sec": 1, "second": 1, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400}
_AMOUNTS = {
    "precipitation_flux": "precipitation_amount",
    "rainfall_flux": "rainfall_amount",
    "snowfall_flux": "snowfall_amount",
    "lwe_precipitation_rate": "lwe_thickness_of_precipitation_amount",
    "water_evapotranspiration_flux": "water_evapotranspiration_amount",
    "runoff_flux": "runoff_amount",
}
"""Standard names of rates, and of what they add up to."""


def describe(source: ArraySpec, plan: Plan) -> dict[str, JsonValue]:
    """Attributes of an aggregated variable, made of those of the source's."""
    described = dict(source.attributes)
    if plan.method == "count":
        return _describe_count(source)
    time = source.dimensions[0]
    described["cell_methods"] = cell_methods(str(described.get("cell_methods", "")), time, plan)
    given = described.get("units")
    described["units"] = units(given if isinstance(given, str) else None, plan)
    if described["units"] is None:
        del described["units"]
    if plan.method == "sum" and isinstance(given, str) and _rate(given):
        if described["units"] != given:
            name = str(described.get("standard_name", ""))
            described["standard_name"] = _AMOUNTS.get(name, name)
        else:
            described["comment"] = "Sum of the values of a rate; their steps are not all of one length"
        if not described.get("standard_name"):
            described.pop("standard_name", None)
    return described


def units(given: str | None, plan: Plan) -> str | None:
    """Units of the result: the source's, but for a count and for the sum of a rate.

    The sum of a rate over steps of one length is an amount: values in ``mm/day`` of each day add up to ``mm``,
    values in ``kg m-2 s-1`` of each hour to a number of ``3600 kg m-2``.
    """
    if plan.method == "count":
        return "1"
    rate = _rate(given) if plan.method == "sum" and given else None
    frequency = parse_frequency(plan.source.frequency)
    if rate is None or frequency.unit not in _STEP_SECONDS:
        return given
    amount, seconds = rate
    steps = frequency.count * _STEP_SECONDS[frequency.unit] / seconds
    return amount if steps == 1 else f"{steps:.15g} {amount}"


def cell_methods(before: str, time: str, plan: Plan) -> str:
    """CF's ``cell_methods`` after one more aggregation."""
    earlier = before.replace(f"{time}: point", "").strip()
    details = f"interval: {_interval(parse_frequency(plan.source.frequency))}"
    method = _CELL_METHODS.get(plan.method)
    if method is None:
        # CF has no name for quantiles.
        method, details = "quantile", f"{details} comment: {QUANTILES[plan.method]:g}, linear between values"
    elif plan.method in ("first", "last"):
        details += f" comment: {plan.method} value of the period"
    elif plan.weights is not None:
        details += " comment: weighted by days"
    return f"{earlier} {time}: {method} ({details})".strip()


def time_fields(plan: Plan, source: ArraySpec) -> tuple[Field, Field]:
    """The result's time coordinate, labelled at the start of each period, and its bounds."""
    # Coordinate and bounds share their units: those in which every edge is exact.
    edges = time_field(source.name, plan.edges, plan.calendar, {**source.attributes, "bounds": BOUNDS})
    bounds = np.stack([edges.values[:-1], edges.values[1:]], axis=1)
    return replace(edges, values=edges.values[:-1]), Field(BOUNDS, (source.name, "bnds"), bounds)


def _describe_count(source: ArraySpec) -> dict[str, JsonValue]:
    kept = ("grid_mapping", "coordinates")
    described: dict[str, JsonValue] = {name: source.attributes[name] for name in kept if name in source.attributes}
    described["units"] = "1"
    described["long_name"] = f"number of values of {source.attributes.get('long_name', source.name)}"
    standard_name = source.attributes.get("standard_name")
    if standard_name:
        described["standard_name"] = f"{standard_name} number_of_observations"
    return described


def _rate(text: str) -> tuple[str, int] | None:
    """The units of the amount, and the seconds it is given for; None where units are not those of a rate."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        return None
    amount, per = match["amount"] or match["amount_"], match["per"] or match["per_"]
    amount = (amount or "").strip(" .*")
    return (amount, _PER_SECONDS[per]) if amount and amount != "1" and not amount.endswith("m-1") else None


def _interval(frequency: Frequency) -> str:
    """A frequency in the words of CF, such as ``6 hours``; a week is 7 days."""
    length, unit = _LENGTHS.get(frequency.unit, (1, frequency.unit))
    count = length * frequency.count
    return f"{count} {_UNIT_WORDS[unit]}{'s' if count > 1 else ''}"
