"""Programs under test, run as a person runs them."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

from figures import CannotRun

ENVIRONMENT = {"NO_COLOR": "1", "LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "")}
MEASURED = pathlib.Path(__file__).with_name("measured.py")


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a program ended. `memory_mb` is the peak besides the file cache, where it was asked for."""

    code: int
    out: bytes
    err: bytes
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0


def run(command, text=b"", seconds_at_most=600):
    try:
        done = subprocess.run(
            list(map(str, command)), input=text, capture_output=True, env=ENVIRONMENT, timeout=seconds_at_most
        )
    except subprocess.TimeoutExpired:
        return Ran(-9, b"", f"stopped after {seconds_at_most} s".encode())
    return Ran(done.returncode, done.stdout, done.stderr)


def measure(folder, command, stdin=os.devnull, seconds_at_most=600, memory=False, environment=None):
    """Runs a command and takes its time. Its output goes to a file, so that no reader slows it."""
    out, err = folder / "out", folder / "err"
    poll = "poll" if memory else "wait"
    measured = [sys.executable, "-I", "-S", MEASURED, str(seconds_at_most), poll, stdin, out, err, *map(str, command)]
    told = subprocess.run(measured, capture_output=True, text=True, env={**ENVIRONMENT, **(environment or {})})
    if told.returncode != 0:
        raise CannotRun(told.stderr.strip().splitlines()[-1])
    told = json.loads(told.stdout)
    ran = Ran(told["code"], out.read_bytes(), err.read_bytes(), told["seconds"], told["cpu_seconds"], told["memory_mb"])
    out.unlink()
    err.unlink()
    return ran


def groups(muster, folder, source, *arguments):
    """`muster summarise --json --groups`: the JSON, and the group of each node."""
    file = folder / "groups"
    ran = run([muster, "summarise", "--json", "--groups", file, *arguments, source])
    if ran.code not in (0, 1):
        raise AssertionError(f"exit code {ran.code}: {ran.err.decode(errors='replace').strip()}")
    told = dict(line.rsplit("\t", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return json.loads(ran.out), {node: int(number) for node, number in told.items()}
