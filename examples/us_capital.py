"""Makes the tables of examples/us_five_years.toml from BEA's fixed assets of 2012 and the use table of USEEIO.

``python examples/us_capital.py`` writes examples/us_five_years/; the files are kept with the project, so this is for
those who want to change the mapping. What it does, and where it is rough:

* An asset of the plan is what one product makes: each of BEA's 96 types of asset is assigned to the product of the
  411 that builds it (``BUILT_FROM``); types with the same product are one asset, which loses the stock-weighted mean of
  BEA's depreciation rates.
* BEA knows 63 industries, the table 411 sectors. Its sectors get the stock of an industry in proportion to output:
  they are taken to need the same capital per dollar (``INDUSTRIES``, by the first digits of the sectors' codes).
* The stocks are those of private business, at current cost, at the end of 2012. Government, housing and households
  have none here: capital does not bind them, and the plan does not build their buildings.
* Final demand contains the year's investment. What business invested in structures, equipment and intellectual property
  (columns F02S00, F02E00, F02N00 of the use table) is taken out of the targets: the plan decides on it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kantor.data.datasets import data_folder

OUT = Path(__file__).parent / "us_five_years"

# Asset types by the product that builds them.
BUILT_FROM = {
    "334111": "EP1A EP1B",
    "334112": "EP1C EP1F EP1G",
    "334118": "EP1D EP1E EP1H",
    "334220": "EP20",
    "339112": "EP34",
    "334510": "EP35",
    "334513": "EP36",
    "333316": "EP31",
    "333318": "EP12 EO60",
    "325180": "EI11",
    "332420": "EI12",
    "333611": "EI21",
    "333618": "EI22",
    "333517": "EI30",
    "33329A": "EI40",
    "33399A": "EI50",
    "335311": "EI60",
    "336112": "ET11",
    "336120": "ET12",
    "336111": "ET20",
    "336411": "ET30",
    "336611": "ET40",
    "336500": "ET50",
    "337127": "EO11 EO12",
    "333111": "EO30 EO21",
    "333120": "EO40 EO22",
    "333130": "EO50",
    "335228": "EO71",
    "335999": "EO72",
    "339990": "EO80",
    "2332A0": "SOO1 SC03 SC04 SC01 SC02 SB41",
    "233210": "SB31 SB32 SOO2",
    "3219A0": "SOMO",
    "233230": "SI00",
    "233240": "SU30 SU60 SU40 SU50 SU20",
    "213111": "SM01",
    "21311A": "SM02",
    "233262": "SB20",
    "2332C0": "SB43 SB45 SU11 SU12 SB44 SB46 SO04",
    "2332D0": "SB10 SB42 SN00 SO01 SO02 SO03",
    "511200": "ENS1",
    "541511": "ENS2 ENS3",
    "541700": "RD11 RD12 RD23 RD21 RD22 RD24 RD25 RD31 RD32 RDOM RD70 RD40 RD50 RD60 RD80 RD91 RD92",
    "512100": "AE10 AE20",
    "511130": "AE30",
    "512200": "AE40",
    "711500": "AE50",
}

# BEA's industries by the first digits of the sectors they hold; the longest match counts.
INDUSTRIES = {
    "110C": "111 112", "113F": "113 114 115", "2110": "211", "2120": "212", "2130": "213", "2200": "221",
    "2300": "23", "3210": "321", "3270": "327", "3310": "331", "3320": "332", "3330": "333", "3340": "334",
    "3350": "335", "336M": "3361 3362 3363", "336O": "3364 3365 3366 3369", "3370": "337", "338A": "339",
    "311A": "311 312", "313T": "313 314", "315A": "315 316", "3220": "322", "3230": "323", "3240": "324",
    "3250": "325", "3260": "326", "4200": "42", "44RT": "44 45 4B", "4810": "481", "4820": "482", "4830": "483",
    "4840": "484", "4850": "485", "4860": "486", "487S": "48A 492", "4930": "493", "5110": "511", "5120": "512",
    "5130": "515 517", "5140": "518 519", "5210": "52A", "5220": "522 52A", "5230": "523", "5240": "524",
    "5250": "525", "5310": "531O", "5320": "532 533", "5411": "5411", "5415": "5415", "5412": "541", "5500": "55",
    "5610": "561", "5620": "562", "6100": "61", "6210": "621", "622H": "622", "6230": "623", "6240": "624",
    "711A": "711 712", "7130": "713", "7210": "721", "7220": "722", "8100": "811 812 813",
}  # fmt: skip


def main() -> None:
    """Read both data sets and write the tables."""
    assets, useeio = data_folder("us_bea_fixed_assets"), data_folder("us_useeio_2012_411")
    output = pd.read_csv(useeio / "q_x.csv", index_col=0, dtype={0: str})["q"].clip(lower=0.0)
    stock = pd.read_parquet(assets / "net_stock_current_cost_1947_2017.parquet").query("year == 2012")
    rates = pd.read_csv(assets / "economic_depreciation_rates.csv").set_index("Code")["Economic Depreciation Rate"]
    product = {asset: code for code, names in BUILT_FROM.items() for asset in names.split()}
    stock = stock[stock["asset"].isin(product)].assign(built=stock["asset"].map(product))
    table = 1e6 * stock.pivot_table(index="built", columns="industry", values="stock_musd", aggfunc="sum").fillna(0.0)
    worn = (stock["asset"].map(rates) * stock["stock_musd"]).groupby(stock["built"]).sum()
    needs = spread(table, output)
    names = pd.Index([f"made by {code}" for code in needs.index], name="asset")
    OUT.mkdir(exist_ok=True)
    digits = {"float_format": "%.5g"}
    needs.loc[:, (needs > 0).any()].set_axis(names).to_csv(OUT / "requirements.csv", **digits)
    made_of = pd.DataFrame(float("nan"), needs.index.rename("product"), names)
    for code, name in zip(needs.index, names, strict=True):
        made_of.loc[code, name] = 1.0
    made_of.fillna(0.0).astype(int).to_csv(OUT / "composition.csv")
    mean = (worn / stock.groupby("built")["stock_musd"].sum())[needs.index].set_axis(names)
    mean.rename("depreciation").to_csv(OUT / "depreciation.csv", **digits)
    targets(useeio).to_csv(OUT / "targets.csv", float_format="%.10g")
    print(f"stock {table.to_numpy().sum():.4g} USD, kept {(needs @ output).sum():.4g} USD, wear {1e6 * worn.sum():.4g}")


def spread(table: pd.DataFrame, output: pd.Series) -> pd.DataFrame:
    """Stock per dollar of output: assets x sectors, from assets x industries."""
    prefixes = {first: name for name, firsts in INDUSTRIES.items() for first in firsts.split()}
    holder = {}
    for code in output.index:
        found = [first for first in prefixes if code.startswith(first)]
        if found:
            holder[code] = prefixes[max(found, key=len)]
    # Central banks (5210) share the sector 52A000 with commercial banks.
    joined = table.copy()
    joined["5220"] = joined["5220"] + joined.pop("5210")
    holder = {code: "5220" if name == "5210" else name for code, name in holder.items()}
    made = output.groupby(pd.Series(holder)).sum()
    columns = {code: joined[name] / made[name] for code, name in holder.items() if name in joined and output[code] > 0}
    return pd.DataFrame(columns).reindex(columns=output.index, fill_value=0.0)


def targets(useeio: Path) -> pd.Series:
    """The whole final demand of 2012 without what business invested."""
    demand = pd.read_csv(useeio / "demand.csv", index_col=0)["2012_US_Production_Complete"]
    use = pd.read_csv(useeio / "U.csv.gz", index_col=0)
    invested = use[["F02S00", "F02E00", "F02N00"]].sum(axis=1).reindex(demand.index, fill_value=0.0)
    return (demand - invested).rename("amount").rename_axis("product")


if __name__ == "__main__":
    main()
