"""Tables of results: who is first, and how that is written down."""

from dataclasses import dataclass, field

SAME = 0.01  # figures that are as close as this are equal


@dataclass
class Column:
    """better: "less" or "more"; None: for reading only, not compared."""
    title: str
    unit: str = ""
    better: str = "less"
    spread: bool = False
    # The title in the summary; if empty, `title`.
    name: str = ""


@dataclass
class Row:
    """Figures by column, None if the init has no such feature. A limit is no init."""
    name: str
    version: str
    figures: list
    limit: bool = False


@dataclass
class Table:
    key: str
    title: str
    columns: list
    rows: list = field(default_factory=list)
    extra: dict = field(default_factory=dict)  # further data for the page

    def figure(self, title):
        """dumb-init's figure."""
        return self.rows[0].figures[[column.title for column in self.columns]
                                    .index(title)]


def short(value):
    """The number with three significant digits."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}"


def equal(one, other):
    """Whether chance may have made the difference, or it is too small to matter."""
    if abs(one.value - other.value) <= SAME * max(abs(one.value), abs(other.value)):
        return True
    return one.sure[0] <= other.sure[1] and other.sure[0] <= one.sure[1]


def best(table, index, rows):
    """The row that is best in a column, or None."""
    rows = [row for row in rows if not row.limit and row.figures[index]]
    better = table.columns[index].better
    if not rows or better is None:
        return None
    choose = min if better == "less" else max
    return choose(rows, key=lambda row: row.figures[index].value)


def place(table, index):
    """(dumb-init's row, the best other row, and "first", "equal" or "behind");
    None if there is no other row. dumb-init's is the first."""
    first, *others = [row for row in table.rows if not row.limit]
    other = best(table, index, others)
    if other is None or first.figures[index] is None:
        return None
    mine, its = first.figures[index], other.figures[index]
    if equal(mine, its):
        return first, other, "equal"
    ahead = (mine.value < its.value) == (table.columns[index].better == "less")
    return first, other, "first" if ahead else "behind"


def cell(table, index, row):
    figure = row.figures[index]
    if figure is None:
        return "–"
    text = short(figure.value)
    winner = best(table, index, table.rows)
    if winner and not row.limit and equal(figure, winner.figures[index]):
        text = f"**{text}**"
    if table.columns[index].spread and figure.quartiles:
        text += " ({}–{})".format(*map(short, figure.quartiles))
    return text


def markdown(header, rows, align):
    """A table in Markdown; align has a letter for each column, l or r."""
    marks = {"l": "---", "r": "---:"}
    lines = [header, [marks[letter] for letter in align], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_table(table):
    header = ["init"] + [f"{column.title}, {column.unit}" if column.unit
                         else column.title for column in table.columns]
    rows = []
    for row in table.rows:
        name = f"*{row.name}*" if row.limit else f"{row.name} {row.version}"
        rows.append([name, *(cell(table, i, row) for i in range(len(row.figures)))])
    return markdown(header, rows, "l" + "r" * len(table.columns))


def write_summary(tables):
    rows = []
    for table in tables:
        for index, column in enumerate(table.columns):
            if (placed := place(table, index)) is None:
                continue
            first, other, word = placed
            rows.append([column.name or f"{table.title}: {column.title}",
                         column.unit,
                         short(first.figures[index].value),
                         short(other.figures[index].value),
                         f"{other.name} {other.version}", word])
    return markdown(["", "unit", "this dumb-init", "best other", "which", "we are"],
                    rows, "llrrll"), [row for row in rows if row[-1] == "behind"]
