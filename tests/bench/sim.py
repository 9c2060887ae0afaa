#!/usr/bin/env python3
"""The DHT in simulation: hops against the number of nodes, success against churn and against liars.

  tests/run bench sim [--nodes 1000,3000,10000] [--replaced 0,0.1,0.2,0.3,0.4,0.5,0.6] [--hours 2]
                      [--churn_nodes 1000] [--attack_nodes 1000] [--seed 1]
                      [--from LOG] [--only hops|churn|attacks]

Runs build/bench/tests/sim_dht, keeps its `plot` lines in tests/bench/sim.txt, and writes its section of
tests/bench/RESULTS.md, dht_hops.svg, dht_churn.svg and dht_hostile.svg from them.  --nodes 1000,10000,100000
takes a quarter of an hour more of one
core.  --from draws from the lines of earlier runs (files that hold their output) instead of running; --only
runs one part and keeps the lines of the others in sim.txt.

Fails when a scenario does, and when hops do not grow as log n: where three sizes or more were measured, the
mean hops of lookups and gets must lie within RESIDUAL_MOST of a straight line over log2 n, with a slope above
0, and the median of the largest size must not pass HOPS_MOST."""
import argparse
import math
import os
import subprocess
import sys

import sim_plot

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "../../build/bench/tests/sim_dht")
RESIDUAL_MOST, HOPS_MOST = 0.1, 4


def hops(scale, nodes):
    """Lines of the report on how hops grow with n, and whether they grow as they should."""
    out, good = [], True
    for kind in ("lookup", "get"):
        points = [(math.log2(n), scale[n, kind]["hops_mean"]) for n in nodes if (n, kind) in scale]
        if len(points) < 3:
            out.append(f"{kind}: too few sizes to fit a line.")
            continue
        slope, start, off = sim_plot.fit(points)
        last = scale[nodes[-1], kind]["hops"]
        ok = slope > 0 and off <= RESIDUAL_MOST and last <= HOPS_MOST
        good &= ok
        out.append(f"{kind}: mean hops = {start:.2f} + {slope:.3f} log2 n, largest residual {off:.3f} (at most "
                   f"{RESIDUAL_MOST}); median at {nodes[-1]:,} nodes {last:.0f} (at most {HOPS_MOST}): "
                   f"{'met' if ok else 'MISSED'}")
    return out, good


def attacks(rows):
    """The tables of attacks without and with the defences."""
    routes = [r for s, r in rows if s == "attack"]
    floods = [r for s, r in rows if s == "flood"]
    replays = [r for s, r in rows if s == "replay"]
    out = []

    def both(r, key, form="{:.2f}"):
        return f"{form.format(r['off_' + key])} → {form.format(r['on_' + key])}"

    def name(r):
        return r["name"].replace("_", " ")

    if routes:
        out += [f"Routing, {routes[0]['nodes']:,.0f} honest nodes; per cent, defences off → on:", ""]
        out += table(["attack", "careful gets found", "eclipsed", "plain gets found", "hostile table entries",
                      "careful get, ms", "put, ms"],
                     [[name(r), both(r, "found"), both(r, "eclipsed"), both(r, "plain"), both(r, "tables", "{:.1f}"),
                       both(r, "ms", "{:,.0f}"), both(r, "put_ms", "{:,.0f}")] for r in routes]) + [""]
    if floods:
        out += [f"Storage flooding, {floods[0]['nodes']:,.0f} honest nodes (`dht_attack_flood.h`); off → on:", ""]
        out += table(["flood", "old values got", "fresh ones", "fresh puts that succeed", "their ms", "old values lost",
                      "most bytes in a store", "datagrams for a displaced replica"],
                     [[name(r), both(r, "old"), both(r, "fresh"), both(r, "put"), both(r, "ms", "{:,.0f}"),
                       both(r, "lost"), both(r, "bytes", "{:,.0f}"),
                       " → ".join(f"{r[x + '_datagrams']:,.1f}" if r[x + "_datagrams"] else "none displaced"
                                  for x in ("off", "on"))] for r in floods]) + [""]
    if replays:
        out += [f"Datagrams replayed and forged, {replays[0]['nodes']:,.0f} nodes (`dht_attack_replay.h`; for replays "
                "off is: no attack); off → on:", ""]
        out += table(["attack", "careful gets found", "eclipsed", "his datagrams", "taken for answers",
                      "values they stored", "bytes to the victim for one of his", "curve operations a datagram"],
                     [[name(r), both(r, "found"), both(r, "eclipsed"), both(r, "datagrams", "{:,.0f}"),
                       both(r, "answers", "{:,.0f}"), both(r, "hosted", "{:.0f}"), both(r, "back", "{:.3f}"),
                       both(r, "curves", "{:.2f}")] for r in replays]) + [""]
        out += [f"Of the replays {r['on_over_n']:,.0f} brought the true owner of their address more than they had, "
                f"{r['on_over']:.1f} times as many bytes: short questions, to nodes that have his address proven."
                for r in replays if r["on_over_n"]] + [""]
    return out


