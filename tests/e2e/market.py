#!/usr/bin/env python3
"""market.py BUILD: the catalogue between three real nodes: imported on one, found, read and looked at on another.

Closes with "N passed, N failed"."""
import csv
import json
import pathlib
import re
import sys

from people import SOON_S, becomes, people, refusal
from souk import Checks

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
CATALOGUE, BAD, PHOTOS = DATA / "catalogue", DATA / "bad", DATA / "photos"
GOODS, SERVICE, RENTAL = "goods", "service", "rental"
SHIP = "ship"
CHEAPEST, DEAREST = "price", "price_down"
SLICE = 7777  # bytes of a picture asked for at once: no divisor of anything
SECRETS = (b"SOUKSECRET", b"Exif", b"EXIF")
c = Checks()


def rows_of_csv():
    with open(CATALOGUE / "catalogue.csv", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


ROWS, ITEMS = rows_of_csv(), json.loads((CATALOGUE / "catalogue.json").read_text(encoding="utf-8"))
TITLES = {r["title"] for r in ROWS} | {i["name"] for i in ITEMS}


def found(who, words="", **filters):
    """Every listing that matches, page after page."""
    rows, cursor = [], None
    while True:
        page = who.call("search.run", limit=100, **({"words": words} if words else {}), **filters,
                        **({"cursor": cursor} if cursor else {}))
        rows += page["listings"]
        cursor = page.get("cursor")
        if not cursor or not page["listings"]:
            return rows


def titles(rows):
    return [r["title"] for r in rows]


def mine(who):
    rows, cursor = [], None
    while True:
        page = who.call("listing.mine", limit=200, **({"cursor": cursor} if cursor else {}))
        rows += page["listings"]
        cursor = page.get("cursor")
        if not cursor:
            return rows


# ---- importing ----
def importing(shop, reader, ibra):
    ibra.call("credit.issuer", name="Grains de sel", code="GRAIN", decimals=0, limit_minor=100)
    c.that(becomes(lambda: shop.call("credit.balance", issuer=ibra.id)["balances"][0]["code"] == "GRAIN"),
           "the shop knows the issuer")
    for name, n in (("catalogue.csv", len(ROWS)), ("catalogue.json", len(ITEMS))):
        status, out, said = shop.souk("--json", "listing", "import", str(CATALOGUE / name), "--issuer", ibra.id.hex(),
                                      "--arbiters", ibra.id.hex())
        if not c.that(status == 0, f"{name} is imported", said):
            continue
        told = json.loads(out)
        c.that(told["count"] == told["published"] == n and not told["faults"], f"all {n} listings of it", out[:300])
    c.that(len(TITLES) == 333, "the catalogue has 333 listings", len(TITLES))
    for who in (shop, ibra, reader):
        c.that(becomes(lambda who=who: set(titles(found(who))) == TITLES, 3 * SOON_S), f"all 333 are found at {who.name}'s node",
               sorted(TITLES - set(titles(found(who))))[:5])
    c.that(len(found(reader)) == len(TITLES), "each once", len(found(reader)))


# ---- finding ----
# words as a person types them, and a title that must be among what is found
WORDS = [
    ("vélo hollandais", "Vélo hollandais Gazelle, 7 vitesses"),
    ("velo hollandais", "Vélo hollandais Gazelle, 7 vitesses"),  # no accents on that keyboard
    ("VÉLOS ELECTRIQUES", "Vélo électrique Moustache Samedi 28, batterie neuve"),
    ("chaise", "Salon de jardin acacia, table et 4 chaises"),  # one of a title's many
    ("canapés", "Canapé convertible velours vert"),
    ("guitare débutant", "Cours de guitare pour grands débutants"),
    ("tronconneuses", "Tronçonneuse Stihl MS 170"),
    ("poussettes", "Poussette Yoyo avec habillage pluie"),
    ("seche linge", "Sèche-linge à condensation Beko"),
    ("bike", "Gravel bikes for the old railway path"),
    ("bikes", "Boardman road bike, 56 cm, Tiagra"),
    ("driving lesson", "Patient driving lessons, approved instructor"),
    ("wedding", "Trad trio for weddings and wakes"),
    ("keyboards stands", "Yamaha 61 key keyboard and stand"),
    ("WELLIES", "Green frog wellies size 9"),
]


def finding(shop, reader, ibra):
    for words, title in WORDS:
        got = titles(found(reader, words))
        c.that(title in got, f"\"{words}\" finds \"{title}\"", got[:6])
        c.that(len(got) < 60, f"\"{words}\" does not find everything", len(got))
    got = titles(found(reader, "vélo hollandais"))
    c.that(got and got[0] == "Vélo hollandais Gazelle, 7 vitesses", "what fits best is first", got[:3])
    c.that(found(reader, "xyzzyplugh") == [], "what nobody sells is not found")
    filters(shop, reader, ibra)


def filters(shop, reader, ibra):
    def same(what, rows, wanted):
        c.that(set(titles(rows)) == set(wanted) and wanted, what, sorted(set(titles(rows)) ^ set(wanted))[:5])
    same("a category holds what is below it", found(reader, category="bikes"),
         [r["title"] for r in ROWS if r["category"].startswith("bikes/")] +
         [i["name"] for i in ITEMS if i["category"].startswith("bikes/")])
    same("a region", [r for r in found(reader, category="bikes", region="IE") if r["title"] in {x["title"] for x in ROWS}],
         [r["title"] for r in ROWS if r["category"].startswith("bikes/") and r["country"] == "IE"])
    euros = [r for r in ROWS if r["currency"] == "EUR"]
    cheap = [r["title"] for r in euros if float(r["price"]) <= 20]
    rows = found(reader, type=GOODS, currency=b"EUR", max=2000, sort=CHEAPEST)
    same("goods up to 20 euros", [r for r in rows if r["title"] in {x["title"] for x in euros}], cheap)
    prices = [r["price"][0] for r in rows]
    c.that(prices == sorted(prices), "cheapest first", prices[:5])
    prices = [r["price"][0] for r in found(reader, currency=b"EUR", min=50000, sort=DEAREST)]
    c.that(prices == sorted(prices, reverse=True) and min(prices) >= 50000, "from 500 euros, dearest first", prices[:5])
    rows = found(reader, currency=ibra.id)
    same("what is sold for credit", [r for r in rows if r["type"] == GOODS and r["title"] in {x["title"] for x in ROWS}],
         [r["title"] for r in ROWS if r["currency"] == "credit"])
    c.that(all(r["price_text"].endswith("GRAIN") for r in rows), "its prices are told in the issuer's own words",
           rows[0]["price_text"] if rows else "")
    for kind, word in ((SERVICE, "services"), (RENTAL, "rentals")):
        rows = found(reader, type=kind)
        c.that(rows and all(r["type"] == kind for r in rows), f"only {word}", len(rows))
    c.that(len(found(reader, seller=shop.id)) == len(TITLES) and found(reader, seller=reader.id) == [], "by seller")
    same("what is sent", [r for r in found(reader, type=GOODS, delivery=SHIP) if r["title"] in {x["title"] for x in ROWS}],
         [r["title"] for r in ROWS if "ship" in r["delivery"].split("|")])
    code, words = refusal(lambda: found(reader, max=2000))
    c.that(code == "params" and "currency" in words, "a price without a currency is refused with words", words)


# ---- reading and looking ----
def reading(shop, reader, ibra):
    wanted = next(r for r in ROWS if r["title"].startswith("Vélo hollandais Gazelle"))
    row = next(r for r in found(reader, "vélo hollandais") if r["title"] == wanted["title"])
    whole = reader.call("listing.show", id=row["id"])
    c.that(whole["description"] == wanted["description"], "the description is the seller's, to the letter", whole["description"])
    c.that(row["price"][0] == 18000 and row["seller"] == shop.id and row["region"] == "FR" and row["place"] == "u05kq",
           "price, seller and place", row)
    c.that(set(whole["tags"]) == set(wanted["tags"].split("|")), "the tags", whole["tags"])
    c.that(len(whole["delivery"]) == 2 and whole["newest"] and whole["listing"]["instant"], "delivery, and that it is instant")
    c.refuses("not_found", "a listing that is none is not found", lambda: reader.call("listing.show", id=b"\x07" * 32))
    photo = whole["photos"][0]
    original = (CATALOGUE / wanted["photo"].split("|")[0]).read_bytes()
    got = fetched(reader, photo["root"], row["id"])
    c.that(got == original and photo["bytes"] == len(original), "its picture arrives whole, in slices, as it was",
           (len(got), len(original)))
    status, _, said = reader.souk("photo", "get", photo["root"].hex(), str(c.base / "got.png"))
    c.that(status == 0 and (c.base / "got.png").read_bytes() == original, "the command line saves the same", said)


def fetched(who, root, listing=None):
    """A picture in slices.  What is not here yet is asked for again."""
    got, total = b"", 1
    where = {"listing": listing} if listing else {}
    while len(got) < total:
        answer = {}

        def slice_here():
            answer.update(who.call("photo.get", root=root, offset=len(got), limit=SLICE, **where))
            return True
        if not becomes(slice_here):
            break
        c.that(0 < len(answer["bytes"]) <= SLICE, "a slice is as long as was asked for, or shorter", len(answer["bytes"]))
        got, total = got + answer["bytes"], answer["total"]
    return got


def stripping(shop, reader, ibra):
    for file in sorted(PHOTOS.glob("*.[jp][pn]g")):
        before = file.read_bytes()
        added = reader.call("photo.add", bytes=before)
        after = fetched(reader, added["root"])
        c.that(not any(s in after for s in SECRETS), f"{file.name}: nothing hides in it")
        c.that(len(before) - len(after) == added["stripped"], f"{file.name}: it tells how much was cut off",
               (len(before), len(after), added["stripped"]))
        if file.name.startswith("plain"):
            c.that(after == before, f"{file.name}: a picture that hides nothing is left as it is", added["stripped"])
        else:
            c.that(added["stripped"] > 0 and any(s in before for s in SECRETS), f"{file.name}: something was cut off")
    code, words = refusal(lambda: reader.call("photo.add", bytes=b"GIF89a" + bytes(200)))
    c.that(code == "invalid" and words, "what is no picture is refused with words", f"{code}: {words}")


# ---- mistakes ----
def in_order(starts, told):
    """Each start begins an entry of `told`, in this order; there may be others between them."""
    left = iter(told)
    return all(any(t.startswith(s) for t in left) for s in starts)


def mistakes(shop, reader, ibra):
    before = len(mine(reader))
    for file in sorted(BAD.glob("*.csv")):
        wanted = file.with_suffix(".csv.expected").read_text(encoding="utf-8").splitlines()
        status, out, said = reader.souk("--json", "listing", "import", str(file), "--issuer", ibra.id.hex())
        c.that(status == 1 and said, f"{file.name}: refused with words and exit 1", f"{status}: {said}")
        try:
            faults = [f"line {f['line']}: {f['field']}: {f['text']}" for f in json.loads(out)["faults"]]
        except (ValueError, KeyError):
            faults = []
        c.that(in_order(wanted, faults), f"{file.name}: every mistake, in order, with its line and field", (faults, wanted, said[-300:]))
        c.that({f.split(":")[0] for f in faults} == {w.split(":")[0] for w in wanted}, f"{file.name}: and none in another line")
        _, out, _ = reader.souk("listing", "import", str(file), "--issuer", ibra.id.hex())
        lines = {re.match(r"line (\d+)", w)[1] for w in wanted}
        c.that(all(re.search(rf"\b{n}\b", out) for n in lines), f"{file.name}: a person reads the lines too", out[:300])
    c.that(len(mine(reader)) == before and len(found(ibra)) == len(TITLES), "and nothing of them was published")
    status, _, said = reader.souk("listing", "import", str(c.base / "nothing.csv"))
    c.that(status == 1 and "nothing.csv" in said, "a file that is not there is named", said)


# ---- changing ----
def changing(shop, reader, ibra):
    title = "Tronçonneuse Stihl MS 170"
    row = next(r for r in mine(shop) if r["title"] == title)
    renewed = shop.call("listing.renew", id=row["id"], days=80)["id"]
    c.that(renewed != row["id"], "a renewed listing is a new revision")

    def there():
        return next((r for r in found(reader, "tronçonneuse") if r["title"] == title), None)
    c.that(becomes(lambda: there() and there()["id"] == renewed), "which the other node finds instead of the old one")
    c.that([r["title"] for r in found(reader, "tronçonneuse")].count(title) == 1, "once")
    c.that(there()["expires"] > row["expires"], "and which runs longer", (row["expires"], there()["expires"]))
    fresh = reader.call("listing.show", id=renewed)
    c.that(fresh["newest"] and fresh["listing"]["price"] == row["price"] and fresh["photos"], "all else is as it was")
    code, words = refusal(lambda: reader.call("listing.withdraw", id=renewed))
    c.that(code in ("not_found", "not_allowed") and words, "nobody withdraws what is another's", f"{code}: {words}")
    c.that(there() is not None, "and it is still there")
    shop.call("listing.withdraw", id=renewed, reason="sold at the gate")
    c.that(becomes(lambda: there() is None), "withdrawn, it is found no more on the other node")
    c.that(becomes(lambda: title not in titles(found(ibra))), "nor on the third")
    c.that(title not in titles(found(shop)), "nor at home")
    shop.kill()
    shop.restart()
    c.that(title not in titles(found(shop)) and len(found(shop)) == len(TITLES) - 1, "and after kill -9 that is still so",
           len(found(shop)))


def market():
    ibra, shop, reader = people(c, BUILD, "ibra", "shop", "reader")
    for part in (importing, finding, reading, stripping, mistakes, changing):
        try:
            part(shop, reader, ibra)
        except Exception as e:  # the other parts still tell something
            c.that(False, part.__name__, f"{type(e).__name__}: {e}")


c.run([market])
