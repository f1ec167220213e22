"""Lines of the corpora that were looked at and hold a password, a key or a token, by the start of their SHA-256.

A line is added when a person has read it in `secrets-alarms.txt` and would not want it in a chat. By the digest,
because the corpora are not copied into this repository.
"""

import hashlib

HOLD_A_SECRET = frozenset(
    """
    049584f8b0f3 0c114ff1fc15 24f1a9842fd9 28dc0ebe8b80 3762f26976fd 387584b30359 3912fec70cfd 410394d84d2e 43eaf093d53e
    478c7c0a9abb 5b9651d6c40b 74222d1aa6d1 770311d2abe8 77fbe99e914d 79359dbebbd5 80f42e1b5d24 85f2be09e2bf 99833ea79ef4
    ad07faff20e8 b46b0310acd2 b8eef4309ea2 c2e2ad5016cb c9cad3a3390d dcf31773c7cc dcfb8b0ed487 dfd19eb7ad4b ecb28d85c616
    f2b3e57ca7fa f8284ada9222 2670997d2c62 99e9b5084748 da86507afdc1 d173dd77a9a3
""".split()
)


def digest(line):
    return hashlib.sha256(line.strip().encode()).hexdigest()[:12]


def holds_a_secret(line):
    return digest(line) in HOLD_A_SECRET
