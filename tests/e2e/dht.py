#!/usr/bin/env python3
"""dht.py BUILD: the DHT of real soukd processes on loopback: found by whom, seen by people, a good citizen."""
import socket
import sys

from souk import SLOW, Checks, Node, run_to_end, wait_for

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
c = Checks()


def counter(n, name):
    with n.client() as s:
        return {x["name"]: x["value"] for x in s.call("node.status")["counters"]}[name]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def both_families():
    """One node listens on both; one that has IPv4 alone and one that has IPv6 alone meet through it."""
    if not has_ipv6():
        print("skipped: this machine has no ::1")
        return
    both = c.node(BUILD, "both", listen=("127.0.0.1", "[::1]"))
    both.start()
    with both.client() as s:
        status = s.call("node.status")
    c.that(status["listen"] == [f"127.0.0.1:{both.port}", f"[::1]:{both.port}"], "it says where it listens", str(status))
    key = status["node"].hex()
    four = c.node(BUILD, "four", peers=[f"{key}@127.0.0.1:{both.port}"])
    six = c.node(BUILD, "six", peers=[f"{key}@[::1]:{both.port}"], listen=("[::1]",))
    four.start()
    six.start()
    for n, name in ((four, "IPv4"), (six, "IPv6")):
        c.that(wait_for(lambda: counter(n, "dht.nodes") >= 1, 10 * SLOW) is not None, f"a node of {name} alone joins", n.words())
    c.that(wait_for(lambda: counter(both, "dht.nodes") == 2, 20 * SLOW) is not None, "the one of both knows them both", both.words())
    for n in (both, four, six):
        n.stop()


def addresses_of_the_machine():
    """A node that names two addresses answers at each, from the one that was asked."""
    two = c.node(BUILD, "two", listen=("127.0.0.1", "127.0.0.2"))
    two.start()
    with two.client() as s:
        key = s.call("node.status")["node"].hex()
    far = c.node(BUILD, "far", peers=[f"{key}@127.0.0.2:{two.port}"])
    far.start()
    c.that(wait_for(lambda: counter(far, "dht.nodes") == 1, 10 * SLOW) is not None, "a node is reached by its second address",
           far.words())
    for n in (two, far):
        n.stop()
    status, said = run_to_end(c.node(BUILD, "absent", listen=("192.0.2.1",)).command())
    c.that(status == 1 and "192.0.2.1" in said and "no such address" in said, "an address of another machine is refused with words",
           said)


c.run([both_families, addresses_of_the_machine])
