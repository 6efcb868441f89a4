"""Draws a sample from duties: in strata, by a share or a number, by a seed; anybody can draw it again.

A stratum is what duties have in common in the traits that are asked for. Within a stratum the duties stand in the order
of SHA-256 of seed, line feed and key, and the first ones are taken: no clock, no database and no generator has a say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from math import ceil
from typing import Any

from tracker.domain.errors import Invalid
from tracker.domain.text import _n

SEED_LIMIT = 64
REASON_LIMIT = 200
DECIMALS = 2  # of a share


class Trait(StrEnum):
    """By what a population may be divided."""

    UNIT_KIND = "unit_kind"
    LEVEL = "level"
    RETURNED = "returned"
    FINDINGS = "findings"


TRAIT_NAMES = {
    Trait.UNIT_KIND: _n("单位类别"),
    Trait.LEVEL: _n("层级"),
    Trait.RETURNED: _n("是否曾被退回"),
    Trait.FINDINGS: _n("组织是否曾有问题"),
}

Values = tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A duty that may be drawn, with the values that decide its stratum, in the order of the rule."""

    key: str
    stratum: Values = ()


@dataclass(frozen=True)
class Rule:
    """How much of each stratum: a share in percent, or a number; `numbers` are those of single strata."""

    by: tuple[Trait, ...] = ()
    percent: Decimal | None = None
    number: int | None = None
    numbers: Mapping[Values, int] = field(default_factory=dict)

    def asked(self, stratum: Values, available: int) -> int:
        """How many duties are asked of a stratum; a share is rounded up, so that no stratum goes without."""
        if self.percent is not None:
            return ceil(Fraction(self.percent) * available / 100)
        return self.numbers.get(stratum, self.number or 0)

    def told(self) -> dict[str, Any]:
        """The rule as it is stored."""
        numbers = [{"stratum": list(values), "number": number} for values, number in sorted(self.numbers.items())]
        percent = None if self.percent is None else f"{self.percent:f}"
        return {"by": [str(trait) for trait in self.by], "percent": percent, "number": self.number, "numbers": numbers}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Rule:
        """The rule that was stored."""
        return cls(
            by=tuple(Trait(name) for name in told["by"]),
            percent=None if told["percent"] is None else Decimal(told["percent"]),
            number=told["number"],
            numbers={tuple(one["stratum"]): one["number"] for one in told["numbers"]},
        )


