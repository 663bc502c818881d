"""Tables of results, and the comparison of dumb-init with the best other init."""

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
    """Figures by column; None: not measured, or the init has no such feature. A limit
    is not an init."""
    title: str
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


def compare(table):
    """For each column that can be compared: its name, its unit, dumb-init's figure, the
    best figure of the others, the title of that init, and "better", "equal" or "worse"
    for dumb-init. The first row is dumb-init's."""
    first, *others = [row for row in table.rows if not row.limit]
    compared = []
    for index, column in enumerate(table.columns):
        other = best(table, index, others)
        if other is None or first.figures[index] is None:
            continue
        mine, its = first.figures[index], other.figures[index]
        less = mine.value < its.value
        word = "equal" if equal(mine, its) else \
            "better" if less == (column.better == "less") else "worse"
        compared.append([column.name or f"{table.title}: {column.title}", column.unit,
                         short(mine.value), short(its.value), other.title, word])
    return compared


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
        name = f"*{row.title}*" if row.limit else row.title
        rows.append([name, *(cell(table, i, row) for i in range(len(row.figures)))])
    return markdown(header, rows, "l" + "r" * len(table.columns))


def write_summary(compared):
    return markdown(["", "unit", "this dumb-init", "best other", "which",
                     "this dumb-init is"], compared, "llrrll")


def write_result(compared):
    """A list of the columns in which dumb-init is better, equal or worse."""
    names = {word: "; ".join(row[0] for row in compared if row[-1] == word)
             for word in ("better", "equal", "worse")}
    return "\n".join([
        "This dumb-init, compared with the best other init of each column, is", "",
        *(f"- {word}: {names[word]}" for word in names if names[word])])
