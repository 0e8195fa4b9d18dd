"""The sections of the page, in reading order. A builder takes the sweep and returns a section, or None for nothing."""

from __future__ import annotations

from collections.abc import Callable

from ser.report.blocks import Section
from ser.report.collect import Sweep
from ser.report.sections.classes import build_classes
from ser.report.sections.configurations import build_configurations
from ser.report.sections.confusions import build_confusions
from ser.report.sections.corpora import build_corpora
from ser.report.sections.curves import build_curves
from ser.report.sections.data import build_data
from ser.report.sections.design import build_design
from ser.report.sections.dimensions import build_dimensions
from ser.report.sections.explanations import build_explanations
from ser.report.sections.headline import build_headline
from ser.report.sections.intervals import build_intervals
from ser.report.sections.reproduction import build_reproduction
from ser.report.sections.runs import build_runs
from ser.report.sections.statistics import build_statistics
from ser.report.sections.threats import build_threats

SECTIONS: tuple[Callable[[Sweep], Section | None], ...] = (
    build_headline,
    build_design,
    build_data,
    build_statistics,
    build_intervals,
    build_configurations,
    build_dimensions,
    build_corpora,
    build_runs,
    build_confusions,
    build_curves,
    build_classes,
    build_explanations,
    build_threats,
    build_reproduction,
)


def build_sections(sweep: Sweep) -> list[Section]:
    """All sections that have something to show for this sweep."""
    built = (build(sweep) for build in SECTIONS)
    return [section for section in built if section is not None]
