"""Real outputs of commands, printed by other people's machines.

`jc`: the fixtures of the parser collection jc (MIT), from its Debian source package. `insights`: what the tests of
insights-core (Apache-2.0) hold as string constants, from its source distribution. Both are fetched, not copied. `few`,
for runs without a network, are written here after the manual pages.
"""

import ast
import re

import registries

INSIGHTS = "3.8.4"
# The agent of AWS Systems Manager returns no more of an output.
LONGEST = 24_000


def useful(text):
    """Text of at least three lines, with digits, that a node could have printed."""
    lines = [line for line in text.splitlines() if line.strip()]
    printable = all(c.isprintable() or c in "\t\n" for c in text)
    return printable and len(lines) >= 3 and len(text) <= LONGEST and re.search(r"\d", text) is not None


def jc(evaluation):
    archive = registries.debian_source(evaluation, "jc")
    return _distinct(registries.members(archive, ".out"), lambda name: "/tests/fixtures/" in name)


def insights(evaluation):
    archive = registries.sdist(evaluation, "insights-core", INSIGHTS)
    modules = ((name, text) for name, text in registries.members(archive, ".py") if "/insights/tests/" in name)
    return _distinct(((f"{name}:{line}", text) for name, source in modules for line, text in _constants(source)))


def _constants(source):
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.count("\n") >= 2:
            yield part.lineno, part.value.strip("\n")


def _distinct(texts, wanted=lambda name: True):
    """Name to text, each text once."""
    names = {text: name for name, text in sorted(texts, reverse=True) if wanted(name) and useful(text)}
    return {name: text for text, name in sorted(names.items(), key=lambda item: item[1])}


def few(_evaluation):
    return dict(FEW)


FEW = {
    "df": """\
Filesystem     1K-blocks     Used Available Use% Mounted on
/dev/nvme0n1p1  31444972 12839480  18605492  41% /
tmpfs             986028      376    985652  12% /run
/dev/nvme1n1   104846316 61203988  43642328  59% /srv/data
""",
    "free": """\
               total        used        free      shared  buff/cache   available
Mem:         7874312     2201844     1203388      102384     4469080     5276120
Swap:        2097148      120832     1976316
""",
    "systemctl status": """\
* nginx.service - A high performance web server and a reverse proxy server
     Loaded: loaded (/lib/systemd/system/nginx.service; enabled; vendor preset: enabled)
     Active: active (running) since Sat 2026-11-21 08:14:02 UTC
   Main PID: 81214 (nginx)
      Tasks: 5 (limit: 9398)
     Memory: 12.4M
     CGroup: /system.slice/nginx.service
""",
    "ss": """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
tcp   LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:(("nginx",pid=81214,fd=6))
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=71288,fd=3))
tcp   ESTAB  0      0         10.12.33.7:22    10.12.40.19:51822 users:(("sshd",pid=90411,fd=4))
""",
    "ps": """\
USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root        1201 10.2 11.1 168312 12944 ?        Ss   08:14   0:04 /sbin/init
nginx      81214 20.1 12.3 142388 24112 ?        S    08:15   0:11 nginx: worker process
postgres   71288 31.4 40.2 918204 88120 ?        Ss   08:15   1:42 postgres: checkpointer
""",
    "rpm -qi": """\
Name        : openssl
Version     : 3.0.7
Release     : 27.el9
Architecture: x86_64
Install Date: Sat 21 Nov 2026 08:02:11 AM UTC
Size        : 1903214
Signature   : RSA/SHA256, Key ID 199e2f91fd431d51
Summary     : Utilities from the general purpose cryptography library with TLS
""",
    "ip addr": """\
2: ens5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9001 qdisc mq state UP group default qlen 1000
    link/ether 06:1f:3a:77:c0:9e brd ff:ff:ff:ff:ff:ff
    inet 10.12.33.7/20 metric 100 brd 10.12.47.255 scope global dynamic ens5
       valid_lft 3104sec preferred_lft 3104sec
""",
    "docker ps": """\
CONTAINER ID   IMAGE                  COMMAND                  STATUS          PORTS                NAMES
5f2c9a1be07d   registry/shop:7.3.12   "/entrypoint serve"      Up 12 days      0.0.0.0:8080->80/tcp shop
0c77d41e93ab   postgres:15.4          "docker-entrypoint.s"    Up 12 days      5432/tcp             db
""",
}
