#!/usr/bin/env python3
"""The DHT against its peers: souk, libtorrent and OpenDHT, 64 nodes in one process each, on loopback.

  tests/run bench dht [--rounds 5] [--nodes 64] [--puts 2000] [--few 400] [--warm 600]

Rounds take turns between the programs; what is printed is the median of the rounds.  Each program runs in a
network namespace of its own where that is allowed, so that the kernel's counters count its datagrams alone.
Ratios gate (DESIGN: 1.5 times libtorrent's puts, 1 time its gets, a quarter of its memory); the exit is 1
when one is missed."""
import argparse
import ctypes
import fcntl
import json
import os
import platform
import socket
import statistics
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = len(os.sched_getaffinity(0))
PEERS = [("souk", "bench_dht_souk", ["--loops", str(CORES)]),
         ("libtorrent", "bench_dht_libtorrent", []),
         ("souk, 64 threads", "bench_dht_souk", ["--loops", "64"]),
         ("libtorrent, loops", "bench_dht_libtorrent", ["--loops", str(CORES)]),
         ("OpenDHT, signed", "bench_dht_opendht", ["--signed", "1", "--settle", "12"]),
         ("OpenDHT, plain", "bench_dht_opendht", ["--signed", "0", "--settle", "12"])]
DECLARED = """What is compared, and what is not the same:
  all         64 nodes in a process; values of 600 bytes, written to the 8 nearest of those found; a getter is
              never the putter; every value is compared with what was put
  threads     souk: its engines share a loop a core, as a process with many of them would be built.
              libtorrent: a thread a session, as its library does it; OpenDHT: its own threads a node.  Like for
              like are beside them: "souk, 64 threads" (as 64 daemons) with "libtorrent"; "souk" with
              "libtorrent, loops" (its sessions share a loop a core)
  souk        default knobs; datagrams encrypted and authenticated (X25519, XChaCha20-Poly1305); the putter
              signs, every storing node verifies, the getter verifies; a put looks up along 3
              disjoint paths until the nearest 8 of all and 3 of each path have answered; a get ends when 3
              nodes gave the same value ("careful": 3 paths, the nearest 8 answered); the first datagram
              between two nodes costs a curve operation each: "among strangers" are the first puts of all
  libtorrent  BEP 44 mutable items, Ed25519 made by the putter, verified by who stores and who gets; plain
              datagrams; a put is a search and 8 writes; a get is over when its search is.  Lifted: upload
              limit 8 kB/s -> 100 MB/s, 5 packets/s a peer -> 10^6, 700 items -> 100,000, one address of a
              /24, node ids by address, bogon addresses
  OpenDHT     values signed with RSA of 2,048 bits (verified by the getter, and by those who store), or plain;
              plain datagrams; a get is over with the first value.  Lifted: requests a second, in all and of a
              peer; size of store; number of keys"""


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack("16sh", fcntl.ioctl(s, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", flags | 1))


def own_network():
    """In the child, before exec: a network namespace with nothing but loopback."""
    new_user, new_net = 0x10000000, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_net) != 0 and libc.unshare(new_user | new_net) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace")
    loopback_up()


def isolated():
    return subprocess.run(["true"], preexec_fn=own_network, check=False).returncode == 0


def run(path, args, alone):
    out = subprocess.run([path, *args], stdout=subprocess.PIPE, check=True, timeout=600, text=True,
                         preexec_fn=own_network if alone else None).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def median(values):
    return statistics.median(values) if values else float("nan")


class Results:
    """figures[peer][(op, window)][name] = one figure a round."""

    def __init__(self):
        self.figures, self.setup, self.ceiling = {}, {}, {}

    def take(self, peer, lines):
        mine = self.figures.setdefault(peer, {})
        for x in lines:
            if "op" in x:
                at = mine.setdefault((x["op"], x["window"]), {})
                for name, value in x.items():
                    if name not in ("op", "window"):
                        at.setdefault(name, []).append(value)
            elif "memory" in x:
                mine.setdefault(("memory", x["memory"]), {}).setdefault("kb", []).append(x["kb_a_node"])
            elif "ceiling" in x:
                self.ceiling.setdefault(x["ceiling"], []).append(x["us"])
            elif "setup" in x:
                self.setup.setdefault(peer, []).append(x)

    def get(self, peer, at, name):
        return median(self.figures.get(peer, {}).get(at, {}).get(name, []))

    def us(self, name):
        return median(self.ceiling.get(name, []))


def table(r, op, window):
    print(f"\n{op}, {window} in flight")
    print(f"  {'':17} {'a second':>9} {'median ms':>10} {'p99 ms':>8} {'CPU µs':>8} {'a CPU s':>8} {'datagrams':>10} "
          f"{'bytes':>8} {'ok %':>7}")
    for peer in r.figures:
        if (op, window) not in r.figures[peer]:
            continue
        def f(name):
            return r.get(peer, (op, window), name)
        ok = 100 * sum(r.figures[peer][op, window]["ok"]) / sum(r.figures[peer][op, window]["n"])
        print(f"  {peer:17} {f('a_second'):9.0f} {f('median_ms'):10.2f} {f('p99_ms'):8.1f} {f('cpu_us'):8.0f} "
              f"{1e6 / f('cpu_us'):8.0f} {f('datagrams'):10.1f} {f('bytes'):8.0f} {ok:7.2f}")


def memory(r, a):
    """At rest; with as many values as the first two phases put; with all."""
    held = [8 * n / a.nodes for n in (0, a.warm + a.few, a.warm + a.few + a.puts)]
    print("\nmemory a node, KB (anonymous pages)" + " " * 22 + "".join(f"{h:8.0f} values" for h in held))
    for peer in r.figures:
        kb = [r.get(peer, ("memory", when), "kb") for when in ("rest", "loaded", "full")]
        print(f"  {peer:53}  " + "".join(f"{x:15.0f}" for x in kb) +
              f"   {(kb[2] - kb[0]) / held[2]:.2f} KB each")


def by_size(r, what, size):
    """The cost of a datagram of that plaintext: linear between the two that were measured."""
    small, large = r.us(what + " 100 B"), r.us(what + " 900 B")
    return small + (large - small) * (size - 100) / 800


def ceiling(r, peer, op, window, signatures):
    n, each = r.get(peer, (op, window), "datagrams"), 0
    cpu = r.get(peer, (op, window), "cpu_us")
    size = r.get(peer, (op, window), "bytes") / n - 28 - 77  # IP and UDP; the outer layer
    calls = by_size(r, "send", size) + by_size(r, "receive", size)
    parts = [(f"signatures ({signatures[0]})", signatures[1]),
             (f"sealing and opening {n:.1f} datagrams of {size:.0f} bytes", n * (by_size(r, "seal", size) + by_size(r, "open", size))),
             ("sending and receiving them", n * calls)]
    print(f"\nceiling of {peer}, {op}, {window} in flight: CPU of one {op}")
    for name, us in parts:
        each += us
        print(f"  {name:58} {us:7.0f} µs   so far at most {1e6 / each:6.0f} a CPU second")
    print(f"  {'measured':58} {cpu:7.0f} µs   {1e6 / cpu:21.0f} a CPU second: {100 * each / cpu:.0f}% of the ceiling;"
          f"\n  {'':58} {cpu - each:7.0f} µs   are engine, loops and waking threads up"
          f" (if each datagram woke one: {n * (r.us('send, wake, receive 900 B') - calls):.0f})")


def ceilings(r):
    print("\nthis machine, CPU µs of one core")
    for name in r.ceiling:
        print(f"  {name:26} {r.us(name):7.2f}")
    verify, sign = r.us("verify"), r.us("sign")
    for peer in ("souk", "souk, 64 threads"):
        for window in (1, 32) if peer in r.figures else ():
            ceiling(r, peer, "put", window, ("1 made, 8 verified", sign + 8 * verify))
            ceiling(r, peer, "get", window, ("1 verified", verify))


RATIOS = [("souk", "libtorrent"), ("souk, 64 threads", "libtorrent"), ("souk", "libtorrent, loops"),
          ("souk", "OpenDHT, signed"), ("souk", "OpenDHT, plain")]
WANTED = {"puts a second, 32 in flight": 1.5, "gets a second, 32 in flight": 1.0, "memory, at rest": 0.25,
          "memory, loaded by the first puts": 0.25}


def ratios(r):
    """souk / peer; True when nothing that gates is missed."""
    fine = True
    pairs = [(us, peer) for us, peer in RATIOS if us in r.figures and peer in r.figures]
    rows = [(f"{op}s a second, {w} in flight", (op, w), "a_second") for op in ("put", "get") for w in (1, 32)]
    rows += [(f"{op}s a CPU second, {w} in flight", (op, w), "cpu_us") for op in ("put", "get") for w in (1, 32)]
    rows += [("memory, at rest", ("memory", "rest"), "kb"), ("memory, loaded by the first puts", ("memory", "loaded"), "kb"),
             ("memory, with all values", ("memory", "full"), "kb")]
    print("\nratios" + " " * 30 + "".join(f"{us + ' /':>19}" for us, _ in pairs))
    print(" " * 36 + "".join(f"{peer:>19}" for _, peer in pairs))
    for name, at, figure in rows:
        values = [r.get(us, at, figure) / r.get(peer, at, figure) for us, peer in pairs]
        if figure == "cpu_us":
            values = [1 / v for v in values]
        want, word = WANTED.get(name), ""
        if want and pairs and pairs[0] == RATIOS[0]:
            good = values[0] <= want if name.startswith("memory") else values[0] >= want
            word = f"   wanted, first column: {'at most' if name.startswith('memory') else 'at least'} {want}: {'met' if good else 'MISSED'}"
            fine = fine and good
        print(f"  {name:34}" + "".join(f"{v:19.2f}" for v in values) + word)
    return fine


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build/bench")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="", help="programs whose name begins so")
    for name, usual in (("nodes", 64), ("puts", 2000), ("few", 400), ("warm", 600)):
        p.add_argument("--" + name, type=int, default=usual)
    a = p.parse_args()
    bin_dir, alone, r = os.path.join(a.build, "tests"), isolated(), Results()
    peers = [(n, os.path.join(bin_dir, prog), more) for n, prog, more in PEERS if n.lower().startswith(a.only)]
    for name, path, _ in peers:
        if not os.path.exists(path):
            print(f"left out, its library is not installed: {name}")
    peers = [x for x in peers if os.path.exists(x[1])]
    args = ["--nodes", str(a.nodes), "--puts", str(a.puts), "--few", str(a.few), "--warm", str(a.warm)]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}; "
          f"{a.rounds} rounds in turn; {a.few} requests of one in flight and {a.puts} of 32 a round")
    print(DECLARED)
    if not alone:
        print("no network namespaces here: datagrams and bytes count those of everything on this machine")
    for _ in range(a.rounds):
        r.take("", run(os.path.join(bin_dir, "bench_dht_ceiling"), [], False))
        for name, path, more in peers:
            r.take(name, run(path, args + more, alone))
    r.figures.pop("")
    for peer, setups in r.setup.items():
        s = setups[0]
        known = ", ".join(f"{k} {v}" for k, v in s.items() if k not in ("setup", "table"))
        print(f"{peer}: {known}, {median([x['table'] for x in setups]):.1f} nodes in a table")
    for op in ("put among strangers", "put", "get", "get, careful"):
        for window in (1, 32):
            if any((op, window) in f for f in r.figures.values()):
                table(r, op, window)
    memory(r, a)
    if "souk" in r.figures:
        ceilings(r)
        sys.exit(0 if ratios(r) else 1)


main()