def run(args, kept):
    command = [PROGRAM] + args
    print("  " + " ".join(["tests/run sim"] + args), flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=7200)
    print("".join(line + "\n" for line in done.stdout.splitlines() if line.startswith("  ")), end="", flush=True)
    kept += ["# tests/run sim " + " ".join(args)] + [x for x in done.stdout.splitlines() if x.startswith("plot ")]
    return done.returncode


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"] + \
           ["| " + " | ".join(row) + " |" for row in rows]


def report(kept):
    """The section of RESULTS.md and the plots, from the kept lines."""
    rows = sim_plot.lines("\n".join(kept))
    scale = {(int(r["nodes"]), r["kind"]): r for s, r in rows if s == "scale"}
    upkeep = {int(r["nodes"]): r for s, r in rows if s == "upkeep"}
    churn = sorted((r for s, r in rows if s == "churn"), key=lambda r: (r["nodes"], r["replaced"]))
    nodes = sorted({n for n, _ in scale})
    out = ["## The DHT in simulation", "",
           "Real engines in virtual time; the world is described in `tests/sim/dht_world.h`, the questions in "
           "`dht_scale.c` and `dht_churn.c`. Written by `tests/run bench sim`; the lines behind it, with the "
           "commands that printed them, are in `sim.txt`. Median / 99th percentile.", ""]
    if nodes:
        sim_plot.draw(os.path.join(HERE, "dht_hops.svg"), "Hops to the closest node, or to the first value",
                      "nodes (log)", "hops, mean and 99th percentile",
                      [(f"{k}, mean", [(n, scale[n, k]["hops_mean"]) for n in nodes if (n, k) in scale])
                       for k in ("lookup", "get")] +
                      [("lookup, 99 %", [(n, scale[n, "lookup"]["hops_p99"]) for n in nodes])],
                      log_x=True, y_from=0)
        grown, good = hops(scale, nodes)
        print("\n".join("  " + x for x in grown))
        out += ["### Hops against the number of nodes", "", "![hops](dht_hops.svg)", ""]
        out += ["- " + x for x in grown] + [""]
        out += table(["nodes", "what", "success", "hops", "mean", "messages", "bytes", "virtual ms"],
                     [[f"{n:,}", k, f"{100 * r['success']:.3f}% of {r['tried']:.0f}",
                       f"{r['hops']:.0f} / {r['hops_p99']:.0f}", f"{r['hops_mean']:.2f}",
                       f"{r['messages']:.0f} / {r['messages_p99']:.0f}",
                       f"{r['bytes']:,.0f} / {r['bytes_p99']:,.0f}", f"{r['ms']:,.0f} / {r['ms_p99']:,.0f}"]
                      for n in nodes for k in ("lookup", "put", "get") if (r := scale.get((n, k)))])
        out.append("")
    else:
        good = True
    said = [x[3:] for x in kept if x.startswith("#> ")]
    if said:
        out += ["As printed by the longest of these runs, without their `plot` lines:", "", "```"] + said + ["```", ""]
    if upkeep:
        out += table(["nodes", "upkeep of a quiet node, B/s", "memory a node, B", "peak RSS a node, B"],
                     [[f"{n:,}", f"{r['bytes_s']:.0f} / {r['bytes_s_p99']:.0f}", f"{r['memory']:,.0f}",
                       f"{r['rss']:,.0f}"] for n, r in sorted(upkeep.items())])
        out.append("")
    if churn:
        sizes = sorted({(int(r["nodes"]), r["hours"]) for r in churn})
        sim_plot.draw(os.path.join(HERE, "dht_churn.svg"), "Gets of live values that succeed",
                      "machines gone an hour later", "gets that succeed",
                      [(f"{n:,} nodes, {h:g} h, 5% loss", [(r["replaced"], r["success"]) for r in churn
                                                          if (int(r["nodes"]), r["hours"]) == (n, h)])
                       for n, h in sizes], percent_x=True, percent_y=True)
        out += ["### Success against churn", "", "![churn](dht_churn.svg)", ""]
        out += table(["nodes", "hours", "gone an hour later", "loss", "gets that succeed", "messages", "virtual ms",
                      "upkeep, B/s"],
                     [[f"{r['nodes']:,.0f}", f"{r['hours']:g}", f"{100 * r['replaced']:.0f}%",
                       f"{100 * r['loss']:.0f}%", f"{100 * r['success']:.3f}% of {r['tried']:.0f}",
                       f"{r['messages']:.0f} / {r['messages_p99']:.0f}", f"{r['ms']:,.0f} / {r['ms_p99']:,.0f}",
                       f"{r['upkeep']:.0f}"] for r in churn])
        out.append("")
    hostile = sorted((r for s, r in rows if s == "hostile"), key=lambda r: r["share"])
    if hostile:
        sim_plot.draw(os.path.join(HERE, "dht_hostile.svg"), "Careful gets that succeed while liars poison routing",
                      "nodes that are hostile", "gets that succeed",
                      [("defences on", [(r["share"], r["on"]) for r in hostile]),
                       ("defences off", [(r["share"], r["off"]) for r in hostile])], percent_x=True, percent_y=True)
        out += ["### Success against hostile share", "", "![hostile](dht_hostile.svg)", "",
                "What the liars do, and every other attack: the table of threats in `spec/dht.md`.", ""]
        out += table(["nodes", "hostile", "defences off", "on", "plain gets, on", "messages", "virtual ms"],
                     [[f"{r['nodes']:,.0f}", f"{100 * r['share']:.0f}%", f"{100 * r['off']:.2f}%",
                       f"{100 * r['on']:.2f}%", f"{100 * r['plain']:.2f}%", f"{r['messages']:.0f}",
                       f"{r['ms']:,.0f}"] for r in hostile])
        out.append("")
    found = attacks(rows)
    if found:
        out += ["### Attacks, without and with the defences", ""] + found
    sim_plot.section(os.path.join(HERE, "RESULTS.md"), "sim", "\n".join(out))
    return good


