"""net.py: the network that a file belongs to, and how checks are found."""
from primitives import blake2b, verify


class Net:
    def __init__(self, told):
        self.work_bits, self.puzzle_bits = told.get("work_bits", 0), told.get("puzzle_bits", 0)
        name = bytes([self.work_bits, self.puzzle_bits]) + told["name"].encode()
        self.id = blake2b(name, "souk:network", size=16)

    def hash(self, use, *parts):
        """H of crypto.md, section 2."""
        return blake2b(b"".join(parts), use, self.id)

    def signed(self, key, signature, use, *parts):
        return verify(key, self.hash(use, *parts), signature)


class Other(Exception):
    """It was found good, but with another outcome than the file says."""


class Refused(Exception):
    """Not acceptable; the text is the class."""


def need(ok, why):
    if not ok:
        raise Refused(why)


def same(vector, **found):
    """What was found must be what the file says, where it says it."""
    for name, v in found.items():
        said = vector.get(name)
        v = v.hex() if isinstance(v, (bytes, bytearray)) else v
        if said is not None and said != v:
            raise Other(f"{name} is {v}, not {said}")


CHECKS = {}


def check(what):
    def keep(function):
        CHECKS[what] = function
        return function
    return keep


def zero_bits(b):
    n = int.from_bytes(b, "big")
    return 8 * len(b) - n.bit_length()
