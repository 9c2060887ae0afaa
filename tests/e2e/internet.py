"""internet.py: a small internet in this process, for tests that need hosts with addresses of their own.

A host is a network namespace without a name: it ends when nobody uses it any more, so nothing is left behind
however a test ends.  Its one link is a TUN device whose other end is here.  A thread routes IP packets between
the links, and on each link it can delay packets, lose some (by a seed), or translate addresses like the router
of a home (a NAT that lets in only who was spoken to).  Nothing of the machine's own network is touched, and the
kernel needs neither netfilter nor netem.

    net = Internet()                                # NotPermitted: who runs this may not make namespaces
    host = net.host("ann", ["198.18.1.1/24", "2001:db8:1::1/64"], delay_ms=10)
    subprocess.run(host.before + ["ip", "address"]) # a command in it; ends with this process
    net.socket(host, socket.SOCK_DGRAM)             # a socket of this process in it
"""
import ctypes
import fcntl
import heapq
import ipaddress
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
UDP, TCP = 17, 6
NAT_IDLE_S = 120.0
libc = ctypes.CDLL(None, use_errno=True)


class NotPermitted(Exception):
    """Why there can be no hosts here."""


def must(result, what):
    if result < 0:
        e = ctypes.get_errno()
        raise NotPermitted(f"{what}: {os.strerror(e)}")