@dataclass(frozen=True)
class Exclusion:
    """A duty that is left out before anything is drawn, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Draw:
    """What somebody asks for. `shown` is the mark of the sample they were shown (`Sample.mark`), if they were."""

    seed: str
    rule: Rule
    exclusions: tuple[Exclusion, ...] = ()
    shown: str | None = None


@dataclass(frozen=True)
class Stratum:
    """One stratum: how many duties it holds, how many of them were left out, how many are asked for."""

    values: Values
    population: int
    excluded: int
    asked: int

    @property
    def available(self) -> int:
        """How many may be drawn."""
        return self.population - self.excluded


@dataclass(frozen=True)
class Sample:
    """What came of a draw: the strata in their order, and the keys that were picked, sorted."""

    strata: tuple[Stratum, ...]
    population: tuple[Candidate, ...]
    picked: tuple[str, ...]

    @property
    def lines(self) -> bytes:
        """The population in the form that is stored and hashed: a line each, key, tab, number of the stratum."""
        number = {stratum.values: place for place, stratum in enumerate(self.strata, start=1)}
        return "\n".join(f"{one.key}\t{number[one.stratum]}" for one in self.population).encode()

    @property
    def population_sha256(self) -> str:
        """The digest of the population and its strata."""
        return sha256(self.lines).hexdigest()

    @property
    def picked_sha256(self) -> str:
        """The digest of the picked keys, a line each."""
        return sha256("\n".join(self.picked).encode()).hexdigest()

    @property
    def mark(self) -> str:
        """What a page sends back to say which sample it showed."""
        return f"{self.population_sha256}:{self.picked_sha256}"


def candidates_in(lines: bytes, strata: Sequence[Values]) -> list[Candidate]:
    """The population that was stored (`Sample.lines`)."""
    rows = (line.split("\t") for line in lines.decode().split("\n") if line)
    return [Candidate(key, strata[int(number) - 1]) for key, number in rows]


def exclusions_in(text: str, keys: Iterable[str]) -> tuple[Exclusion, ...]:
    """What somebody typed to leave out: a line each, a key or the parts that keys begin with, a space, the reason."""
    found: dict[str, Exclusion] = {}
    ordered = sorted(keys)
    for line in filter(None, (line.strip() for line in text.splitlines())):
        start, *reason = line.split(maxsplit=1)
        for key in _begun_by(start, ordered) or [start]:
            found.setdefault(key, Exclusion(key, reason[0] if reason else ""))
    return tuple(found.values())


def _begun_by(start: str, ordered: Sequence[str]) -> Sequence[str]:
    """The keys that are `start`, or go on after it with a point."""
    at = bisect_left(ordered, start)
    if at < len(ordered) and ordered[at] == start:
        return [start]
    return ordered[bisect_left(ordered, f"{start}.") : bisect_left(ordered, f"{start}/")]  # "/" follows "."


def check(draw: Draw, candidates: Iterable[Candidate]) -> None:
    """Refuse a draw whose seed, rule or exclusions cannot be right."""
    if not draw.seed.strip() or len(draw.seed) > SEED_LIMIT or not draw.seed.isprintable():
        raise Invalid(_n("抽样种子须为 1 到 %(limit)s 个可见字符，请改正。"), field="seed", limit=SEED_LIMIT)
    _check_rule(draw.rule)
    keys = {one.key for one in candidates}
    if not keys:
        raise Invalid(_n("检查范围内没有可抽查的任务，请调整单位、事项或者检查时段。"), field="units")
    for left_out in draw.exclusions:
        _check_exclusion(left_out, keys)


def _check_rule(rule: Rule) -> None:
    if (rule.percent is None) == (rule.number is None):
        raise Invalid(_n("请填写各层的抽取比例或者抽取数量，二者填一项。"), field="how")
    if rule.percent is not None and not _is_share(rule.percent):
        raise Invalid(_n("抽取比例须大于 0、不超过 100，最多两位小数，请改正。"), field="percent")
    if rule.number is not None and min([rule.number, *rule.numbers.values()]) < 0:
        raise Invalid(_n("抽取数量不能小于 0，请改正。"), field="number")


def _is_share(percent: Decimal) -> bool:
    exponent = percent.as_tuple().exponent  # a word where it is no number
    return isinstance(exponent, int) and exponent >= -DECIMALS and 0 < percent <= 100


def _check_exclusion(left_out: Exclusion, keys: set[str]) -> None:
    if left_out.key not in keys:
        raise Invalid(_n("剔除的任务 %(key)s 不在检查范围内，请核对编号。"), field="exclusions", key=left_out.key)
    if not left_out.reason.strip():
        raise Invalid(_n("剔除任务 %(key)s 须写明理由。"), field="exclusions", key=left_out.key)
    if len(left_out.reason) > REASON_LIMIT:
        raise Invalid(
            _n("剔除任务 %(key)s 的理由超过 %(limit)s 字，请精简。"),
            field="exclusions",
            key=left_out.key,
            limit=REASON_LIMIT,
        )


def strata_of(draw: Draw, candidates: Iterable[Candidate]) -> tuple[Stratum, ...]:
    """The strata in their order with what is asked of each, whether it holds as much or not."""
    left_out = {one.key for one in draw.exclusions}
    sizes: dict[Values, list[int]] = defaultdict(lambda: [0, 0])
    for one in candidates:
        sizes[one.stratum][0] += 1
        sizes[one.stratum][1] += one.key in left_out
    return tuple(
        Stratum(values, held, excluded, draw.rule.asked(values, held - excluded))
        for values, (held, excluded) in sorted(sizes.items())
    )


def _joined(values: Values) -> str:
    return "、".join(values)


def shortages(strata: Iterable[Stratum], *, name: Callable[[Values], str] = _joined) -> Iterator[Invalid]:
    """A refusal for each stratum that holds less than is asked of it, called by `name`."""
    for stratum in strata:
        if stratum.asked > stratum.available:
            yield Invalid(
                _n("“%(stratum)s”要抽 %(asked)s 项，可抽的只有 %(available)s 项；请减少数量或者扩大范围。"),
                field="number",
                stratum=name(stratum.values) or _n("全部任务"),
                asked=stratum.asked,
                available=stratum.available,
            )


def drawn(draw: Draw, candidates: Iterable[Candidate], *, name: Callable[[Values], str] = _joined) -> Sample:
    """Draw the sample. Raises Invalid where a stratum holds less than is asked of it."""
    population = sorted(candidates, key=lambda one: one.key)
    check(draw, population)
    strata = strata_of(draw, population)
    for refusal in shortages(strata, name=name):
        raise refusal
    left_out = {one.key for one in draw.exclusions}
    by_stratum: dict[Values, list[str]] = defaultdict(list)
    for one in population:
        if one.key not in left_out:
            by_stratum[one.stratum].append(one.key)
    picked = [key for s in strata for key in _ordered(draw.seed, by_stratum[s.values])[: s.asked]]
    if not picked:
        raise Invalid(_n("按这个规则一项也抽不到，请增加比例或者数量。"), field="number")
    return Sample(strata, tuple(population), tuple(sorted(picked)))


def _ordered(seed: str, keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: (sha256(f"{seed}\n{key}".encode()).digest(), key))
