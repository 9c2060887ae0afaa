#!/usr/bin/env python3
"""check.py: is the catalogue what its README says?  Prints every mistake; exit 1 when there is one."""
import collections
import csv
import json
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "catalogue")
TREE = os.path.join(HERE, "..", "..", "node", "market", "categories.tsv")
COLUMNS = ("type title description lang category condition price currency open_to_offers quantity country place"
           " delivery ship_price tags photo expires_days instant").split()
CONDITIONS = {"new", "like_new", "good", "fair", "for_parts"}
MODES = {"ship", "pickup", "meet", "online"}


def tree_read():
    with open(TREE, encoding="utf-8") as lines:
        next(lines)
        return {cells[0]: cells[1] for cells in (text.split("\t") for text in lines)}


def csv_read():
    with open(os.path.join(FOLDER, "catalogue.csv"), encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        assert reader.fieldnames == COLUMNS, reader.fieldnames
        for row in reader:
            assert None not in row and None not in row.values(), row
            for name in ("delivery", "tags", "photo"):
                row[name] = row[name].split("|") if row[name] else []
            yield row


def json_read():
    with open(os.path.join(FOLDER, "catalogue.json"), encoding="utf-8") as file:
        for thing in json.load(file):
            offer = thing["offers"]
            more = {p["name"]: p["value"] for p in offer["additionalProperty"]}
            kind = offer["businessFunction"].partition("#")[2]
            yield {
                "type": {"Sell": "goods", "ProvideService": "service", "LeaseOut": "rental"}[kind],
                "title": thing["name"], "description": thing["description"], "lang": thing["inLanguage"],
                "category": thing["category"], "condition": more.get("condition", ""), "price": offer["price"],
                "currency": offer["priceCurrency"], "open_to_offers": more["open_to_offers"],
                "quantity": str(offer["inventoryLevel"]["value"]),
                "country": offer["availableAtOrFrom"]["address"]["addressCountry"],
                "place": offer["availableAtOrFrom"]["identifier"], "delivery": offer["availableDeliveryMethod"],
                "ship_price": offer.get("shippingDetails", {}).get("shippingRate", {}).get("value", ""),
                "tags": thing["keywords"], "photo": thing["image"], "expires_days": more["expires_days"],
                "instant": more["instant"],
            }


def picture_faults(path):
    with open(path, "rb") as file:
        data = file.read()
    at, kinds = 8, []
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        kinds.append(kind.decode())
        at += 12 + size
    if kinds != ["IHDR", "PLTE", "IDAT", "IEND"]:
        yield f"chunks {kinds}"
    if struct.unpack(">II", data[16:24]) != (480, 360):
        yield "size"


def faults(row, tree):
    checks = {
        "type": tree.get(row["category"]) == row["type"],
        "title": 1 <= len(row["title"].encode()) <= 140 and "\n" not in row["title"],
        "description": 15 <= len(row["description"].split()) <= 90,
        "lang": row["lang"] in ("fr", "en"),
        "condition": (row["condition"] in CONDITIONS) == (row["type"] == "goods"),
        "price": re.fullmatch(r"\d+" if row["currency"] == "credit" else r"\d+\.\d\d", row["price"]),
        "currency": row["currency"] in ("EUR", "credit"),
        "open_to_offers": row["open_to_offers"] in ("yes", "no"),
        "quantity": 1 <= int(row["quantity"]) <= 100000,
        "country": row["country"] in ("FR", "BE", "CH", "GB", "IE"),
        "place": re.fullmatch("[0-9b-hjkmnp-z]{1,5}", row["place"]),
        "delivery": row["delivery"] and set(row["delivery"]) <= MODES,
        "ship_price": bool(row["ship_price"]) <= ("ship" in row["delivery"]),
        "tags": len(row["tags"]) <= 12 and all(1 <= len(t.encode()) <= 40 for t in row["tags"]),
        "photo": 1 <= len(row["photo"]) <= 12,
        "expires_days": 1 <= int(row["expires_days"]) <= 90,
        "instant": row["instant"] in ("yes", "no"),
    }
    yield from (name for name, good in checks.items() if not good)
    for photo in row["photo"]:
        path = os.path.join(FOLDER, photo)
        if not os.path.isfile(path):
            yield f"{photo} is absent"
        else:
            yield from (f"{photo}: {fault}" for fault in picture_faults(path))


def main():
    tree, rows = tree_read(), list(csv_read()) + list(json_read())
    mistakes = [f"{row['title']}: {fault}" for row in rows for fault in faults(row, tree)]
    for name, count in collections.Counter(row["title"] for row in rows).items():
        if count > 1:
            mistakes.append(f"{name}: the title is used {count} times")
    if len(rows) < 330:
        mistakes.append(f"only {len(rows)} listings")
    used = {os.path.basename(p) for row in rows for p in row["photo"]}
    mistakes += [f"{name}: no listing shows it" for name in set(os.listdir(os.path.join(FOLDER, "photos"))) - used]
    mistakes += [f"{top}: no listing in it" for top in
                 {p.split("/")[0] for p in tree} - {row["category"].split("/")[0] for row in rows}]
    print("\n".join(mistakes) if mistakes else f"{len(rows)} listings are as described")
    return 1 if mistakes else 0


sys.exit(main())
