"""python3 tests/vectors/other FILE...: judges souk's vectors (spec/vectors/*.json, and the generated
build/*/gen/*.vectors.json) by an implementation that was written from the chapters of spec/ in Python's
standard library and shares nothing with the node.  Closes with "N passed, N failed".

    primitives.py   curves, ciphers, Noise             wire.py   canonical MessagePack, schemas
    net.py          the network; how checks are found  the rest: a chapter or two each
"""
import json
import os
import sys

sys.dont_write_bytecode = True
import dht
import ledger
import letters
import net as network
import reconcile
import records
import session
import trade
from wire import Family, Form, write

assert dht and ledger and letters and session and trade  # each registers its checks


def judge(net, v):
    run = network.CHECKS.get(v["what"])
    if not run:
        return "other: no check of that name"
    try:
        return run(net, v)
    except Form:
        return "form"
    except network.Refused as e:
        return str(e)
    except network.Other as e:
        return f"other: {e}"


def own_file(told):
    net = network.Net(told["network"])
    network.same(told["network"], id=net.id)
    for v in told["vectors"]:
        got = judge(net, v)
        yield f'{v["shows"]}: {got}', got == v["result"]


def generated(path, told):
    """Examples of every message of a family, made by the build."""
    family = Family.load(os.path.basename(path).split(".")[0])
    for v in told:
        for shows in ("smallest", "fullest"):
            data = bytes.fromhex(v[shows])
            yield f'{v["name"]}, {shows}', write(family.read(v["name"], data).raw) == data
        for bad in v.get("refused", []):
            try:
                family.read(v["name"], bytes.fromhex(bad["bytes"]))
                yield f'{v["name"]}, {bad["shows"]}: accepted', False
            except Form:
                yield "", True


def main():
    passed = failed = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            told = json.load(f)
        if isinstance(told, list):
            found = generated(path, told)
        elif "cases" in told:
            found = reconcile.transcripts(told)
        elif "vectors" in told:
            found = own_file(told)
        else:
            found = records.crypto_file(told, network.Net(told["network"]))
        tried = 0
        for shows, good in found:
            tried += 1
            passed, failed = passed + good, failed + (not good)
            if not good:
                print(f"failed: {path}: {shows}", file=sys.stderr)
        if not tried:
            failed += 1
            print(f"failed: {path}: there is nothing to try in it", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
