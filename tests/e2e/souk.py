"""souk.py: what the end-to-end tests share, in Python 3's standard library alone.

 - pack, unpack: MessagePack, written from the specification of the format, so that the socket is tried by
   a client that shares no code with the node.
 - Client: MessagePack-RPC over HOME/souk.sock.  client.call("node.status") gives the result or raises Refused.
 - Node: one soukd in a temporary home, with a port of its own; stop() waits; processes are ended by their id.
 - Checks: counts what held and what did not, and closes with "N passed, N failed".
"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

READY_S = 1.0  # what soukd promises, to be ready and to stop
SLOW = float(os.environ.get("SOUK_E2E_SLOW", "1"))  # a busy machine may multiply every promise


# ---- MessagePack ----
def pack(v):
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return pack_int(v)
    if isinstance(v, str):
        b = v.encode()
        return pack_head(len(b), 0xa0, 31, (0xd9, 0xda, 0xdb)) + b
    if isinstance(v, (bytes, bytearray)):
        return pack_head(len(v), None, -1, (0xc4, 0xc5, 0xc6)) + bytes(v)
    if isinstance(v, (list, tuple)):
        return pack_head(len(v), 0x90, 15, (None, 0xdc, 0xdd)) + b"".join(pack(x) for x in v)
    if isinstance(v, dict):
        return pack_head(len(v), 0x80, 15, (None, 0xde, 0xdf)) + b"".join(pack(k) + pack(x) for k, x in v.items())
    raise TypeError(f"not for the wire: {v!r}")


def pack_int(v):
    if -32 <= v < 128:
        return struct.pack("b", v) if v < 0 else bytes([v])
    forms = ((0xcc, ">B"), (0xcd, ">H"), (0xce, ">I"), (0xcf, ">Q")) if v > 0 else \
            ((0xd0, ">b"), (0xd1, ">h"), (0xd2, ">i"), (0xd3, ">q"))
    for tag, form in forms:
        try:
            return bytes([tag]) + struct.pack(form, v)
        except struct.error:
            continue
    raise OverflowError(v)


def pack_head(n, fix, fix_most, tags):
    if n <= fix_most:
        return bytes([fix | n])
    for tag, form, most in zip(tags, (">B", ">H", ">I"), (0xff, 0xffff, 0xffffffff)):
        if tag is not None and n <= most:
            return bytes([tag]) + struct.pack(form, n)
    raise OverflowError(n)


class More(Exception):
    """The value goes on beyond the bytes at hand."""


def unpack(b, at=0):
    """One value from b at `at`: (value, where the next one begins)."""
    def take(n):
        nonlocal at
        if at + n > len(b):
            raise More
        at += n
        return b[at - n:at]

    def value():
        t = take(1)[0]
        if t < 0x80:
            return t
        if t >= 0xe0:
            return t - 256
        if t in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[t]
        numbers = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
        if t in numbers:
            return struct.unpack(numbers[t], take(struct.calcsize(numbers[t])))[0]
        lengths = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I",
                   0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}
        if t in lengths:
            n = struct.unpack(lengths[t], take(struct.calcsize(lengths[t])))[0]
            kind = "bin" if t < 0xc8 else "str" if t < 0xdc else "array" if t < 0xde else "map"
        elif 0xa0 <= t < 0xc0:
            n, kind = t & 31, "str"
        elif 0x90 <= t < 0xa0:
            n, kind = t & 15, "array"
        elif 0x80 <= t < 0x90:
            n, kind = t & 15, "map"
        else:
            raise ValueError(f"the node sent {t:#x}, which souk's subset of MessagePack does not have")
        if kind == "bin":
            return bytes(take(n))
        if kind == "str":
            return take(n).decode()
        if kind == "array":
            return [value() for _ in range(n)]
        out = {}
        for _ in range(n):
            k = value()
            out[k] = value()
        return out

    return value(), at


# ---- the socket ----
class Refused(Exception):
    def __init__(self, error):
        super().__init__(error.get("message"))
        self.code, self.message, self.data = error.get("code"), error.get("message"), error.get("data")


class Client:
    def __init__(self, path, timeout_s=20):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(timeout_s)
        self.s.connect(str(path))
        self.buf, self.next_id, self.events = b"", 1, []

    def send(self, method, params=None):
        n, self.next_id = self.next_id, self.next_id + 1
        self.s.sendall(pack([0, n, method, params or {}]))
        return n

    def receive(self):
        while True:
            try:
                v, at = unpack(self.buf)
                self.buf = self.buf[at:]
                return v
            except More:
                more = self.s.recv(65536)
                if not more:
                    raise ConnectionError("the node closed the socket") from None
                self.buf += more

    def answer(self, n):
        """The answer to request n; notifications that come before it are kept in self.events."""
        while True:
            v = self.receive()
            if v[0] == 2:
                self.events.append(v)
                continue
            assert v[0] == 1 and v[1] == n, f"not the answer to request {n}: {v!r}"
            if v[2] is not None:
                raise Refused(v[2])
            return v[3]

    def call(self, method, params=None, **more):
        return self.answer(self.send(method, {**(params or {}), **more}))

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- nodes ----
def free_port():
    """A port that is free for TCP and UDP now."""
    for _ in range(100):
        with socket.socket() as t, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            t.bind(("127.0.0.1", 0))
            port = t.getsockname()[1]
            try:
                u.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no free port")


def wait_for(what, timeout_s):
    """Waits until what() is true; gives the seconds it took, or None."""
    t0 = time.monotonic()
    while time.monotonic() - t0 < timeout_s:
        if what():
            return time.monotonic() - t0
        time.sleep(0.01)
    return None


class Node:
    def __init__(self, build, base, name, network="test-e2e", peers=(), port=None, flags=(),
                 listen=("127.0.0.1",), loopback=True):
        self.build, self.home, self.port = pathlib.Path(build), base / name, port or free_port()
        self.network, self.peers, self.flags, self.process = network, list(peers), list(flags), None
        self.listen, self.loopback = list(listen), loopback
        self.log = base / f"{name}.log"
        self.around = {}  # more for Popen: limits, surroundings
        self.before = []  # a command that runs it elsewhere: in a host of internet.py

    def command(self):
        c = [str(self.build / "soukd"), "--home", str(self.home), "--network", self.network, "--work-bits", "0",
             "--puzzle-bits", "0", "--loopback", "yes" if self.loopback else "no", "--cheap-keyfiles", "yes",
             "--map-mib", "1024"]
        for a in self.listen:
            c += ["--listen", f"{a}:{self.port}"]
        for p in self.peers:
            c += ["--peer", p]
        return c + self.flags

    def launch(self):
        self.said = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.before + self.command(), stdout=log, stderr=log, **self.around)

    def words(self):
        """What this run has logged."""
        with open(self.log, "rb") as f:
            f.seek(self.said)
            return f.read().decode(errors="replace")

    def ready(self):
        return " ready" in self.words() and (self.home / "souk.sock").exists()

    def start(self, timeout_s=20):
        """Seconds until ready; raises when it does not come up."""
        self.launch()
        took = wait_for(lambda: self.ready() or self.process.poll() is not None, timeout_s)
        if took is None or self.process.poll() is not None:
            raise RuntimeError(f"soukd did not come up: {self.words()}")
        return took

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, sig=signal.SIGTERM, timeout_s=20):
        """Seconds until it was gone; its exit status stays in self.process.returncode."""
        if not self.process:
            return 0.0
        t0 = time.monotonic()
        if self.alive():
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - t0

    def client(self):
        return Client(self.home / "souk.sock")

    def peer(self):
        with self.client() as c:
            return c.call("node.status")["peer"]


def run_to_end(command, timeout_s=20):
    """(exit status, everything it said) of a program that must end by itself."""
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
    return p.returncode, p.stdout.decode(errors="replace")


# ---- counting ----
class Checks:
    def __init__(self):
        self.passed, self.failed = 0, 0
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="souk-e2e-"))
        self.nodes = []

    def that(self, ok, what, why=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL  {what}{': ' if why else ''}{why}")
        return ok

    def refuses(self, code, what, call):
        """call() must be refused with this code, and with words."""
        try:
            got = call()
        except Refused as e:
            return self.that(e.code == code and e.message, what, f"{e.code}: {e.message}")
        return self.that(False, what, f"it answered {got!r}")

    def node(self, build, name, **more):
        n = Node(build, self.base, name, **more)
        self.nodes.append(n)
        return n

    def run(self, tests):
        """Runs every test, whatever the others do; ends the process."""
        try:
            for t in tests:
                try:
                    t()
                except Exception as e:  # a broken test is a failed one, and the rest still run
                    self.that(False, t.__name__, f"{type(e).__name__}: {e}")
        finally:
            for n in self.nodes:
                n.stop(signal.SIGKILL)
            for n in self.nodes:
                bad = [x for x in ("Sanitizer", "runtime error", "MUST")
                       if n.log.exists() and x in n.log.read_text(errors="replace")]
                if bad:
                    self.that(False, f"{n.home.name} runs without a fault", n.log.read_text(errors="replace")[-3000:])
            shutil.rmtree(self.base, ignore_errors=True)
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
