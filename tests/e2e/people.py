"""people.py: what the end-to-end tests about people share: owners with an identity, each at a node of their own.

 - Person: one identity on one Node: call() asks the node, unlock() opens the identity, restart() brings a
   killed node back with the identity open.
 - people: several of them, who all know the first one's address and have met.
"""
import signal
import subprocess

from souk import SLOW, Client, Refused, wait_for

WORDS = "open sesame"  # everybody's passphrase
SOON_S = 15 * SLOW  # what happens "at once" between nodes, on a busy machine under sanitizers
FAST = ("--reconcile-ms", "400", "--tick-ms", "150", "--log", "warn")


class Person:
    def __init__(self, checks, build, name, peers=(), flags=()):
        self.name, self.build, self.checks = name, build, checks
        self.node = checks.node(build, name, peers=peers, flags=(*FAST, *flags))
        # At warn a node does not say "ready": one that answers on its socket is.
        self.node.ready = self.answers
        self.client, self.words = None, WORDS
        self.start()
        self.id = self.call("id.new", name=name, passphrase=WORDS)["id"]
        self.unlock()

    def answers(self):
        try:
            with Client(self.node.home / "souk.sock", 2) as s:
                return s.call("node.status")["uptime_ms"] >= 0
        except (OSError, Refused):
            return False

    def start(self):
        self.node.start()
        self.connect()

    def connect(self):
        self.forget()
        self.client = Client(self.node.home / "souk.sock", 60 * SLOW)

    def forget(self):
        if self.client:
            self.client.close()
        self.client = None

    def call(self, method, params=None, **more):
        return self.client.call(method, params, **more)

    def send(self, method, params=None, **more):
        """Asks, and does not wait: the number of the request, for client.answer."""
        return self.client.send(method, {**(params or {}), **more})

    def answers_to(self, asked):
        """[(result, None) or (None, refusal)] of requests, which may be answered in any order."""
        got, left = {}, set(asked)
        while left:
            kind, number, error, result = self.client.receive()
            assert kind == 1 and number in left, f"not an answer to what was asked: {number}"
            got[number] = (None, Refused(error)) if error is not None else (result, None)
            left.remove(number)
        return [got[n] for n in asked]

    def unlock(self, for_ms=3600000):
        self.call("id.unlock", passphrase=WORDS, for_ms=for_ms)

    def kill(self):
        self.node.stop(signal.SIGKILL)
        self.forget()

    def stop(self):
        self.node.stop()
        self.forget()

    def restart(self, unlock=True):
        self.start()
        if unlock:
            self.unlock()

    def souk(self, *args, timeout_s=120):
        """(exit status, standard output, standard error) of the command line."""
        p = subprocess.run([f"{self.build}/souk", "--home", str(self.node.home), *args], capture_output=True, text=True,
                           timeout=timeout_s * SLOW, stdin=subprocess.DEVNULL, check=False)
        return p.returncode, p.stdout, p.stderr

    # ---- what is asked often ----
    def sessions(self):
        return self.call("node.status")["sessions"]

    def balance(self, issuer):
        rows = self.call("credit.balance", issuer=issuer.id)["balances"]
        return next((r["minor"] for r in rows if r["issuer"] == issuer.id), 0)

    def member(self, issuer):
        rows = self.call("credit.balance", issuer=issuer.id)["balances"]
        return next((r["member"] for r in rows if r["issuer"] == issuer.id), "")

    def pay(self, issuer, to, minor, note=""):
        return self.call("credit.pay", issuer=issuer.id, to=to.id, minor=minor, **({"note": note} if note else {}))

    def messages(self):
        return self.call("message.list", limit=200)["messages"]


def people(checks, build, *names, flags=()):
    """Each at a node of their own; all know the first one's address, and have met everybody."""
    found = [Person(checks, build, names[0], flags=flags)]
    peer = found[0].node.peer()
    found += [Person(checks, build, n, peers=[peer], flags=flags) for n in names[1:]]
    everybody_met(checks, found)
    return found


def everybody_met(checks, found):
    wait_for(lambda: all(p.sessions() for p in found), SOON_S)
    checks.that(all(p.sessions() for p in found), "the nodes have met")


def becomes(what, timeout_s=SOON_S):
    """True once what() is; False when it is not in time.  A refusal counts as: not yet."""
    def held():
        try:
            return what()
        except Refused:
            return False
    return wait_for(held, timeout_s) is not None


def refusal(call):
    """(code, message) of what was refused; (None, the answer) of what was not."""
    try:
        return None, call()
    except Refused as e:
        return e.code, e.message or ""
