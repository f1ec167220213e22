"""Strings that match a regular expression, drawn at random."""

import re._constants as code
import re._parser as parser
import string

PRINTABLE = string.ascii_letters + string.digits + "-_"
CATEGORIES = {
    code.CATEGORY_DIGIT: string.digits,
    code.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    code.CATEGORY_SPACE: " ",
}
# Where a repetition has no end, it ends so much behind its least.
MORE = 8


def sample(rng, pattern):
    pattern = pattern.replace("[[:alnum:]]", "[A-Za-z0-9]").replace("[:alnum:]", "A-Za-z0-9")
    return "".join(_pieces(rng, parser.parse(pattern)))


def _pieces(rng, parsed):
    for operation, argument in parsed:
        if operation is code.LITERAL:
            yield chr(argument)
        elif operation is code.IN:
            yield rng.choice(_members(argument))
        elif operation is code.ANY:
            yield rng.choice(PRINTABLE)
        elif operation in (code.MAX_REPEAT, code.MIN_REPEAT):
            least, most, inner = argument
            for _ in range(rng.randint(least, min(most, least + MORE))):
                yield from _pieces(rng, inner)
        elif operation is code.SUBPATTERN:
            yield from _pieces(rng, argument[3])
        elif operation is code.BRANCH:
            yield from _pieces(rng, rng.choice(argument[1]))
        elif operation is not code.AT:
            raise ValueError(f"cannot draw {operation}")


def _members(items):
    found = ""
    for operation, argument in items:
        if operation is code.LITERAL:
            found += chr(argument)
        elif operation is code.RANGE:
            found += "".join(map(chr, range(argument[0], argument[1] + 1)))
        elif operation is code.CATEGORY and argument in CATEGORIES:
            found += CATEGORIES[argument]
        else:
            raise ValueError(f"cannot draw {operation} {argument}")
    return found
