#!/usr/bin/env python3
"""disk.py BUILD: a full disk.  Reads go on, writes are refused with the reason, nothing stored is harmed, and what
was missed meanwhile is made up for when there is space again.

Full is made in three ways: a limit on the size of files, set under a running node (the kernel refuses its writes as
a full disk would, some of them half way); a store whose map is small; and, where this machine lets us mount, a small
file system of the node's own.
Closes with "N passed, N failed"."""
import pathlib
import resource
import subprocess
import sys

from people import SOON_S, WORDS, Person, becomes, people, refusal
from souk import Checks, Refused, run_to_end

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
PHOTOS = pathlib.Path(__file__).resolve().parent.parent / "data" / "catalogue" / "photos"
c = Checks()


def data(who):
    return who.node.home / "store" / "data.mdb"


def limit(who, at):
    """From now on no file of this node can be written beyond `at`."""
    resource.prlimit(who.node.process.pid, resource.RLIMIT_FSIZE, (at, resource.RLIM_INFINITY))


NOTHING = 8192  # the store's two first pages: no page of data can be written
ANYTHING = resource.RLIM_INFINITY


def listing(title, words=3000):
    return {"type": 0, "title": title, "description": "x" * words, "language": "en", "category": "bikes/kids",
            "price": [4500, b"EUR"], "condition": 2, "region": "FR", "delivery": [{"mode": 2}], "rails": [1]}


def offer(who, title, words=3000):
    return who.call("listing.publish", listing(title, words), **{"as": who.id})["id"]


def fill(who, words=3000):
    """Listings until no more fit; how many did."""
    for i in range(5000):
        try:
            offer(who, f"filler {i}", words)
        except Refused as e:
            c.that(e.code == "disk_full", "it is the disk that is full", f"{e.code}: {e.message}")
            return i
    return c.that(False, "it gets full")


def mine(who):
    rows, cursor = [], None
    while True:
        page = who.call("listing.mine", {"as": who.id}, limit=200, **({"cursor": cursor} if cursor else {}))
        rows += page["listings"]
        cursor = page.get("cursor")
        if not cursor:
            return rows


def counters(who):
    return {k["name"]: k for k in who.call("node.status")["counters"]}


def titles(who):
    return {r["title"] for r in who.call("search.run", limit=100)["listings"]}


def letters(who):
    return {m["text"] for m in who.messages()}


def is_full(what, call):
    code, words = refusal(call)
    c.that(code == "disk_full" and "full" in words and "space" in words, f"{what} is refused: the disk is full", f"{code}: {words}")


def sound(who, what, flags=()):
    status, said = run_to_end([*who.node.command(), *flags, "--check"], 60)
    c.that(status == 0 and "well" in said, what, said)


def picture():
    return next(PHOTOS.glob("*.png")).read_bytes()


def refuses_to_write(who, other):
    is_full("a listing", lambda: offer(who, "too much", 5900))
    is_full("a new identity", lambda: who.call("id.new", name="second", passphrase=WORDS))
    is_full("a profile", lambda: who.call("profile.publish", {"as": who.id}, name="Ann", about="y" * 1900))
    is_full("a message", lambda: who.call("message.send", {"as": who.id}, to=other, text="z" * 7000))
    is_full("a picture", lambda: who.call("photo.add", bytes=picture()))
    is_full("an issuer", lambda: who.call("credit.issuer", {"as": who.id}, name="Beans", code="BEAN", decimals=0, about="b" * 1900))
    is_full("a trade", lambda: [who.call("trade.offer", {"as": who.id}, listing=r["id"], note="n" * 1900)
                                for r in who.call("search.run", limit=100)["listings"] if r["seller"] == other])
    status, _, words = who.souk("message", "send", other.hex(), "w" * 7000)
    c.that(status == 1 and "full" in words and "space" in words, "the command says the same and exits 1", f"{status}: {words}")


def under_a_running_node():
    ann, ben = people(c, BUILD, "ann", "ben")
    kept = offer(ann, "a table")
    chair = offer(ben, "a chair")
    c.that(becomes(lambda: titles(ann) == titles(ben) == {"a table", "a chair"}), "each finds the other's listing")
    ann.call("message.send", to=ben.id, text="before")
    c.that(becomes(lambda: "before" in letters(ben)), "and a message arrives")

    limit(ann, data(ann).stat().st_size)
    fill(ann)  # pages that were free
    limit(ann, NOTHING)  # some always are, so that small things may still fit: now none is
    before = titles(ann)
    refuses_to_write(ann, ben.id)
    c.that(titles(ann) == before and ann.call("listing.show", id=kept)["newest"], "what was stored is found and read as before")
    c.that(len(ann.call("id.list")["identities"]) == 1, "of what was refused nothing is there: no second identity")
    c.that(not ann.call("trade.list")["trades"] and letters(ann) == {"before"}, "no trade and no message")
    c.that(ann.sessions() == 1, "the session with the other node stands")
    offer(ben, "missed meanwhile", 5900)
    ben.call("message.send", to=ann.id, text="while you were full" + "!" * 6000)

    ann.kill()
    ann.node.around = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (NOTHING, resource.RLIM_INFINITY))}
    ann.restart()
    ann.node.around = {}
    c.that(titles(ann) >= before, "killed and started again on the full disk, it still reads")
    is_full("a listing", lambda: offer(ann, "refused"))

    limit(ann, ANYTHING)
    c.that(becomes(lambda: "missed meanwhile" in titles(ann), 3 * SOON_S), "with space again it gets what it missed", titles(ann))
    c.that(becomes(lambda: any(t.startswith("while you were full") for t in letters(ann)), 4 * SOON_S), "and its letters")
    offer(ann, "written again")
    c.that(becomes(lambda: "written again" in titles(ben)), "what it writes reaches the other node again", titles(ben))
    second = ann.call("id.new", name="second", passphrase=WORDS)["id"]
    ann.call("id.lock", {"as": second})
    ann.call("id.unlock", {"as": second}, passphrase=WORDS)
    ben.call("message.send", to=second, text="to the second")
    c.that(becomes(lambda: "to the second" in letters(ann), 2 * SOON_S), "an identity made then can be opened and written to")
    trade = ann.call("trade.offer", {"as": ann.id}, listing=chair)["trade"]
    c.that(becomes(lambda: trade in [t["trade"] for t in ben.call("trade.list")["trades"]]), "and an offer arrives")
    ann.stop()
    sound(ann, "its store is whole")


