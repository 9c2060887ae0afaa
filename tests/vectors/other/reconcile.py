"""reconcile.py: Negentropy V1, from spec/reconcile.md; plays the transcripts of its reference."""
import bisect
import hashlib

from wire import Form

END = float("inf")  # the end of time


def varint(n):
    out = bytes([n & 127])
    while n >> 7:
        n >>= 7
        out = bytes([n & 127 | 128]) + out
    return out


class Reader:
    def __init__(self, data):
        self.data, self.at, self.time, self.last = data, 1, 0, (0, b"")

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Form("cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self):
        v, first = 0, True
        while True:
            b = self.take(1)[0]
            if (first and b == 128) or v >> 57:
                raise Form("a varint in a longer form, or over 64 bits")
            v, first = v << 7 | b & 127, False
            if not b & 128:
                return v

    def bound(self):
        t = self.varint()
        if t:
            if self.time == END or self.time + t - 1 >= 2**64:
                raise Form("a time after the end of time")
            self.time += t - 1
        else:
            self.time = END
        n = self.varint()
        if n > 32 or (n and self.time == END):
            raise Form("an id at the end of time, or too long")
        bound = self.time, self.take(n).ljust(32, b"\0")
        if bound < self.last:
            raise Form("a bound below the one before it")
        self.last = bound
        return bound


class Side:
    def __init__(self, items, limit, initiator, since=None):
        """since: the horizon, an item: what lies before it is neither told nor asked for"""
        self.since = since
        self.items, self.limit, self.initiator = sorted(items), limit, initiator
        self.have, self.need = set(), set()
        self.sums = [0]
        for _, x in self.items:
            self.sums.append(self.sums[-1] + int.from_bytes(x, "little"))

    def fingerprint(self, a, b):
        total = (self.sums[b] - self.sums[a]) % 2**256
        return hashlib.sha256(total.to_bytes(32, "little") + varint(b - a)).digest()[:16]

    # ---- writing: ranges are (bound, mode, payload); a bound is (time, the bytes of id that count) ----
    def between(self, i):
        (t0, a), (t1, b) = self.items[i - 1], self.items[i]
        if t0 != t1:
            return t1, b""
        n = next(k for k in range(32) if a[k] != b[k])
        return t1, b[:n + 1]

    def ids(self, a, b):
        return varint(b - a) + b"".join(x for _, x in self.items[a:b])

    def split(self, a, b, upper):
        count = b - a
        if count < 32:
            return [(upper, 2, self.ids(a, b))]
        out, at = [], a
        for i in range(16):
            end = at + count // 16 + (i < count % 16)
            out.append((upper if end == b else self.between(end), 1, self.fingerprint(at, end)))
            at = end
        return out

    @staticmethod
    def encode(ranges, time):
        """(bytes, the time of the last bound)"""
        out = b""
        for (t, prefix), mode, payload in ranges:
            out += varint(0) if t == END else varint(t - time + 1)
            time = t
            out += varint(len(prefix)) + prefix + varint(mode) + payload
        return out, time

    def begin(self):
        """(the first item that counts, what is skipped to get there)"""
        return (bisect.bisect_left(self.items, self.since), self.since) if self.since else (0, None)

    def first(self):
        at, skip = self.begin()
        ranges = [(skip, 0, b"")] if skip else []
        return b"\x61" + self.encode(ranges + self.split(at, len(self.items), (END, b"")), 0)[0]

    # ---- answering ----
    def tell(self, a, b, upper, written):
        n = b - a
        if self.limit:
            n = min(n, max(0, (self.limit - 200 - written) // 32 + 1))
        if n < b - a:
            upper = self.items[a + n]
        return [(upper, 2, self.ids(a, a + n))], a + n

    def answer(self, message):
        r, out, time, (at, skip) = Reader(message), b"\x61", 0, self.begin()
        if not message or not 0x60 <= message[0] <= 0x6F:
            raise Form("no Negentropy")
        if message[0] != 0x61:
            return out
        while r.at < len(message):
            start = r.at
            bound = r.bound()
            prefix = self.prefix(message, start)
            beyond = self.since is not None and bound <= self.since
            end = at if beyond else bisect.bisect_left(self.items, bound)
            mode, told, says = r.varint(), False, []
            if mode == 1:
                if r.take(16) != self.fingerprint(at, end) and not beyond:
                    says = self.split(at, end, (bound[0], prefix))
            elif mode == 2:
                n = r.varint()
                if n > (len(message) - r.at) // 32:
                    raise Form("more ids than bytes")
                theirs = {r.take(32) for _ in range(n)}
                if beyond:
                    pass
                elif self.initiator:
                    mine = {x for _, x in self.items[at:end]}
                    self.have |= mine - theirs
                    self.need |= theirs - mine
                else:
                    says, end = self.tell(at, end, (bound[0], prefix), len(out))
                    told = True
            elif mode != 0:
                raise Form("no such mode")
            if says and skip is not None:
                says = [(skip, 0, b"")] + says
            skip = None if says else self.since if beyond else (bound[0], prefix)
            part, after = self.encode(says, time)
            if told:
                out, time, part = out + part, after, b""
            if self.limit and len(out) + len(part) > self.limit - 200:
                out += self.encode([((END, b""), 1, self.fingerprint(end, len(self.items)))], time)[0]
                break
            out, time, at = out + part, after if part else time, end
        return out

    @staticmethod
    def prefix(message, start):
        """The bytes of id of the bound that begins at `start`, as they were written."""
        r = Reader(message)
        r.at = start
        r.varint()
        return r.take(r.varint())


def transcripts(told):
    """(name, whether it went as the reference's did)"""
    for case in told["cases"]:
        items = []
        for i in range(case["count"]):
            x = hashlib.sha256(case["seed"].to_bytes(8, "big") + i.to_bytes(8, "big")).digest()
            spread = case["timestamp_spread"]
            items.append((case["timestamp_base"] + (int.from_bytes(x[:4], "big") % spread if spread else 0), x))
        sides = [Side([x for i, x in enumerate(items) if i not in case[who + "_missing"]], case["frame_size_limit"],
                      who == "client", items[case[who + "_since"]] if who + "_since" in case else None)
                 for who in ("client", "server")]
        messages, good = case["messages"], True
        for i, m in enumerate(messages):
            made = sides[0].first() if i == 0 else sides[i % 2].answer(bytes.fromhex(messages[i - 1]))
            good = good and made.hex() == m
        if len(messages) % 2 == 0:
            good = good and sides[0].answer(bytes.fromhex(messages[-1])) == b"\x61"
        for name in ("have", "need"):
            good = good and sorted(x.hex() for x in getattr(sides[0], name)) == sorted(case["client_" + name])
        yield case["name"], good
