"""What is scored: figures with their goals, and what all parts of the evaluation share."""

import dataclasses
import pathlib
import random
import tempfile


class CannotRun(Exception):
    """A witness or a corpus that is not to be had. Counts as a failure, by name."""


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    goal: str
    measured: str
    good: bool


@dataclasses.dataclass
class Evaluation:
    """One run of the evaluation."""

    muster: pathlib.Path
    seed: int
    quick: bool
    folder: pathlib.Path
    notes: list = dataclasses.field(default_factory=list)

    def random(self, *about):
        """Numbers that depend on the seed and on what they are for, and not on which parts run."""
        return random.Random(":".join(map(str, (self.seed, *about))))

    def cache(self, name):
        folder = self.folder / "cache" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def scratch(self):
        """A folder that is gone afterwards."""
        scratch = self.folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=scratch)

    def report(self, name, lines):
        """Details that no table has room for; the place of the file is told below the table."""
        reports = self.folder / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.note(f"{len(lines)} lines in {reports / name}")

    def note(self, text):
        self.notes.append(text)


def share(part, whole):
    return part / whole if whole else 0.0


def percent(part, whole):
    return f"{100 * share(part, whole):.1f} % ({part} of {whole})"


def table(figures):
    rows = [("figure", "goal", "measured", "")]
    rows += [(f.name, f.goal, " ".join(f.measured.split()), "pass" if f.good else "FAIL") for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [" | ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip() for row in rows]
    lines.insert(1, "-|-".join("-" * width for width in widths) + "-|-----")
    return "\n".join(lines)
