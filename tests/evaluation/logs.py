"""Logs: 50,000 nodes of about 24 kB each, a health check in a journal whose lines come in random number and order."""

import pathlib

import fleet
import grouping
import program
from figures import Figure

MEMORY_MB = 256


def figures(evaluation):
    nodes = 500 if evaluation.quick else 50_000
    with evaluation.scratch() as scratch:
        folder = pathlib.Path(scratch)
        planted = fleet.classes(evaluation.random("logs"), nodes, fleet.RARE_IN_LOGS)
        file = folder / "logs"
        fleet.write_logs(file, evaluation.random("logs", "text"), planted)
        groups = folder / "groups.tsv"
        ran = program.measure(folder, [evaluation.muster, "summarise", "--groups", groups, file], memory=True)
        if ran.code != 0:
            raise AssertionError(f"exit code {ran.code}: {ran.err.decode(errors='replace')[:200]}")
        evaluation.note(f"logs: {nodes} nodes, {file.stat().st_size / 1e6:.0f} MB in {ran.seconds:.1f} s")
        found = dict(line.split("\t") for line in groups.read_text().splitlines())
        truth = {fleet.node(n): kind for n, kind in enumerate(planted)}
        shared, split = grouping.mixed(truth, found)
        fits = grouping.adjusted_rand(truth, found)
        yield Figure("logs: groups as planted (adjusted Rand)", "1.000", f"{fits:.3f}", fits > 0.9995)
        classes = len(set(planted))
        yield Figure(
            "logs: planted classes that are apart",
            f"{classes} of {classes}",
            f"{classes - len(shared)} of {classes}" + (f", not {', '.join(shared)}" if shared else ""),
            not shared,
        )
        yield Figure(
            "logs: classes invented",
            "0",
            str(sum(n - 1 for n in split.values())) + (f", of {', '.join(split)}" if split else ""),
            not split,
        )
        yield Figure("logs: memory", f"<= {MEMORY_MB} MB", f"{ran.memory_mb:.0f} MB", ran.memory_mb <= MEMORY_MB)
