#!/usr/bin/env python3
"""nodes.py BUILD: real soukd processes on loopback: starting, stopping, refusing, surviving."""
import os
import random
import signal
import socket
import sys

from souk import READY_S, SLOW, Checks, run_to_end, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()


def starts_and_stops():
    n = c.node(BUILD, "plain")
    n.start()  # the first start makes the store and the key
    c.that(n.stop() < READY_S * SLOW, "SIGTERM ends a node within a second")
    c.that(n.process.returncode == 0, "a node ended by SIGTERM exits 0", str(n.process.returncode))
    took = n.start()
    c.that(took < READY_S * SLOW, "a node is ready within a second", f"{took:.2f} s")
    c.that(os.stat(n.home / "node.key").st_mode & 0o077 == 0, "nobody else may read node.key")
    c.that(os.stat(n.home / "souk.sock").st_mode & 0o077 == 0, "nobody else may use souk.sock")
    n.stop(signal.SIGINT)
    c.that(n.process.returncode == 0, "a node ended by SIGINT exits 0")


def home_in_use():
    n = c.node(BUILD, "home")
    n.start()
    other = c.node(BUILD, "home")  # another port, the same home
    status, said = run_to_end(other.command())
    c.that(status == 1 and "use" in said and "home" in said, "a second node in one home is refused with words", said)
    c.that(n.alive(), "and the first one runs on")
    with n.client() as s:
        c.that(s.call("node.status")["network"] == "test-e2e", "and still answers")
    n.stop()


def port_in_use():
    n = c.node(BUILD, "port")
    n.start()
    status, said = run_to_end(c.node(BUILD, "port2", port=n.port).command())
    c.that(status == 1 and str(n.port) in said and "--listen" in said,
           "a port in use is refused with words that say what to do", said)
    n.stop()


def damaged_key():
    n = c.node(BUILD, "key")
    n.start()
    n.stop()
    key = n.home / "node.key"
    good = key.read_bytes()
    for bad, what in ((good[:31], "short"), (good + b"x", "long"), (b"", "empty")):
        key.write_bytes(bad)
        status, said = run_to_end(n.command())
        c.that(status == 1 and "node.key" in said and "damaged" in said, f"a {what} node.key is refused with words", said)
        c.that(key.read_bytes() == bad, "and left as it was")
    key.write_bytes(good)
    n.start()
    n.stop()


