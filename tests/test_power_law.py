"""The power-law family: the published instances number by number, and its optimum by one Leontief solve."""

import numpy as np
import pytest
from typer.testing import CliRunner

import kantor as kt
from kantor.cli.app import app
from kantor.data import power_law_kernels as kernels
from kantor.data.power_law import nonzeros, power_law
from kantor.errors import OptionError

# Published numbers of nonzeros, and optima as the family's author's formula gives them for the published instances.
PUBLISHED = [
    ("interconnected", 100, 6_930, 1059.88003406),
    ("interconnected", 1_000, 129_831, 12224.4793122),
    ("interconnected", 10_000, 1_618_152, 140755.177107),
    ("price", 100, 4_130, 1034.360366),
    ("price", 1_000, 94_467, 11338.2507507),
    ("price", 10_000, 1_228_552, 118686.037563),
]


def test_the_random_numbers_are_those_of_the_c_library():
    assert kernels.outputs(kernels.seeded(np.uint32(1)), 3).tolist() == [1804289383, 846930886, 1681692777]


@pytest.mark.parametrize(("structure", "industries", "entries", "optimum"), PUBLISHED)
def test_published_instances_are_reproduced(structure, industries, entries, optimum):
    economy = power_law(industries, structure)
    assert nonzeros(economy) == entries
    x = kt.solve_leontief(economy.A, np.ones(industries), tolerance=1e-13, error_bound=False).x
    assert 10.0 * x.sum() == pytest.approx(optimum, rel=1e-11)


@pytest.mark.parametrize("structure", ["interconnected", "price"])
def test_small_instances_equal_the_definition_word_by_word(structure):
    v, q, w, r = 23, 7, 3, 5
    draws = iter(kernels.outputs(kernels.seeded(np.uint32(9)), 10_000).tolist())
    below = lambda count: next(draws) % count  # noqa: E731
    h, T, p = int((1_000_000 // q) * 0.25), {}, [0] * v
    for k in range(v):
        for _ in range(q if structure == "interconnected" else min(q, k)):
            if structure == "interconnected":
                j, i, c = below(k + 1), below(k + 1), 1 + below(h)
            else:
                t, j = below(sum(p)), k
                i = int(np.flatnonzero(np.cumsum(p) >= t)[0])
                if (i, k) in T:
                    continue
                p[i] += 1
                c = 1 + below(h)
            if i != j:
                T[i, j] = min(c, T.get((i, j), c))
        p[k] += 1
    G = np.zeros((w, v))
    for b in range(w):
        for _ in range(r):
            j, c = below(v), 1 + below(1_000_000)
            G[b, j] = max(G[b, j], c / 1e6)
    expected = np.zeros((v, v))
    for (i, j), c in T.items():
        expected[i, j] = c / 1e6
    made = power_law(v, structure, inputs=q, baskets=w, basket_size=r, hawkins_simon=0.25, seed=9)
    assert (made.A.toarray() == expected).all()
    assert (made.intensities.to_numpy()[1:] == G).all()
    assert made.A.has_sorted_indices
    assert (np.diff(made.A.indices[made.A.indptr[0] : made.A.indptr[1]]) > 0).all()


def test_no_circular_flows_in_the_price_structure():
    A = power_law(300, "price").A.tocoo()
    assert (A.row < A.col).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"industries": 0}, "industries: 0"),
        ({"industries": 10, "structure": "ring"}, "structure: 'ring'"),
        ({"industries": 10, "seed": 0}, "seed: 0"),
        ({"industries": 10, "inputs": 1, "hawkins_simon": 0.9}, "hawkins_simon"),
        ({"industries": 20_000_000}, "2\\^24"),
    ],
)
def test_impossible_arguments_are_refused(given, words):
    with pytest.raises(OptionError, match=words):
        power_law(**given)


def test_the_command_writes_what_the_function_makes(tmp_path):
    folder = tmp_path / "family"
    result = CliRunner().invoke(app, ["generate", "power-law", "50", "--structure", "price", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    made, read = power_law(50, "price"), kt.load_economy(str(folder))
    assert (made.A != read.A).nnz == 0
    assert read.intensities.equals(made.intensities)
    again = CliRunner().invoke(app, ["generate", "power-law", "50", "-o", str(folder)])
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_the_command_splits_a_table(tmp_path):
    folder = tmp_path / "fine"
    result = CliRunner().invoke(app, ["generate", "lumpable", "us_2012", "--products", "60", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    assert kt.load_economy(str(folder)).expansion.sigma_units == 0.0
