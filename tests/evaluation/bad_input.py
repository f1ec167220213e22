"""What nobody means to give: each case ends with a summary or with one clear sentence, within 256 MB, and loses nothing
without a count: as many lines are told of, or told to be left out, as came in."""

import base64
import json
import pathlib

import program
from figures import Figure

MEMORY_MB = 256
MIB = 1 << 20


def figures(evaluation):
    cases = CASES if evaluation.quick else {**CASES, **LARGE}
    memory, seconds = {}, {}
    for name, (make, expected) in cases.items():
        with evaluation.scratch() as scratch:
            folder = pathlib.Path(scratch)
            more = make(folder / "text", evaluation.random("bad input", name), folder) or []
            command = [evaluation.muster, "summarise", "--json", *more, folder / "text"]
            ran = program.measure(folder, command, memory=True)
            memory[name], seconds[name] = ran.memory_mb, ran.seconds
            wrong = expected(ran, folder / "text")
            yield Figure(f"bad input: {name}", expected.__doc__, wrong or "so", not wrong)
    slowest = max(seconds, key=seconds.get)
    evaluation.note(f"bad input: the slowest takes {seconds[slowest]:.1f} s ({slowest})")
    worst = max(memory, key=memory.get)
    yield Figure(
        "bad input: memory", f"<= {MEMORY_MB} MB", f"{memory[worst]:.0f} MB ({worst})", memory[worst] <= MEMORY_MB
    )


def sentence(ran, _file):
    """exit 2, one sentence"""
    said = ran.err.decode(errors="replace").strip()
    if ran.code != 2 or ran.out or said.count("\n") or not said.startswith("muster: "):
        return f"exit {ran.code}: {said[:100]!r}, {len(ran.out)} bytes printed"
    if len(said) > 500:
        return f"a sentence of {len(said)} characters"
    return ""


def summary(ran, file):
    """a summary, no line lost"""
    if ran.code != 0:
        return f"exit {ran.code}: {ran.err.decode(errors='replace')[:100]!r}"
    said = json.loads(ran.out)
    with open(file, "rb") as text:
        came = sum(1 for line in text if line.strip())
    told = said["lines"] + said["skipped"]
    return "" if told == came else f"told of {told} of {came} lines"


def summary_with_cut(ran, file):
    """a summary, the cut line counted"""
    if wrong := summary(ran, file):
        return wrong
    cut = json.loads(ran.out)["cut"]
    return "" if cut == 1 else f"{cut} lines said to be cut"


def two_nodes(ran, file):
    """a summary of 2 nodes, no line lost"""
    if wrong := summary(ran, file):
        return wrong
    said = json.loads(ran.out)
    alike = len(said["findings"]) == 1 and said["nodes"] in (2, ["a", "b"])
    return "" if alike else f"{said['nodes']} nodes in {len(said['findings'])} findings"


def binary(file, rng, _folder):
    file.write_bytes(rng.randbytes(MIB))


def binary_of_nodes(file, rng, _folder):
    lines = [rng.randbytes(200).replace(b"\n", b"").replace(b"\r", b"") for _ in range(2_000)]
    file.write_bytes(b"".join(b"web-%d: %s\n" % (n % 200, line) for n, line in enumerate(lines)))


def long_line(file, _rng, _folder):
    file.write_bytes(b"a: start\na: " + b"x1 " * (10 * MIB) + b"\nb: start\n")


def million_lines(file, rng, _folder):
    with open(file, "w", encoding="ascii") as text:
        text.writelines(f"a: {rng.getrandbits(64):016x} {n} step {rng.random():.6f} done\n" for n in range(1_000_000))


def twice(file, _rng, _folder):
    file.write_text("a: one\nb: one\na: two\nb: two\n")


def lacking(file, _rng, folder):
    file.write_text("".join(f"web-{n}: up\n" for n in range(9)))
    (folder / "nodes.tsv").write_text("node\taccount\nweb-1\tacme\nother-1\tacme\n")
    return ["--inventory", folder / "nodes.tsv"]


def prose(file, _rng, _folder):
    file.write_text("Dear all\nthis is a letter\nand no output of any node\n" * 50)


def partly_prose(file, _rng, _folder):
    file.write_text("".join(f"web-{n}: up\n" for n in range(20)) + "Connection to somewhere closed.\n" * 5)


def long_names(file, _rng, _folder):
    file.write_text("".join(f"{'n' * 300}{n}: up\n" for n in range(3)) + "".join(f"web-{n}: up\n" for n in range(9)))


def no_newline(file, _rng, _folder):
    file.write_bytes(b"a: up\r\nb: up\r\nc: \x00\x00\x1b[31mup\x1b[0m")


def gigabyte(file, rng, _folder):
    with open(file, "w", encoding="ascii") as text:
        for n in range(1_024):
            drawn = base64.b64encode(rng.randbytes(750_000)).decode()
            text.writelines(f"srv-{n}: {drawn[at : at + 80]}\n" for at in range(0, len(drawn), 80))


CASES = {
    "nothing": (lambda file, rng, folder: file.write_bytes(b"") and None, sentence),
    "binary": (binary, sentence),
    "binary behind the names of nodes": (binary_of_nodes, summary),
    "a letter": (prose, sentence),
    "lines of no node among others": (partly_prose, summary),
    "names that are none": (long_names, summary),
    "one line of 30 MB": (long_line, summary_with_cut),
    "a million distinct lines of one node": (million_lines, summary),
    "nodes that come twice": (twice, two_nodes),
    "an inventory that lacks nodes": (lacking, summary),
    "no newline at the end, NUL and colours": (no_newline, summary),
}
LARGE = {"1 GB, every line distinct": (gigabyte, summary)}
