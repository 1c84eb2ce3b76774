"""Plans of economies in shards: the answers of whole plans, certified and rechecked, and no process has the table."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from kantor.data.economy import Economy
from kantor.data.economy_shards import HEAD, open_economy, split_economy
from kantor.data.parts import begin_parts, finish_parts, read_parts, write_part
from kantor.data.regional_economy import regional_economy_part, write_regional_economy
from kantor.errors import ProblemError
from kantor.planning.record import digest, sha256_of, written
from kantor.planning.sharded_verify import verify_sharded
from kantor.solvers.dispatch import solve_program
from kantor.solvers.problem import SeparableTerms, TermKind
from kantor.solvers.program import PlanningProgram
from test_distributed import kantor, mpiexec, run  # noqa: F401 - a fixture among them

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'kantor[mpi]'")

REGIONS, GOODS, USERS = 5, 40, 8
N = REGIONS * GOODS
OBJECTIVES = {
    "scale": ("[objective]\nkind = 'max-scale'", {"labour": 1.0 * N, "energy": 0.6 * N}),
    "use": ("[objective]\nkind = 'minimise-use'\nindicator = 'labour'", {"energy": 0.75 * N}),
    "utility": ("[objective]\nkind = 'harmony'", {"labour": 1.0 * N, "energy": 0.6 * N}),
}


def scenario(folder, kind, **changed):
    words, limits = OBJECTIVES[kind]
    lines = ["[economy]", "source = 'economy'", words]
    for name, most in (limits | changed).items():
        lines += [f"[limits.{name}]", f"at_most = {most}"]
    path = folder / "s.toml"
    path.write_text("\n".join(lines))
    return path


def whole_plan(economy, kind):
    """The same plan of one process that has all of it."""
    part = open_economy(economy).read(range(REGIONS))
    own = sp.csr_array((np.ones(part.own.size), (part.own, np.arange(part.own.size))), shape=part.input.shape)
    limits = OBJECTIVES[kind][1]
    names = open_economy(economy).indicators
    use = part.intensities[[names.index(name) for name in limits]]
    terms = None
    if kind == "utility":
        terms = SeparableTerms.linear(N)
        terms.kind[:], terms.a[:], terms.b[:] = TermKind.HARMONY, 1.0, part.targets
    cost = part.intensities[0] if kind == "use" else None
    program = PlanningProgram.build(
        kind, own, part.input, part.targets, resource_use=use, resource_upper=list(limits.values()), cost=cost,
        terms=terms,
    )  # fmt: skip
    return solve_program(program, 1e-9)


@pytest.fixture
def place(tmp_path):
    write_regional_economy(tmp_path / "economy", REGIONS, GOODS, users=USERS)
    return tmp_path


def plan(place, launcher=(), *more):
    done = run(*launcher, *kantor("plan", place / "s.toml", "-o", place / "plan", "--json", *more))
    return done, json.loads(done.stdout) if done.stdout else {}


@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_the_plan_is_that_of_the_whole_economy_and_verifies(place, kind):
    scenario(place, kind)
    done, said = plan(place)
    assert done.returncode == 0, done.stderr
    expected = whole_plan(place / "economy", kind)
    assert said["lower_bound"] <= expected.upper_bound
    assert expected.lower_bound <= said["upper_bound"]
    assert 0.0 <= said["gap"] <= 1e-6
    checked = verify_sharded(place / "plan")
    assert checked["ok"], checked["reasons"]
    assert run(*kantor("verify", place / "plan")).returncode == 0


@pytest.mark.mpi
@pytest.mark.parametrize("kind", ["scale", "use", "utility"])
def test_ranks_give_the_same_certificate_and_the_same_bits_when_repeated(mpiexec, place, kind):  # noqa: F811
    scenario(place, kind)
    alone = plan(place)[1]
    bounds = [alone["lower_bound"], alone["upper_bound"]]
    for ranks in (2, 3) if kind == "scale" else (2,):
        bits = []
        for _ in range(2):
            done, said = plan(place, (mpiexec, "-n", ranks))
            assert done.returncode == 0, done.stderr
            assert said["ranks"] == ranks
            assert [said["lower_bound"], said["upper_bound"]] == pytest.approx(bounds, rel=1e-9)
            goods, techniques = (read_parts(place / "plan" / name)[0] for name in ("goods", "techniques"))
            bits.append(goods.to_numpy().tobytes() + techniques.to_numpy().tobytes())
        assert bits[0] == bits[1]
        assert len(list((place / "plan" / "goods").glob("*.parquet"))) == ranks
        assert verify_sharded(place / "plan")["ok"]


# kantor that says, when it ends, the most memory that it had and the most entries of a matrix.
PEAK = """
import atexit, os, resource
import scipy.sparse as sp
from kantor.cli import main
make, most = sp.csr_array.__init__, [0]
def watched(self, *args, **options):
    make(self, *args, **options)
    most[0] = max(most[0], self.nnz)
