"""Sheets as Markdown and LaTeX."""

from __future__ import annotations

import re

from ser.statistics.export.sheets import Sheet, Shown

#: What LaTeX would take for a command, and signs that not every font of it has.
LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": "$<$",
    ">": "$>$",
    "χ²": r"$\chi^2$",
    "η²": r"$\eta^2$",
    "ω²": r"$\omega^2$",
    "∞": r"$\infty$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
    "\u00a0": "~",
}
_SIGNS = re.compile("|".join(map(re.escape, LATEX)))


def write_markdown(sheet: Sheet) -> str:
    """A pipe table under its caption."""
    aligned = ["---:" if number else "---" for number in find_numbers(sheet)]
    lines = [sheet.columns, aligned, *([cell.text for cell in row] for row in sheet.rows)]
    table = "\n".join("| " + " | ".join(_escape_pipes(cell) for cell in line) + " |" for line in lines)
    return f"{_escape_pipes(sheet.caption)}\n\n{table}\n"


def write_latex(sheet: Sheet) -> str:
    """A booktabs table with caption and label; numbers are set flush right."""
    aligned = "".join("r" if number else "l" for number in find_numbers(sheet))
    rows = "\n".join("    " + " & ".join(_set_cell(cell) for cell in row) + r" \\" for row in sheet.rows)
    head = " & ".join(escape_latex(column) for column in sheet.columns)
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escape_latex(sheet.caption)}}}",
            rf"  \label{{tab:{sheet.name.replace('_', '-')}}}",
            rf"  \begin{{tabular}}{{{aligned}}}",
            r"    \toprule",
            rf"    {head} \\",
            r"    \midrule",
            rows,
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return _SIGNS.sub(lambda found: LATEX[found.group()], text)


def find_numbers(sheet: Sheet) -> list[bool]:
    """Which columns hold numbers."""
    return [all(row[place].number for row in sheet.rows) for place in range(len(sheet.columns))]


def _set_cell(cell: Shown) -> str:
    """A cell for LaTeX: the sign of a number is a minus, and a bracket after a line's end no option of that end."""
    text = re.sub(r"^\[", "{[}", escape_latex(cell.text))
    return re.sub(r"-(?=[\d.])", "$-$", text) if cell.number else text


def _escape_pipes(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
