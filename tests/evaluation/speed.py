"""Speed on 50,000 outputs of 20 lines, beside clubak and dshbak on the same files in the same run.

`alike`: 95 of 100 nodes print the same bytes. `unique`: every output has its own uuid, address, pid, time, share and
etag. `muster summarise` always redacts; the time of `--redact-only` is printed beside it, so that its share can be
seen. Every program reads a file in the page cache and writes to a file; times are wall clock, the median of five runs.
"""

import os
import pathlib
import statistics
import sys

import fleet
import grouping
import program
import registries
from figures import CannotRun, Figure

CLUSTERSHELL = "1.10.1"
# Corpus: whether outputs are unique, goal in seconds for a million lines, goal against the faster of the others.
CORPORA = {"alike": (False, 0.10, 10), "unique": (True, 0.35, 30)}
MEMORY_MB = 256
# Seconds. dshbak compares each node with every other one and would take about an hour where outputs are unique.
PATIENCE = 120


def figures(evaluation):
    # Fewer nodes would measure how long the program takes to start.
    nodes, runs = 50_000, 3 if evaluation.quick else 5
    for name, (unique, seconds, times) in CORPORA.items():
        with evaluation.scratch() as scratch:
            folder = pathlib.Path(scratch)
            planted = fleet.classes(evaluation.random("speed", name), nodes, fleet.RARE)
            file = folder / "outputs"
            fleet.write(file, evaluation.random("speed", name, "text"), planted, unique)
            with open(file, "rb") as text:
                lines = sum(1 for _ in text)
            ours, ran = median(evaluation, folder, [evaluation.muster, "summarise", file], runs)
            per_million = ours / lines * 1e6
            yield Figure(
                f"speed: {name}, s for a million lines",
                f"<= {seconds:.2f}",
                f"{per_million:.2f}",
                ran.code == 0 and per_million <= seconds,
            )
            redacting, _ = median(evaluation, folder, [evaluation.muster, "summarise", "--redact-only", file], runs)
            evaluation.note(
                f"speed: {name}: {nodes} nodes, {lines} lines in {ours:.3f} s, {ran.cpu_seconds:.3f} s of CPU; "
                f"redaction alone, and the text printed again, takes {redacting:.3f} s; "
                f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            )
            memory = program.measure(folder, [evaluation.muster, "summarise", file], memory=True).memory_mb
            yield Figure(f"speed: {name}, memory", f"<= {MEMORY_MB} MB", f"{memory:.0f} MB", memory <= MEMORY_MB)
            _, found = program.groups(evaluation.muster, folder, file)
            truth = {fleet.node(n): kind for n, kind in enumerate(planted)}
            fits = grouping.adjusted_rand(truth, found)
            yield Figure(f"speed: {name}, groups as planted (adjusted Rand)", "1.000", f"{fits:.3f}", fits > 0.9995)
            if not evaluation.quick:
                yield against(evaluation, folder, file, name, ours, times)


def median(evaluation, folder, command, runs):
    """The median of so many runs after one that is not counted and fills the page cache."""
    ran = [program.measure(folder, command) for _ in range(runs + 1)][1:]
    return statistics.median(one.seconds for one in ran), ran[-1]


def against(evaluation, folder, file, name, ours, times):
    """How many times as fast as the faster witness; each of them runs once."""
    figure = f"speed: {name}, times as fast as the faster of clubak, dshbak"
    theirs = {}
    for tool, command in {"clubak": clubak, "dshbak": dshbak}.items():
        try:
            theirs[tool] = witness(folder, file, *command(evaluation))
        except CannotRun as why:
            return Figure(figure, f">= {times}", f"{tool} could not be run: {why}", False)
    evaluation.note(f"speed: {name}: " + ", ".join(f"{tool} {seconds:.1f} s" for tool, seconds in theirs.items()))
    faster = min(theirs.values()) / ours
    return Figure(figure, f">= {times}", f"{faster:.1f}", faster >= times)


def witness(folder, file, command, environment):
    """Its seconds, or [`PATIENCE`] where it would take longer."""
    ran = program.measure(folder, command, stdin=file, seconds_at_most=PATIENCE, environment=environment)
    if ran.seconds >= PATIENCE:
        return PATIENCE
    if ran.code != 0 or not ran.out:
        raise CannotRun(f"exit code {ran.code}: {ran.err.decode(errors='replace')[:200]}")
    return ran.seconds


def clubak(evaluation):
    """ClusterShell's, which is fastest where it does not read the names of nodes as sets."""
    folder = registries.wheel(evaluation, "ClusterShell", CLUSTERSHELL)
    return [sys.executable, folder / "bin/clubak", "-b", "--interpret-keys=never"], {"PYTHONPATH": str(folder)}


def dshbak(evaluation):
    """pdsh's."""
    return ["perl", registries.debian_package(evaluation, "pdsh") / "usr/bin/dshbak", "-c"], {}