sp.csr_array.__init__ = watched
def tell():
    with open(os.environ["PEAKS"] + os.environ.get("PMI_RANK", "0"), "w") as file:
        file.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} {most[0]}")
atexit.register(tell)
main()
"""


@pytest.mark.mpi
def test_no_rank_has_the_whole_table(mpiexec, tmp_path):  # noqa: F811
    """No matrix of a rank of four has more than a quarter of the entries, and its memory, above that of a plan of next
    to nothing, is about a quarter of what one process has. 16 MB: what MPI takes for messages."""

    def most(economy, ranks):
        (tmp_path / "s.toml").write_text(f"[economy]\nsource = '{economy}'\n[limits.labour]\nat_most = 1000")
        for old in tmp_path.glob("peak*"):
            old.unlink()
        command = [sys.executable, "-c", PEAK, "plan", tmp_path / "s.toml", "-o", tmp_path / "plan"]
        command += ["--iteration-limit", 1]
        done = run(mpiexec, "-n", ranks, *command, more={"PEAKS": str(tmp_path / "peak")})
        assert done.returncode in (0, 4), done.stderr
        found = np.array([[int(v) for v in path.read_text().split()] for path in tmp_path.glob("peak*")])
        assert len(found) == ranks
        return found.max(axis=0)

    write_regional_economy(tmp_path / "small", 4, 10, users=4)
    large = write_regional_economy(tmp_path / "large", 8, 5000, users=40)
    alone, shared = (most("large", ranks) - most("small", ranks) * [1, 0] for ranks in (1, 4))
    assert alone[1] >= large.entries >= 3.5 * shared[1]
    assert alone[0] > 24 * large.entries  # what is measured is the table
    assert shared[0] < 1.3 * alone[0] / 4 + 16e6


@pytest.mark.mpi
def test_a_damaged_shard_is_named_by_all_ranks(mpiexec, place):  # noqa: F811
    scenario(place, "scale")
    shard = place / "economy" / "000003.npz"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    done, _ = plan(place, (mpiexec, "-n", 3))
    assert done.returncode == 2
    assert done.stderr.count("000003.npz") == 1


def test_limits_that_allow_no_plan_are_proved_to(place):
    scenario(place, "use", energy=1.0)
    done, said = plan(place)
    assert done.returncode == 3, done.stderr
    assert said["status"] == "primal infeasible"
    assert "times the targets" in said["why"]
    checked = verify_sharded(place / "plan")
    assert checked["ok"], checked["reasons"]
    record = json.loads((place / "plan" / "plan.json").read_text())
    assert record["certificate"]["gap"] == "inf"


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A plan of the largest scale, and its economy."""
    folder = tmp_path_factory.mktemp("solved")
    write_regional_economy(folder / "economy", REGIONS, GOODS, users=USERS)
    scenario(folder, "scale")
    assert plan(folder)[0].returncode == 0
    return folder


