"""Line plots as SVG, with nothing but the standard library: axes, ticks, one line a series, a legend.

    draw(path, title, x label, y label, [(name, [(x, y), ...]), ...], log_x=False, percent=False)"""
import math
from xml.sax.saxutils import escape

COLOURS = ["#1b6ca8", "#c2410c", "#3f7d20", "#7b2d8b", "#8a6d00", "#555555"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 70, 20, 40, 60


def ticks(low, high, n=5):
    """Round numbers, about n of them, that cover low to high."""
    step = 10 ** math.floor(math.log10((high - low) / n)) if high > low else 1
    for times in (1, 2, 5, 10):
        if (high - low) / (step * times) <= n:
            break
    step *= times
    first = math.floor(low / step)
    return [i * step for i in range(first, math.ceil(high / step) + 1)]


def number(x, percent):
    text = f"{100 * x:.6g}%" if percent else f"{x:,.6g}" if x < 1e6 else f"{x:.3g}"
    return text


def draw(path, title, x_label, y_label, series, log_x=False, percent_x=False, percent_y=False, y_from=None):
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    fx = math.log10 if log_x else float
    x_ticks = sorted(set(xs)) if log_x else ticks(min(xs), max(xs))
    y_ticks = ticks(min(ys) if y_from is None else y_from, max(ys))
    x_low, x_high = min(fx(x) for x in x_ticks), max(fx(x) for x in x_ticks)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def px(x):
        return LEFT + (fx(x) - x_low) / ((x_high - x_low) or 1) * (WIDTH - LEFT - RIGHT)

    def py(y):
        return HEIGHT - BOTTOM - (y - y_low) / ((y_high - y_low) or 1) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{WIDTH / 2}" y="22" text-anchor="middle" font-size="15">{escape(title)}</text>']
    for y in y_ticks:
        out += [f'<line x1="{LEFT}" y1="{py(y):.1f}" x2="{WIDTH - RIGHT}" y2="{py(y):.1f}" stroke="#ddd"/>',
                f'<text x="{LEFT - 8}" y="{py(y) + 4:.1f}" text-anchor="end">{number(y, percent_y)}</text>']
    for x in x_ticks:
        out += [f'<line x1="{px(x):.1f}" y1="{HEIGHT - BOTTOM}" x2="{px(x):.1f}" y2="{HEIGHT - BOTTOM + 5}" stroke="#333"/>',
                f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(x, percent_x)}</text>']
    out += [f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#333"/>',
            f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 18}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text transform="translate(16 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)" text-anchor="middle">'
            f'{escape(y_label)}</text>']
    for i, (name, points) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        points = sorted(points)
        line = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
        at = HEIGHT - BOTTOM - 12 - 16 * (len(series) - 1 - i)
        out += [f'<line x1="{LEFT + 12}" y1="{at - 4}" x2="{LEFT + 32}" y2="{at - 4}" stroke="{colour}" stroke-width="2"/>',
                f'<text x="{LEFT + 38}" y="{at}">{escape(name)}</text>']
    out.append("</svg>\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


def fit(points):
    """Least squares: slope and intercept of y over x, and the largest distance of a point from the line."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    slope = sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)
    start = my - slope * mx
    return slope, start, max(abs(y - start - slope * x) for x, y in points)


def section(path, name, text):
    """Replaces what stands between the marks of this name in a Markdown file, or appends it."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    try:
        with open(path, encoding="utf-8") as f:
            old = f.read()
    except FileNotFoundError:
        old = "# What was measured\nEach section is written by the command that it names.\n"
    if begin in old:
        old = old[:old.index(begin)] + old[old.index(end) + len(end):].lstrip("\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{old.rstrip()}\n\n{begin}\n{text.rstrip()}\n{end}\n")


def lines(text):
    """The `plot SERIES key=value …` lines of a program's output: [(series, {key: text or number})]."""
    found = []
    for line in text.splitlines():
        if not line.startswith("plot "):
            continue
        words = line.split()
        row = {}
        for word in words[2:]:
            key, _, value = word.partition("=")
            try:
                row[key] = float(value)
            except ValueError:
                row[key] = value
        found.append((words[1], row))
    return found
