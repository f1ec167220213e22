"""Runs one command and prints its seconds, peak memory and exit code as JSON.

A process of its own, because `ru_maxrss` of a child begins with the memory of the process that it was forked from.
"""

import json
import os
import signal
import sys
import threading
import time


def mapped_files(pid):
    """Memory of the process that is file cache, in kB."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("RssFile:")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def main(seconds_at_most, poll, stdin, stdout, stderr, *command):
    began = time.monotonic()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        ],
    )
    killer = threading.Timer(float(seconds_at_most), os.kill, (pid, signal.SIGKILL))
    killer.start()
    most_mapped, done = 0, False
    while poll == "poll" and not done:
        most_mapped = max(most_mapped, mapped_files(pid))
        done = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        time.sleep(0.005)
    _, status, usage = os.wait4(pid, 0)
    killer.cancel()
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "memory_mb": (usage.ru_maxrss - most_mapped) / 1024,
                "code": os.waitstatus_to_exitcode(status),
            }
        )
    )


main(*sys.argv[1:])
