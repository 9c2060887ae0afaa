#!/usr/bin/env python3
"""seeds.py BUILD OUT: inputs for the fuzzers to begin with, one folder a target, from what the project has anyway: the
generated vectors, calls of every method of the socket, the test files of listings and pictures, the messages of the
reconciliation's vectors; for the engine of the DHT, to which any bytes are steps, any bytes.  What fuzzing found beyond
them is kept in tests/fuzz/corpus/."""
import hashlib
import json
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST = 4096  # bytes: longer inputs slow the fuzzer more than they teach it


def seeds(build):
    """(target, bytes) of every seed."""
    for path in sorted((build / "gen").glob("*.vectors.json")):
        family = path.name.split(".")[0]
        for index, vector in enumerate(json.loads(path.read_text())):
            for size in ("smallest", "fullest"):
                yield "gen_" + family, bytes([index]) + bytes.fromhex(vector[size])
    params = {v["name"]: v for v in json.loads((build / "gen/api.vectors.json").read_text())}
    for method in re.findall(r"^method (\S+)", (ROOT / "spec/api.schema").read_text(), re.M):
        vector = params[method.replace(".", "_") + "_params"]
        head = b"\x94\x00\x01" + (bytes([0xA0 | len(method)]) if len(method) < 32 else bytes([0xD9, len(method)])) + method.encode()
        for size in ("smallest", "fullest"):
            for read_only in (0, 1):
                yield "api", bytes([254 | read_only]) + head + bytes.fromhex(vector[size])
    for path in sorted((ROOT / "tests/data/bad").iterdir()):
        if path.suffix in (".csv", ".json"):
            yield "import", (b"\x01" if path.suffix == ".csv" else b"\x00") + path.read_bytes()
    csv = (ROOT / "tests/data/catalogue/catalogue.csv").read_bytes().splitlines(keepends=True)
    yield "import", b"\x01" + b"".join(csv[:4])
    yield "import", b"\x00" + json.dumps(json.loads((ROOT / "tests/data/catalogue/catalogue.json").read_text())[:2]).encode()
    for folder in ("photos", "catalogue/photos"):
        for path in sorted((ROOT / "tests/data" / folder).iterdir())[:20]:
            if path.suffix in (".jpg", ".png"):
                yield "photo", path.read_bytes()
    for text in re.findall(r'"(61[0-9a-f]+)"', (ROOT / "tests/vectors/negentropy-v1.json").read_text()):
        yield "negentropy", bytes.fromhex(text)
    r = random.Random(1)
    for _ in range(40):
        yield "dht", r.randbytes(r.choice((300, 1000, 2500)))


def main():
    build, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    count = {}
    for target, data in seeds(build):
        if len(data) > MOST:
            continue
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        count[target] = count.get(target, 0) + 1
    for target in ("api", "import", "photo", "negentropy", "dht", "gen_fact"):
        if not count.get(target):
            sys.exit(f"no seeds for {target}")
    print("\n".join(f"{n:4} {target}" for target, n in sorted(count.items())))


if __name__ == "__main__":
    main()
