"""The same lines in another order of nodes, mixed with those of other nodes, or in other pieces through a pipe.

The lines of a node keep their order among themselves. What is printed has to be the same to the byte, also as JSON. A
text with a secret has marks that are new in each run by intention; they are compared without their suffix.
"""

import itertools
import re
import subprocess

import fleet
import program
from figures import Figure

SUFFIX = re.compile(rb"#[0-9a-f]{4}\xe2\x80\xba")
PIECES = (1, 7, 4096, 65_536)


def figures(evaluation):
    nodes, shuffles = (300, 3) if evaluation.quick else (2_000, 20)
    rng = evaluation.random("determinism")
    planted = fleet.classes(rng, nodes, fleet.RARE)
    plain = [(fleet.node(n), fleet.output(rng, kind, True)) for n, kind in enumerate(planted)]
    secret = [(name, [*lines, f"DB_PASSWORD=hunter{n % 5}-{n % 5:04}"]) for n, (name, lines) in enumerate(plain)]
    logged = [(name, rng.sample(lines, len(lines)) * rng.randrange(1, 4)) for name, lines in plain]
    for what, outputs in [("outputs", plain), ("with secrets", secret), ("with lines in random number", logged)]:
        for form in ([], ["--json"]):
            said = {told(evaluation, form, text) for text in orders(rng, outputs, shuffles)}
            name = f"determinism: {what}, {'JSON' if form else 'text'}"
            yield Figure(name, "1 answer", f"{len(said)} from {2 * shuffles + 1} orders", len(said) == 1)
    text = together(plain[:100])
    said = {piecewise(evaluation, text, size) for size in PIECES}
    yield Figure("determinism: pieces of a pipe", "1 answer", f"{len(said)} from {len(PIECES)} sizes", len(said) == 1)


def together(outputs):
    return "".join(f"{name}: {line}\n" for name, lines in outputs for line in lines).encode()


def orders(rng, outputs, shuffles):
    """As it is, with the nodes shuffled, and with their lines strewn among each other."""
    yield together(outputs)
    for _ in range(shuffles):
        yield together(rng.sample(outputs, len(outputs)))
        whose = list(itertools.chain.from_iterable([n] * len(lines) for n, (_, lines) in enumerate(outputs)))
        rng.shuffle(whose)
        left = [iter(lines) for _, lines in outputs]
        yield "".join(f"{outputs[n][0]}: {next(left[n])}\n" for n in whose).encode()


def told(evaluation, form, text):
    ran = program.run([evaluation.muster, "summarise", *form], text)
    if ran.code != 0:
        raise AssertionError(f"exit code {ran.code}: {ran.err.decode(errors='replace')[:200]}")
    return SUFFIX.sub(b"", ran.out)


def piecewise(evaluation, text, size):
    """Given in pieces of so many bytes, of which the first 2,000 are written one by one."""
    command = [evaluation.muster, "summarise", "--json"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=program.ENVIRONMENT
    ) as child:
        for start in range(0, min(len(text), 2000 * size), size):
            child.stdin.write(text[start : start + size])
        child.stdin.write(text[2000 * size :])
        child.stdin.close()
        return SUFFIX.sub(b"", child.stdout.read())
