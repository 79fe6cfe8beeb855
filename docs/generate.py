"""Write the generated tables of docs/: `python docs/generate.py`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a key of
PARTS. tests/test_docs.py fails when a page is stale.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import OmegaConf

from fanin.config.schema import CHOICES, MIN_VALUES
from fanin.measure import summaries
from fanin.measure.statistics import STATISTICS
from fanin.theory import comparison
from fanin.theory.mean_field import BANDED, PREDICTED

DOCS = Path(__file__).resolve().parent
PROJECT = DOCS.parent
GENERATED = re.compile(r"(<!-- generated: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


class Value(NamedTuple):
    """A setting in conf/config.yaml, and the comment next to it or above it."""

    name: str
    default: str
    comment: str


def main() -> None:
    for path, text in pages().items():
        if path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(PROJECT)}")


def pages() -> dict[Path, str]:
    """Every page of docs/ as it should be."""
    return {
        path: GENERATED.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", text)
        for path in sorted(DOCS.glob("*.md"))
        for text in [path.read_text()]
    }


def curves() -> str:
    return table(
        ["Curve", "Meaning", "Theory"],
        (
            [f"`{name}`", statistic.meaning, companions_of_theory(name)]
            for name, statistic in STATISTICS.items()
        ),
    )


def companions_of_theory(curve: str) -> str:
    band = ", `_theory_low`, `_theory_high`" if curve in BANDED else ""
    return f"`_theory`{band}" if curve in PREDICTED else ""


def numbers(meanings: Mapping[str, str]) -> Callable[[], str]:
    rows = [[f"`{name}`", meaning] for name, meaning in meanings.items()]
    return lambda: table(["Number", "Meaning"], rows)


def options(group: str) -> Callable[[], str]:
    def part() -> str:
        default = default_options()[group]
        rows = []
        for path in sorted((PROJECT / "conf" / group).glob("*.yaml")):
            name = path.stem
            rows.append(
                [
                    f"**`{name}`**, the default" if name == default else f"`{name}`",
                    path.read_text().splitlines()[0].removeprefix("# "),
                    ", ".join(f"`{setting}`" for setting in own_settings(group, path)),
                ]
            )
        return table([f"`{group}=`", "", "Its settings"], rows)

    return part


def own_settings(group: str, path: Path) -> Iterable[str]:
    """The settings of an option, such as init.scale=2.0; none for a device."""
    for name, value in OmegaConf.to_container(OmegaConf.load(path)).items():
        if name not in ("defaults", "_target_", "name"):
            shown = {"None": "null", "???": "PATH", "True": "true", "False": "false"}.get(
                str(value), str(value)
            )
            yield f"{group}.{name}={shown}"


def default_options() -> dict[str, str]:
    """The defaults list of conf/config.yaml, as group -> option."""
    entries = OmegaConf.to_container(OmegaConf.load(PROJECT / "conf" / "config.yaml").defaults)
    return {
        group: option
        for entry in entries
        if isinstance(entry, dict)
        for group, option in entry.items()
    }


def values() -> str:
    return table(
        ["Setting", "Default", "Accepts", ""],
        (
            [f"`{value.name}`", shown(value.default), accepted(value), value.comment]
            for value in read_values((PROJECT / "conf" / "config.yaml").read_text())
        ),
    )


def shown(default: str) -> str:
    """The default; empty if it is computed, which the comment explains."""
    return "" if default.startswith("${") else f"`{default}`"


def accepted(value: Value) -> str:
    if value.name in CHOICES:
        return ", ".join(f"`{choice}`" for choice in CHOICES[value.name])
    if value.name in MIN_VALUES:
        return f"whole number, at least {MIN_VALUES[value.name]}"
    return "`true`, `false`" if value.default in ("true", "false") else ""


def read_values(text: str) -> Iterable[Value]:
    """The settings of conf/config.yaml that are not Hydra's own, each with its comment."""
    section, above = "", []
    for line in text.partition("experiment: null")[2].partition("\nhydra:")[0].splitlines():
        setting = re.fullmatch(r"( *)(\w+): *(.*?) *(?:# (.*))?", line)
        if setting is None:
            above = [*above, line.strip("# ")] if line.startswith("  #") else []
            continue
        indent, name, default, comment = setting.groups()
        if default:
            name = f"{section}.{name}" if indent else name
            yield Value(name, default, comment or " ".join(above))
        else:
            section = name
        above = []


def experiments(folder: str) -> Callable[[], str]:
    def part() -> str:
        rows = []
        for path in sorted((PROJECT / "experiments" / folder).glob("*.yaml")):
            text = path.read_text()
            question = re.match(r"# Question: (.*\?)", text)[1]
            cost = re.search(r"^# Cost: (.*)\.$", text, re.MULTILINE)[1]
            rows.append([f"`{path.stem}`", question[0].upper() + question[1:], cost])
        return table([f"`experiment={folder}/`", "Question", "Cost"], rows)

    return part


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(map(escaped, line))} |\n" for line in lines)


def escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    "curves": curves,
    "numbers": numbers(summaries.SUMMARIES),
    "numbers of theory": numbers(comparison.SUMMARIES),
    "values": values,
    **{f"conf/{g}": options(g) for g in ("init", "activation", "data", "loss", "device")},
    **{f"experiments/{folder}": experiments(folder) for folder in ("chapter", "paper")},
}

if __name__ == "__main__":
    main()
