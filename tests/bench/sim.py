#!/usr/bin/env python3
"""The DHT in simulation: hops against the number of nodes, success against churn and against liars.

  tests/run bench sim [--nodes 1000,3000,10000] [--replaced 0,0.1,0.2,0.3,0.4,0.5,0.6] [--hours 2]
                      [--churn_nodes 1000] [--attack_nodes 1000] [--seed 1]
                      [--from LOG]

Runs build/bench/tests/sim_dht, keeps its `plot` lines in tests/bench/sim.txt, and writes its section of
tests/bench/RESULTS.md, dht_hops.svg, dht_churn.svg and dht_hostile.svg from them.  --nodes 1000,10000,100000
takes a quarter of an hour more of one
core.  --from draws from the lines of earlier runs (files that hold their output) instead of running."""
import argparse
import os
import subprocess
import sys

import sim_plot

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "../../build/bench/tests/sim_dht")


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
        out += ["### Hops against the number of nodes", "", "![hops](dht_hops.svg)", ""]
        out += table(["nodes", "what", "success", "hops", "mean", "messages", "bytes", "virtual ms"],
                     [[f"{n:,}", k, f"{100 * r['success']:.3f}% of {r['tried']:.0f}",
                       f"{r['hops']:.0f} / {r['hops_p99']:.0f}", f"{r['hops_mean']:.2f}",
                       f"{r['messages']:.0f} / {r['messages_p99']:.0f}",
                       f"{r['bytes']:,.0f} / {r['bytes_p99']:,.0f}", f"{r['ms']:,.0f} / {r['ms_p99']:,.0f}"]
                      for n in nodes for k in ("lookup", "put", "get") if (r := scale.get((n, k)))])
        out.append("")
    said = [x[3:] for x in kept if x.startswith("#> ")]
    if said:
        out += ["As printed by an earlier run, without its `plot` lines:", "", "```"] + said + ["```", ""]
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
    sim_plot.section(os.path.join(HERE, "RESULTS.md"), "sim", "\n".join(out))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--nodes", default="1000,3000,10000")
    p.add_argument("--replaced", default="0,0.1,0.2,0.3,0.4,0.5,0.6")
    p.add_argument("--hours", default="2")
    p.add_argument("--churn_nodes", default="1000")
    p.add_argument("--attack_nodes", default="1000")
    p.add_argument("--seed", default="1")
    p.add_argument("--from", dest="logs", nargs="+")
    a = p.parse_args()
    kept, bad = [], 0
    if a.logs:
        for log in a.logs:
            with open(log, encoding="utf-8") as f:
                kept += [x for x in f.read().splitlines() if x.startswith(("plot ", "# ", "#> "))]
    else:
        for n in filter(None, a.nodes.split(",")):
            bad |= run(["dht", "--nodes", n, "--seed", a.seed], kept)
        for c in filter(None, a.replaced.split(",")):
            bad |= run(["dht_churn", "--nodes", a.churn_nodes, "--hours", a.hours, "--replaced", c, "--seed", a.seed],
                       kept)
        bad |= run(["dht_attack_full", "--nodes", a.attack_nodes, "--seed", a.seed], kept)
    if not any(x.startswith("plot ") for x in kept):
        print("nothing was measured")
        return 1
    with open(os.path.join(HERE, "sim.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(kept) + "\n")
    report(kept)
    return 1 if bad else 0


sys.exit(main())