class Host:
    """delay_ms and loss are of its link, each way, and may be changed at any time; so may `up`."""
    def __init__(self, name, addresses, delay_ms, loss, nat):
        self.name, self.delay_ms, self.loss, self.up = name, delay_ms, loss, True
        self.addresses = [ipaddress.ip_interface(a).ip.packed for a in addresses]
        self.nat = Nat(nat, self.addresses[0]) if nat else None
        self.packets, self.namespace, self.tun = 0, -1, -1

    @property
    def before(self):
        """What stands before a command that is to run in this host."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{os.getpid()}/fd/{self.namespace}"]


class Nat:
    """One IPv4 address for a host behind it: the same outer port whoever is spoken to, open to those alone."""
    def __init__(self, outside, inside):
        self.outside, self.inside = ipaddress.ip_address(outside).packed, inside
        self.outer, self.inner, self.spoken, self.next = {}, {}, {}, 40000

    def leaves(self, p):
        proto, port, far = p[9], struct.unpack_from(">H", p, ihl(p))[0], (bytes(p[16:20]), p[ihl(p) + 2:ihl(p) + 4])
        if (proto, port) not in self.outer:
            self.outer[proto, port], self.inner[proto, self.next] = self.next, port
            self.next += 1
        at = self.outer[proto, port]
        self.spoken[proto, at, far[0], bytes(far[1])] = time.monotonic()
        return rewrite(p, 12, self.outside, 0, at)

    def enters(self, p):
        far, port = (bytes(p[12:16]), bytes(p[ihl(p):ihl(p) + 2])), struct.unpack_from(">H", p, ihl(p) + 2)[0]
        when = self.spoken.get((p[9], port, *far))
        if when is None or time.monotonic() - when > NAT_IDLE_S:
            return None
        return rewrite(p, 16, self.inside, 2, self.inner[p[9], port])


def ihl(p):
    return (p[0] & 15) * 4


def ones(b):
    """The sum of the internet checksum."""
    b = bytes(b) + b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f">{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


def rewrite(p, at, address, port_at, port):
    """The packet with another address and port, and true checksums."""
    h = ihl(p)
    p[at:at + 4] = address
    struct.pack_into(">H", p, h + port_at, port)
    p[10:12] = b"\0\0"
    struct.pack_into(">H", p, 10, ~ones(p[:h]) & 0xffff)
    check = h + (6 if p[9] == UDP else 16)
    p[check:check + 2] = b"\0\0"
    pseudo = p[12:20] + struct.pack(">BBH", 0, p[9], len(p) - h)
    struct.pack_into(">H", p, check, (~ones(pseudo + p[h:]) & 0xffff) or 0xffff)
    return p


class Internet:
    def __init__(self, seed=1):
        self.hosts, self.by_address, self.by_tun = [], {}, {}
        self.random = random.Random(seed)
        self.tap = None  # called with each packet (bytes) that is on its way; for tests that watch the line
        if os.geteuid() != 0:
            self.as_root_of_nothing()
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        must(libc.unshare(CLONE_NEWNET), "a network namespace")
        must(libc.setns(self.home, CLONE_NEWNET), "back to the machine's own")
        threading.Thread(target=self.run, daemon=True).start()

    @staticmethod
    def as_root_of_nothing():
        """A user namespace, in which any user may make networks, where the machine allows that."""
        uid, gid = os.geteuid(), os.getegid()
        must(libc.unshare(0x10000000), "you are not root, and a user namespace")
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as f:
                f.write(text)
        must(libc.unshare(CLONE_NEWNET), "a network namespace of it")

    def host(self, name, addresses, delay_ms=10, loss=0.0, nat=None):
        """nat: the outer IPv4 address of a router between it and the world."""
        h = Host(name, addresses, delay_ms, loss, nat)
        must(libc.unshare(CLONE_NEWNET), "a network namespace")
        try:
            h.namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            h.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(h.tun, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI))
            for args in (["link", "set", "lo", "up"], ["link", "set", "wan", "up"],
                         *(["address", "add", a, "dev", "wan", *(["nodad"] if ":" in a else [])] for a in addresses),
                         *(["-6" if six else "-4", "route", "add", "default", "dev", "wan"]
                           for six in (False, True) if any((":" in a) == six for a in addresses))):
                done = subprocess.run(["ip", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                if done.returncode:
                    raise NotPermitted(f"ip {' '.join(args)}: {done.stdout.decode().strip()}")
        except OSError as e:
            raise NotPermitted(f"{e.filename or 'a TUN device'}: {e.strerror}") from e
        finally:
            must(libc.setns(self.home, CLONE_NEWNET), "back to the machine's own")
        self.hosts.append(h)
        for a in [h.nat.outside] if h.nat else h.addresses:
            self.by_address[a] = h
        self.by_tun[h.tun] = h
        return h

    def socket(self, host, kind, family=socket.AF_INET):
        """A socket of this process in that host."""
        must(libc.setns(host.namespace, CLONE_NEWNET), f"into {host.name}")
        try:
            return socket.socket(family, kind)
        finally:
            must(libc.setns(self.home, CLONE_NEWNET), "back to the machine's own")

    # ---- the thread ----
    def run(self):
        ready, n = [], 0
        while True:
            wait = max(0.0, ready[0][0] - time.monotonic()) if ready else 0.05
            for fd in select.select(list(self.by_tun), [], [], min(wait, 0.05))[0]:
                for _ in range(64):
                    try:
                        packet = bytearray(os.read(fd, 65536))
                    except BlockingIOError:
                        break
                    went = self.route(self.by_tun[fd], packet)
                    if went:
                        n += 1
                        heapq.heappush(ready, (went[0], n, went[1], went[2]))
            now = time.monotonic()
            while ready and ready[0][0] <= now:
                _, _, to, packet = heapq.heappop(ready)
                try:
                    os.write(to.tun, packet)
                    to.packets += 1
                except OSError:
                    pass  # its queue is full: lost, as packets are

    def route(self, by, p):
        """(when, to whom, the packet), or None: it goes nowhere."""
        four = p[0] >> 4 == 4
        if by.nat:
            if not four or p[9] not in (UDP, TCP):
                return None
            p = by.nat.leaves(p)
        to = self.by_address.get(bytes(p[16:20] if four else p[24:40]))
        if self.tap:
            self.tap(bytes(p))
        if not to or to is by or not by.up or not to.up:
            return None
        if self.random.random() < by.loss or self.random.random() < to.loss:
            return None
        if to.nat and (p[9] not in (UDP, TCP) or not (p := to.nat.enters(p))):
            return None
        return time.monotonic() + (by.delay_ms + to.delay_ms) / 1000, to, p
