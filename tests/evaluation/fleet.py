"""Generated outputs of a fleet, with the class that each node was planted in.

Every node answers a health check of a web server in 20 lines. One node in twenty is not as the others: an old version,
a restart, one warning more, or one of five errors. In `busy` text each node has its own times, pids, addresses, shares
and ids; logs are the same with about 24 kB of a journal around it, whose lines come in random order and number, which
is no reason to tell nodes apart: only a kind of line that few nodes have is one, and ten times as many of a kind.
"""

ERRORS = [
    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
    'nginx: [emerg] cannot load certificate "/etc/nginx/tls/site.pem": no such file',
    "E: Could not get lock /var/lib/dpkg/lock-frontend: held by unattended-upgr",
    "write /var/lib/health/state: no space left on device",
    "curl: (28) Operation timed out while reading the health page",
]
# Class to nodes in 10,000; the rest is as usual.
RARE = {
    "old": 160,
    "restarted": 120,
    "warned": 120,
    "error0": 30,
    "error1": 25,
    "error2": 20,
    "error3": 15,
    "error4": 10,
}
# Of logs only.
RARE_IN_LOGS = {**RARE, "disk": 10, "flood": 15}
JOURNAL = [
    "sshd[{n5}]: Accepted publickey for deploy from {ip} port {n5} ssh2: ED25519 SHA256:{hex}",
    "sshd[{n5}]: pam_unix(sshd:session): session opened for user deploy(uid=1001) by (uid=0)",
    "CRON[{n5}]: (root) CMD (/usr/lib/health/collect --quick)",
    "systemd[1]: Started session {n5} of user deploy.",
    "systemd[1]: session-{n5}.scope: Deactivated successfully.",
    'nginx[{n4}]: {ip} - - "GET /healthz HTTP/1.1" 200 {n3} "-" "probe/2.1" rt=0.{n3}',
    'nginx[{n4}]: {ip} - - "POST /api/v2/orders/{n5} HTTP/1.1" 201 {n4} "-" "app/7.3" rt=0.{n3}',
    "kernel: [{n5}.{n5}] IPv4: martian source {ip} from {ip}, on dev ens5",
    "dhclient[{n3}]: DHCPACK of {ip} from {ip} (xid=0x{hex})",
    "amazon-ssm-agent[{n4}]: INFO [HealthCheck] agent reported healthy in {n3} ms",
    "worker[{n5}]: job {hex} done in {n3} ms, {n4} rows",
    REFUSED := "worker[{n5}]: connection to {ip}:5432 refused, retry in {n3} ms",
]
DISK = "kernel: [{n5}.{n5}] nvme0n1: I/O error, sector {n5}"


def node(n):
    """An instance id, as AWS writes them."""
    return f"i-0{(n * 0x9E3779B97F4A7C15 ^ 0xA5A5A5A5) & 0xFFFFFFFFFFFFFFFF:016x}"


def classes(rng, nodes, rare):
    """The planted class of each node."""
    planted = []
    for name, of_10000 in rare.items():
        planted += [name] * max(4, nodes * of_10000 // 10000)
    planted += ["usual"] * (nodes - len(planted))
    rng.shuffle(planted)
    return planted


def output(rng, kind, busy):
    """The 20 lines of one node, or as many as its class has."""
    if busy:
        pid, workers = rng.randrange(1000, 32000), rng.randrange(1000, 32000)
        clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        ip = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        bits, used, load = rng.getrandbits(128), rng.randrange(20, 70), rng.randrange(100)
    else:
        pid, workers, clock, ip, bits, used, load = 812, 813, "10:00:01", "10.0.0.10", 1 << 127 | 0xABCDEF, 41, 7
    hexes = f"{bits:032x}"
    uuid = f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:]}"
    lines = [
        "== health check of nginx",
        f"nginx version: nginx/{'1.18.0' if kind == 'old' else '1.24.0'}",
        "built with OpenSSL 3.0.11 19 Sep 2023",
        "TLS SNI support enabled",
        "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok",
        "nginx: configuration file /etc/nginx/nginx.conf test is successful",
        f"nginx.service: active (running) since Sat 2026-11-21 {clock} UTC",
        f"Main PID: {pid} (nginx)",
        f"workers: 4, first pid {workers}",
        f"listening on {ip}:80",
        f"listening on {ip}:443",
        f"request id {uuid}",
        f'etag "{hexes[:16]}"',
        "HTTP/1.1 200 OK",
        "Server: nginx",
        "Content-Type: text/html",
        f"disk / {used}% used",
        f"load 0.{load:02}",
        "certificate valid",
        "result: healthy",
    ]
    if kind == "restarted":
        lines.insert(8, "note: nginx.service was restarted by the watchdog")
    elif kind == "warned":
        lines.insert(4, 'nginx: [warn] conflicting server name "shop.example" on 0.0.0.0:443, ignored')
    elif kind.startswith("error"):
        lines[-2:] = [ERRORS[int(kind[-1])], "result: unhealthy"]
    return lines


def write(file, rng, planted, busy):
    """All the nodes' lines, `node: line`."""
    with open(file, "w", encoding="utf-8") as text:
        for n, kind in enumerate(planted):
            name = node(n)
            text.write("".join([f"{name}: {line}\n" for line in output(rng, kind, busy)]))


def message(rng, form=None):
    """One line of a journal, without its time."""

    def number(digits):
        return str(rng.randrange(10 ** (digits - 1), 10**digits))

    address = ".".join(["10", *(str(rng.randrange(1, 255)) for _ in range(3))])
    form = form or rng.choice(JOURNAL)
    return form.format(n3=number(3), n4=number(4), n5=number(5), ip=address, hex=f"{rng.getrandbits(64):016x}")


def write_logs(file, rng, planted, size=24_000):
    """The same with the lines of a journal around them, about `size` characters a node."""
    messages = [message(rng) for _ in range(50_000)]
    clocks = [f"Nov 21 {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(0, 86_400, 7)]
    usual = size // 95
    with open(file, "w", encoding="utf-8") as text:
        for n, kind in enumerate(planted):
            count = rng.randrange(usual * 4 // 5, usual * 6 // 5)
            journal = rng.choices(messages, k=count)
            if kind == "flood":
                journal += [message(rng, REFUSED) for _ in range(10 * usual // len(JOURNAL))]
                rng.shuffle(journal)
            elif kind == "disk":
                journal.insert(rng.randrange(count), message(rng, DISK))
            lines = [f"{clock} {said}" for clock, said in zip(rng.choices(clocks, k=len(journal)), journal)]
            # The health check keeps its own order.
            health = output(rng, kind, True)
            places = sorted(rng.randrange(count + 1) for _ in health)
            for place, line in reversed(list(zip(places, health))):
                lines.insert(place, line)
            name = node(n)
            text.write(f"{name}: " + f"\n{name}: ".join(lines) + "\n")