def test_what_was_changed_is_found(solved, tmp_path):
    for change in ("activity", "price", "rent", "bound", "economy", "digest"):
        folder = tmp_path / change
        shutil.copytree(solved, folder)
        record = json.loads((folder / "plan" / "plan.json").read_text())
        record["economy"]["folder"] = str(folder / "economy")
        record["digest"] = digest(record)
        (folder / "plan" / "plan.json").write_bytes(written(record))
        assert verify_sharded(folder / "plan")["ok"]
        changed(folder, record, change)
        assert not verify_sharded(folder / "plan")["ok"], change
    assert run(*kantor("verify", tmp_path / "rent" / "plan")).returncode == 1


def changed(place, record, change):
    """Change a plan, with digests that hold again but for one."""
    folder = place / "plan"
    if change in ("activity", "price"):
        name = "techniques" if change == "activity" else "goods"
        table = read_parts(folder / name)[0]
        table.loc[table[change].idxmax(), change] *= 0.999 if change == "activity" else 1.001
        begin_parts(folder / name)
        finish_parts(folder / name, [write_part(folder / name, 0, table)])
        record["tables"][name] = sha256_of(folder / name / "_parts.json")
    elif change == "rent":
        record["limits"][0]["rent"] *= 0.9
    elif change == "bound":
        record["certificate"]["upper_bound"] *= 1.0 - 1e-9
    elif change == "economy":
        (place / "economy" / HEAD).write_text((place / "economy" / HEAD).read_text() + " ")
    if change == "digest":
        record["name"] = "another"
    else:
        record["digest"] = digest(record)
    (folder / "plan.json").write_bytes(written(record))


def test_what_plans_in_shards_do_not_know_is_refused_by_name(place):
    path = scenario(place, "scale")
    text = path.read_text()
    for more, named in (
        ("[capacities]\nx = 1.0", "capacities"), ("[horizon]\nyears = 2", "horizon"),
        ("[targets]\nfinal_demand = 'x'", "targets"), ("[limits.water]\nat_most = 1", "water"),
        ("[limits.land]\nindicator = 'labour'\nat_least = 1", "land"),
    ):  # fmt: skip
        path.write_text(f"{text}\n{more}")
        done, _ = plan(place)
        assert done.returncode == 2, more
        assert named in done.stderr
    path.write_text(text)
    assert "--checkpoint" in plan(place, (), "--checkpoint", place / "c")[0].stderr
    (place / "plan").mkdir()
    (place / "plan" / "mine").touch()
    assert plan(place)[0].returncode == 2
    assert (place / "plan" / "mine").exists()


def test_an_economy_is_split_and_read_back(tmp_path):
    part = regional_economy_part(0, 1, 30, users=5)
    eco = Economy(
        name="e", products=[f"g{i}" for i in range(30)], techniques=[f"t{i}" for i in range(60)],
        output_coefficients=sp.csr_array((np.full(60, 2.0), (part.own, np.arange(60))), shape=(30, 60)),
        input_coefficients=part.input, intensities=_frame(part.intensities, ["labour", "energy"], 60),
        final_demand=_frame(part.targets[:, None], [f"g{i}" for i in range(30)], 1, ["total"]),
        activity=pd.Series(0.0, [f"t{i}" for i in range(60)]),
    )  # fmt: skip
    shards = split_economy(tmp_path / "e", eco, 3)
    found = shards.read(range(3))
    order = np.argsort(part.own, kind="stable")
    np.testing.assert_allclose(found.input.toarray(), part.input.toarray()[:, order] / 2.0)
    np.testing.assert_allclose(found.intensities, part.intensities[:, order] / 2.0)
    np.testing.assert_array_equal(found.own, part.own[order])
    np.testing.assert_array_equal(found.targets, part.targets)
    shutil.copy(tmp_path / "e" / "000000.npz", tmp_path / "e" / "000001.npz")
    with pytest.raises(ProblemError, match=r"000001\.npz"):
        shards.read([1])


def _frame(values, index, columns, names=None):
    return pd.DataFrame(values, index, names or [f"t{i}" for i in range(columns)])
