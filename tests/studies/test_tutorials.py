"""The tutorial notebooks: committed without results, and they run from the first cell to the last."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted(ROOT.glob("experiments/*/tutorial.ipynb"))
LINK = re.compile(r"\]\(([^)#\s]+)")


def read(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    return book


def name(path):
    return path.parent.name


def test_the_probing_and_the_saliency_study_have_one():
    assert [name(path) for path in TUTORIALS] == ["beyond-saliency2025", "dixit2024"]


@pytest.mark.parametrize("path", TUTORIALS, ids=name)
def test_they_are_kept_without_results_and_are_linked(path):
    book = read(path)
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    assert book.metadata.kernelspec.name == "python3" and len(codes) >= 5
    assert not any(cell.outputs or cell.execution_count for cell in codes)
    texts = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    for target in LINK.findall("\n".join(texts)):
        assert (path.parent / target).exists(), target
    assert "(tutorial.ipynb)" in (path.parent / "README.md").read_text()
    assert f"experiments/{name(path)}/tutorial.ipynb" in (ROOT / "docs" / "studies.md").read_text()


@pytest.mark.timeout(1500)  # a busy machine takes ten times as long
@pytest.mark.parametrize("path", TUTORIALS, ids=name)
def test_they_run_on_generated_speech(path, outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    book = read(path)
    NotebookClient(book, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/svg+xml"} and "text/html" in kinds
    assert not [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"]
    assert (outputs / "tutorials" / name(path) / "run" / "metrics.json").is_file()