PARTS = {"hops": ("dht",), "churn": ("dht_churn",), "attacks": ("dht_attack_full",)}


def others(part):
    """The kept lines of sim.txt that belong to other parts."""
    with open(os.path.join(HERE, "sim.txt"), encoding="utf-8") as f:
        kept, mine = [], False
        for line in f.read().splitlines():
            if line.startswith("# "):
                mine = line.split()[3] in PARTS[part]
            if not mine and not (part == "hops" and line.startswith("#> ")):
                kept.append(line)
    return kept


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--nodes", default="1000,3000,10000")
    p.add_argument("--replaced", default="0,0.1,0.2,0.3,0.4,0.5,0.6")
    p.add_argument("--hours", default="2")
    p.add_argument("--churn_nodes", default="1000")
    p.add_argument("--attack_nodes", default="1000")
    p.add_argument("--seed", default="1")
    p.add_argument("--only", choices=PARTS)
    p.add_argument("--from", dest="logs", nargs="+")
    a = p.parse_args()
    kept, bad = others(a.only) if a.only else [], 0
    if a.logs:
        for log in a.logs:
            with open(log, encoding="utf-8") as f:
                kept += [x for x in f.read().splitlines() if x.startswith(("plot ", "# ", "#> "))]
    else:
        for n in filter(None, a.nodes.split(",") if a.only in (None, "hops") else []):
            bad |= run(["dht", "--nodes", n, "--seed", a.seed], kept)
        for c in filter(None, a.replaced.split(",") if a.only in (None, "churn") else []):
            bad |= run(["dht_churn", "--nodes", a.churn_nodes, "--hours", a.hours, "--replaced", c, "--seed", a.seed],
                       kept)
        if a.only in (None, "attacks"):
            bad |= run(["dht_attack_full", "--nodes", a.attack_nodes, "--seed", a.seed], kept)
    if not any(x.startswith("plot ") for x in kept):
        print("nothing was measured")
        return 1
    with open(os.path.join(HERE, "sim.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(kept) + "\n")
    return 0 if report(kept) and not bad else 1


sys.exit(main())