HEAD = "type,title,description,lang,category,condition,price,currency,country,delivery\n"


def half_an_import():
    """The disk fills while a file is published: it says how far it came, and the file can be imported again."""
    shop = Person(c, BUILD, "shop")
    limit(shop, data(shop).stat().st_size + (1 << 20))
    text = (HEAD + "".join(f"goods,Chair number {i},{'x' * 3000},en,bikes/kids,good,12.50,EUR,FR,meet\n" for i in range(200))).encode()
    code, words = refusal(lambda: shop.call("listing.import", format="csv", text=text))
    out = len(mine(shop))
    c.that(code == "disk_full" and words.startswith(f"{out} of 200 ") and 0 < out < 200,
           "an import on a disk that fills tells how many are out, and why not more", f"{code}: {words}; {out}")
    limit(shop, ANYTHING)
    told = shop.call("listing.import", format="csv", text=text)
    rows = mine(shop)
    c.that(told["published"] == 200 == len(rows) == len({r["title"] for r in rows}), "imported again all are out, and none twice",
           (told, len(rows)))
    shop.kill()
    shop.restart()
    c.that(len(mine(shop)) == 200, "what an import said is published is there after kill -9", len(mine(shop)))
    shop.stop()
    sound(shop, "and the store is whole")


def small_map():
    tiny = Person(c, BUILD, "tiny", flags=("--map-mib", "4"))
    n = fill(tiny, 5900)
    c.that(n > 20 and len(mine(tiny)) == n, "a store of 4 MiB holds what was acknowledged, and no more", n)
    is_full("a picture", lambda: tiny.call("photo.add", bytes=picture()))
    tiny.stop()
    sound(tiny, "its store is whole")
    tiny.node.flags += ["--map-mib", "64"]
    tiny.restart()
    c.that(len(mine(tiny)) == n and offer(tiny, "more"), "with a larger map it goes on", n)
    tiny.stop()


def others_give_way():
    """A store with a bound takes in what is others' up to it, and what is its owner's beyond it."""
    mib = 1 << 20
    shop = Person(c, BUILD, "shop-of-many")
    shelf = Person(c, BUILD, "shelf", peers=[shop.node.peer()], flags=("--storage-mib", "2"))
    text = (HEAD + "".join(f"goods,Table number {i},{'x' * 3000},en,bikes/kids,good,12.50,EUR,FR,meet\n" for i in range(1200))).encode()
    c.that(shop.call("listing.import", format="csv", text=text)["published"] == 1200, "a shop of 1,200 listings, some 5 MB")
    c.that(becomes(lambda: counters(shelf)["gossip.known"]["value"] > 1200, 2 * SOON_S), "a node of 2 MiB hears of all",
           counters(shelf)["gossip.known"])
    used = counters(shelf)["store.used_bytes"]
    c.that(used["most"] == 2 * mib and 1.5 * mib < used["value"] < 3.5 * mib, "and keeps what its owner allowed", used)
    c.that(counters(shop)["store.used_bytes"]["value"] > 4 * mib, "where the shop holds all")
    ids = counters(shelf)["store.known"]
    c.that(ids["most"] == 2048 and 1200 < ids["value"] <= 2048, "ids have a bound of their own, one a KiB", ids)
    c.that(offer(shelf, "mine") and "mine" in titles(shelf), "its owner's own is taken in all the same")
    shop.stop()
    shelf.stop()
    sound(shelf, "and its store is whole")


def small_file_system():
    """A tmpfs of 3 MiB in a mount namespace of its own: the disk itself is full."""
    can = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True)
    if can.returncode:
        print(f"left out: this machine does not let us mount ({can.stderr.decode().strip()})")
        return
    node = c.node(BUILD, "mounted", flags=["--log", "warn"])
    node.home.mkdir()
    home, soukd = node.home, node.command
    node.command = lambda: ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m none "$0" && exec "$@"', str(home), *soukd()]
    node.launch()
    inside = pathlib.Path(f"/proc/{node.process.pid}/root") / str(home)[1:]
    node.home = inside
    who = Person.__new__(Person)
    who.name, who.build, who.checks, who.node, who.client, who.words = "mounted", BUILD, c, node, None, WORDS
    c.that(becomes(who.answers), "a node lives on a small file system", node.words())
    who.connect()
    who.id = who.call("id.new", name="mounted", passphrase=WORDS)["id"]
    who.unlock()
    kept = offer(who, "kept")
    (inside / "ballast").write_bytes(b"b" * (1 << 20))
    fill(who, 5900)
    is_full("a listing", lambda: offer(who, "refused", 5900))
    c.that(who.call("listing.show", id=kept)["newest"], "on the full file system it reads on")
    (inside / "ballast").unlink()
    c.that(offer(who, "with space again"), "and writes as soon as there is space")
    who.stop()
    c.that(node.process.returncode == 0, "and ends cleanly", node.words())


c.run([under_a_running_node, half_an_import, small_map, others_give_way, small_file_system])
