"""The page about a sweep: ``write_report(folder)`` writes ``report.html`` and CSV files into it.

``collect`` reads the folder, ``summarise`` computes frames from what was read, ``sections`` turns them into blocks,
one module a section, and ``page`` renders the blocks. To add a section, write a module in ``sections`` and name its
builder in ``sections.SECTIONS``: the template knows blocks, not sections.
"""

from ser.report.page import write_report

__all__ = ["write_report"]
