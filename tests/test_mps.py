"""read_mps: senses, constants, bounds, compression, and clear words for files that cannot be read."""

import gzip

import numpy as np
import pytest

from kantor.errors import ProblemError
from kantor.solvers.lp import solve_lp
from kantor.solvers.mps import read_mps

SMALL = """NAME          SMALL
{sense}ROWS
 N  COST
 N  SPARE
 L  LIM1
 G  LIM2
 E  SUM
COLUMNS
    X         COST         1.0   LIM1         1.0
    X         LIM2         1.0   SPARE        5.0
    Y         COST         2.0   LIM1         {entry}
    Y         SUM         -1.0
    Z         COST        -1.0   SUM          1.0
RHS
    RHS       LIM1         4.0   LIM2         1.0
    RHS       SUM          7.0   COST        -3.0
RANGES
    RNG       LIM1         2.5
BOUNDS
 UP BND       X            4.0
 LO BND       Y           -1.0
 UP BND       Y            1e30
 MI BND       Z
ENDATA
"""


def write(folder, text, name="small.mps"):
    path = folder / name
    path.write_text(text)
    return path


def test_every_section_is_read(tmp_path):
    lp = read_mps(write(tmp_path, SMALL.format(sense="", entry="1.0")))
    assert lp.shape == (3, 3)
    assert lp.name in ("SMALL", "small")
    np.testing.assert_array_equal(lp.c, [1, 2, -1])
    np.testing.assert_array_equal(lp.K.toarray(), [[1, 1, 0], [1, 0, 0], [0, -1, 1]])
    np.testing.assert_array_equal(lp.row_lower, [1.5, 1, 7])
    np.testing.assert_array_equal(lp.row_upper, [4, np.inf, 7])
    np.testing.assert_array_equal(lp.lower, [0, -1, -np.inf])
    np.testing.assert_array_equal(lp.upper, [4, np.inf, np.inf])
    assert (lp.offset, lp.maximise) == (3.0, False)


def test_maximisation_stores_the_minimised_costs(tmp_path):
    lp = read_mps(write(tmp_path, SMALL.format(sense="OBJSENSE\n    MAX\n", entry="1.0")))
    np.testing.assert_array_equal(lp.c, [-1, -2, 1])
    assert (lp.offset, lp.maximise) == (-3.0, True)
    solution = solve_lp(lp, 1e-9, method="highs")
    assert solution.objective == pytest.approx(solution.x @ [1, 2, -1] + 3.0)


def test_gzip_gives_the_same(tmp_path):
    text = SMALL.format(sense="", entry="1.0")
    plain = read_mps(write(tmp_path, text))
    packed = tmp_path / "small.mps.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_mps(packed).K.toarray(), plain.K.toarray())


def test_small_entries_stay_and_smaller_ones_are_announced(tmp_path):
    lp = read_mps(write(tmp_path, SMALL.format(sense="", entry="1e-11")))
    assert lp.K[0, 1] == 1e-11
    with pytest.warns(UserWarning, match="ignored"):
        read_mps(write(tmp_path, SMALL.format(sense="", entry="1e-14")))


def test_integer_columns_are_refused_or_relaxed_with_a_note(tmp_path):
    lines = SMALL.format(sense="", entry="1.0").splitlines()
    at = lines.index("COLUMNS")
    lines.insert(at + 1, "    MARKER    'MARKER'     'INTORG'")
    lines.insert(at + 4, "    MARKER    'MARKER'     'INTEND'")
    path = write(tmp_path, "\n".join(lines) + "\n")
    with pytest.raises(ProblemError, match=r"1 integer columns \(X\)"):
        read_mps(path)
    with pytest.warns(UserWarning, match="continuous"):
        assert read_mps(path, relax_integers=True).shape == (3, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello\nworld\n", "not a readable MPS file"),
        (SMALL.format(sense="", entry="1.0").replace("-1.0   SUM ", "-1.0   SOM "), "SOM"),
        ("", "not a readable MPS file"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named(tmp_path, text, words):
    with pytest.raises(ProblemError, match=words) as error:
        read_mps(write(tmp_path, text, "broken.mps"))
    assert "broken.mps" in str(error.value)


def test_missing_file_and_wrong_ending(tmp_path):
    with pytest.raises(ProblemError, match="no such file"):
        read_mps(tmp_path / "nowhere.mps")
    with pytest.raises(ProblemError, match="ending"):
        read_mps(write(tmp_path, "x", "table.csv"))
