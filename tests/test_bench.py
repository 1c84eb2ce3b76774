"""The benchmark command runs at a small size and says what it measured; no timing is asserted."""

from __future__ import annotations

import json

import numpy as np
from typer.testing import CliRunner

from kantor.bench.instances import technique_choice
from kantor.cli import app


def test_kernels_suite_prints_one_json_object(tmp_path):
    out = tmp_path / "kernels.json"
    arguments = [
        "bench",
        "kernels",
        "--rows",
        "1000",
        "--repeats",
        "1",
        "--backend",
        "reference",
        "--json",
        "-o",
        str(out),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads(out.read_text())
    for case in found["cases"]:
        assert case["K x"]["largest_relative_difference"] < 1e-12
        assert case["pdhg iteration"]["floor_ratio"] > 0


def test_unknown_suite_is_bad_input():
    result = CliRunner().invoke(app, ["bench", "kernles"])
    assert result.exit_code == 2
    assert "did you mean 'kernels'" in result.stderr


def test_technique_choice_has_one_positive_entry_a_column():
    _, K = technique_choice(300)
    assert K.shape == (300, 900)
    assert ((K.tocsc() > 0).sum(axis=0) == 1).all()
    assert np.abs(K.sum(axis=0)).max() <= 1.0
