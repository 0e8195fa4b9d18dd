import os
import pickle
import pickletools
import subprocess

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser.errors import InputError
from ser.head.pickles import load_pickle, save_pickle


class Call:
    """Pickles as a call of a function or class."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def write_call(path, module, name, *arguments):
    """A pickle of ``module.name(*arguments)`` with names that need not be importable under that path."""
    items = b"".join(pickle.dumps(item, 2)[2:-1] for item in arguments)  # without PROTO and STOP
    names = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    path.write_bytes(b"\x80\x04" + names + b"\x93(" + items + b"tR.")
    assert "REDUCE" in [opcode.name for opcode, *_ in pickletools.genops(path.read_bytes())]


def refuse(path):
    with pytest.raises(InputError, match=r"(?s)model.pkl: asks for .*remedy") as error:
        load_pickle(path)
    return str(error.value)


@pytest.mark.parametrize("function", [os.system, os.popen, subprocess.Popen, subprocess.getoutput])
def test_shell_commands_are_refused(tmp_path, function):
    path, mark = tmp_path / "model.pkl", tmp_path / "mark"
    save_pickle([1, Call(function, f"touch {mark}")], path)
    refuse(path)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["eval", "exec", "getattr", "__import__", "open", "compile", "type", "object", "map"])
def test_builtins_that_are_not_data_are_refused(tmp_path, name):
    write_call(tmp_path / "model.pkl", "builtins", name, "1")
    assert f"builtins.{name}" in refuse(tmp_path / "model.pkl")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.testing", "runstring"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy", "load"),
        ("numpy", "save"),
        ("numpy.f2py", "run_main"),
        ("scipy.io", "loadmat"),
        ("sklearn.utils.fixes", "parse_version"),
        ("sklearn.datasets", "fetch_openml"),
        ("joblib", "load"),
        ("pathlib", "Path"),
        ("ser.head.pickles", "load_pickle"),
        ("nt", "system"),
    ],
)
def test_functions_and_other_packages_are_refused(tmp_path, module, name):
    write_call(tmp_path / "model.pkl", module, name, "x")
    assert f"{module}.{name}" in refuse(tmp_path / "model.pkl")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("scipy._lib._testutils", "subprocess.Popen"),
        ("numpy.testing._private.extbuild", "subprocess.Popen"),
        ("numpy.testing._private.utils", "os.system"),
    ],
)
def test_what_a_package_merely_imports_is_refused(tmp_path, module, name):
    path, mark = tmp_path / "model.pkl", tmp_path / "mark"
    write_call(path, module, name, ["touch", str(mark)])
    refuse(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("module", "name"), [("numpy.testing._private.utils", "partial"), ("sklearn.datasets._base", "Path")]
)
def test_foreign_classes_under_a_packages_name_are_refused(tmp_path, module, name):
    write_call(tmp_path / "model.pkl", module, name, "x")
    refuse(tmp_path / "model.pkl")


def test_classes_that_write_files_are_refused(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("years of work")
    write_call(tmp_path / "model.pkl", "numpy", "memmap", str(precious), "uint8", "w+", 0, (4,))
    with pytest.raises(InputError):
        load_pickle(tmp_path / "model.pkl")
    assert precious.read_text() == "years of work"


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"model.pkl: no such model"):
        load_pickle(tmp_path / "model.pkl")


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"\x80\x05\x95\x10"])
def test_a_damaged_file_is_an_input_error(tmp_path, content):
    (tmp_path / "model.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.pkl"):
        load_pickle(tmp_path / "model.pkl")


@pytest.mark.parametrize(
    "estimator",
    [
        SVC(),
        SVC(kernel="linear", class_weight="balanced"),
        LogisticRegression(),
        RidgeClassifier(),
        RandomForestClassifier(3, random_state=0),
        KNeighborsClassifier(3),
        KNeighborsClassifier(3, algorithm="ball_tree"),
        KNeighborsClassifier(3, algorithm="kd_tree", metric="manhattan"),
        DummyClassifier(strategy="stratified", random_state=0),
        DummyClassifier(strategy="stratified", random_state=np.random.RandomState(3)),
    ],
    ids=lambda estimator: str(estimator).partition("(")[0],
)
def test_every_estimator_comes_back_as_it_was(tmp_path, estimator):
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)).astype(np.float32), np.array(["anger", "fear", "neutral"] * 10)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(features, labels)
    save_pickle(pipeline, tmp_path / "model.pkl")
    expected = pipeline.predict(features)
    again = load_pickle(tmp_path / "model.pkl")
    assert again.classes_.tolist() == ["anger", "fear", "neutral"]
    np.testing.assert_array_equal(again[0].mean_, pipeline[0].mean_)
    np.testing.assert_array_equal(again.predict(features), expected)