def damaged_store():
    n = c.node(BUILD, "store")
    n.start()
    with n.client() as s:
        s.call("id.new", name="somebody", passphrase="open sesame")
    n.stop()
    data = n.home / "store" / "data.mdb"
    good = data.read_bytes()
    for bad, what in ((good[:5000], "cut to a page"), (good[:len(good) // 2], "cut in half"), (os.urandom(8192) + good[8192:], "with a spoilt beginning")):
        data.write_bytes(bad)
        status, said = run_to_end(n.command())
        c.that(status == 1 and "store" in said and "backup" in said and "Sanitizer" not in said, f"a store {what} is refused with words", f"{status}: {said[-600:]}")
        c.that(data.read_bytes() == bad, "and left as it was")
    data.write_bytes(good)
    n.start()
    with n.client() as s:
        c.that([i["name"] for i in s.call("id.list")["identities"]] == ["somebody"], "the good one put back, all is there")
    n.stop()


def wrong_passphrase():
    """At the start: the node comes up, the identity stays locked, and the log says why."""
    n = c.node(BUILD, "passphrase")
    n.start()
    with n.client() as s:
        s.call("id.new", name="somebody", passphrase="open sesame")
    n.stop()
    file = c.base / "passphrase-file"
    for words, opens in (("open barley", False), ("open sesame", True)):
        file.write_text(words + "\n")
        n.flags = ["--passphrase-file", str(file)]
        n.start()
        with n.client() as s:
            c.that(s.call("id.list")["identities"][0]["unlocked"] == opens, f"a passphrase file {'opens' if opens else 'that is wrong does not open'} an identity")
        c.that(("stays locked" in n.words() and "passphrase is wrong" in n.words()) != opens, "and the log tells what did not open", n.words())
        n.stop()
    n.flags = ["--passphrase-file", str(c.base / "nothing")]
    status, said = run_to_end(n.command())
    c.that(status == 1 and "nothing" in said, "a passphrase file that is not there is refused with words", said)


def wrong_usage():
    for flags, word in ((["--colour", "red"], "colour"), (["--home"], "value"), (["nonsense"], "nonsense")):
        status, said = run_to_end([f"{BUILD}/soukd", *flags])
        c.that(status == 2 and word in said, f"soukd {' '.join(flags)} exits 2 and says why", f"{status}: {said}")
    for flags, word in ((["--listen", "here"], "listen"), (["--peer", "abc"], "NODEKEY@"), (["--work-bits", "31"], "30"),
                        (["--loopback", "maybe"], "yes"), (["--log", "loud"], "debug")):
        status, said = run_to_end([f"{BUILD}/soukd", "--home", str(c.base / "usage"), *flags])
        c.that(status != 0 and word in said, f"soukd {' '.join(flags)} is refused with words", f"{status}: {said}")
    status, said = run_to_end([f"{BUILD}/soukd", "--help"])
    c.that(status == 0 and "--listen" in said, "soukd --help lists the settings")
    status, said = run_to_end([f"{BUILD}/soukd", "--version"])
    c.that(status == 0 and said.startswith("soukd "), "soukd --version says which")


def settings_file():
    n = c.node(BUILD, "conf")
    n.home.mkdir()
    (n.home / "souk.conf").write_text("# a comment\nlog = warn\nlisten = nowhere\n")
    status, said = run_to_end(n.command())
    c.that(status != 0 and "souk.conf:3" in said, "a mistake in souk.conf is named with its line", said)


def garbage():
    n = c.node(BUILD, "garbage")
    n.start()
    r = random.Random(1)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(300):
        udp.sendto(r.randbytes(r.choice((0, 1, 40, 100, 1200, 2000))), ("127.0.0.1", n.port))
    udp.close()
    for i in range(30):
        with socket.create_connection(("127.0.0.1", n.port)) as t:
            t.sendall(r.choice((b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff", b"\x00\x00" * 50, r.randbytes(70000))))
    unix = str(n.home / "souk.sock")
    for junk in (b"", b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\xdd\x0f\xff\xff\xff", b"\x94\x00\x01", b"\x94\x05\x01\xa1x\x80",
                 r.randbytes(5000), b"\x94\x00\x01\xa1x\x90" * 10, b"\x91" * 100000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(unix)
            try:
                s.sendall(junk)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it closed on us, as it may
    with n.client() as s:
        c.that(s.call("node.status")["uptime_ms"] >= 0, "garbage on UDP, TCP and the socket does not stop a node", n.words())
    c.that(n.alive(), "and the process is the same")
    n.stop()
    c.that(n.process.returncode == 0, "and it ends cleanly", n.words())


def socket_refuses():
    n = c.node(BUILD, "api", flags=("--read-only-socket", "yes"))
    n.start()
    with n.client() as s:
        c.refuses("method", "an unknown method is refused", lambda: s.call("nothing.here"))
        c.refuses("params", "an unknown parameter is refused", lambda: s.call("node.status", colour="red"))
        c.refuses("params", "a wrong type is refused", lambda: s.call("id.new", name=5, passphrase="x"))
        c.refuses("params", "a missing parameter is refused", lambda: s.call("id.new", passphrase="x"))
        methods = s.call("api.describe")["methods"]
        c.that(len(methods) > 10 and {"node.status", "id.new"} <= {m["name"] for m in methods}, "api.describe lists the methods")
        ids = [s.send("node.status") for _ in range(200)]
        c.that(all(s.answer(i)["version"] for i in ids), "200 pipelined requests are answered in order")
    n.stop()


def identities_survive_kill():
    n = c.node(BUILD, "kill")
    n.start()
    made = {}
    for i in range(4):
        with n.client() as s:
            made[s.call("id.new", name=f"person {i}", passphrase="open sesame")["id"]] = f"person {i}"
        n.stop(signal.SIGKILL)
        took = n.start()
        c.that(took < READY_S * SLOW * 2, "a killed node is up again at once", f"{took:.2f} s")
        with n.client() as s:
            here = {x["id"]: x["name"] for x in s.call("id.list")["identities"]}
        c.that(here == made, f"every identity acknowledged before kill {i + 1} is there", f"{len(here)} of {len(made)}")
    with n.client() as s:
        some = next(iter(made))
        c.refuses("passphrase", "a wrong passphrase does not open an identity",
                  lambda: s.call("id.unlock", {"as": some, "passphrase": "wrong"}))
        s.call("id.unlock", {"as": some, "passphrase": "open sesame"})
        c.that([x for x in s.call("id.list")["identities"] if x["id"] == some][0]["unlocked"], "the right one does")
    n.stop()
    status, said = run_to_end(n.command() + ["--check"], 60)
    c.that(status == 0 and "well" in said, "soukd --check finds the store whole", said)


def closed_and_not_reading():
    """A client that the node has closed and that never takes its last bytes does not keep its place."""
    n = c.node(BUILD, "linger")
    n.start()

    def handles():
        return len(os.listdir(f"/proc/{n.process.pid}/fd"))
    before = handles()
    held = []
    for _ in range(5):
        s = n.client()
        for _ in range(12):
            s.send("api.describe")
        s.s.sendall(b"\xc1")  # no value begins so: words, and the end
        held.append(s)
    c.that(wait_for(lambda: handles() > before, 5) is not None, "clients have come")
    c.that(wait_for(lambda: handles() <= before, 12 * SLOW) is not None, "and are cut off, though they hold on",
           f"{before} before, {handles()} now")
    n.stop()
    c.that(n.process.returncode == 0, "and the node ends cleanly", n.words())


def peers_meet():
    a = c.node(BUILD, "a")
    a.start()
    b = c.node(BUILD, "b", peers=[a.peer()])
    b.start()

    def sessions(n):
        with n.client() as s:
            return s.call("node.status")["sessions"]
    took = wait_for(lambda: sessions(a) == 1 and sessions(b) == 1, 10 * SLOW)
    c.that(took is not None, "two nodes have a session", a.words() + b.words())
    a.stop(signal.SIGKILL)
    c.that(wait_for(lambda: sessions(b) == 0, 10 * SLOW) is not None, "a killed peer is noticed")
    a.start()
    c.that(wait_for(lambda: sessions(b) == 1, 60 * SLOW) is not None, "and found again when it is back")
    stranger = c.node(BUILD, "stranger", network="test-other", peers=[a.peer()])
    stranger.start()
    c.that(wait_for(lambda: sessions(stranger) > 0, 2) is None, "a node of another network gets no session")
    for n in (a, b, stranger):
        n.stop()
        c.that(n.process.returncode == 0, f"{n.home.name} ends cleanly", n.words())


c.run([starts_and_stops, home_in_use, port_in_use, damaged_key, damaged_store, wrong_passphrase, wrong_usage, settings_file, garbage, socket_refuses,
       identities_survive_kill, closed_and_not_reading, peers_meet])
