"""Print a folder with pybind11's CMake files; where only its headers are found, write the little CMake needs there.

python find_pybind11.py FOLDER: the files are written to FOLDER if they have to be. Exits with 1 and a sentence if there
is no pybind11 at all.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

CONFIG = """# Stands in for pybind11's own CMake files where only its headers are installed.
set(pybind11_FOUND TRUE)
function(pybind11_add_module target)
  cmake_parse_arguments(ARG "MODULE;NO_EXTRAS" "" "" ${{ARGN}})
  Python_add_library(${{target}} MODULE WITH_SOABI ${{ARG_UNPARSED_ARGUMENTS}})
  target_include_directories(${{target}} SYSTEM PRIVATE "{include}")
endfunction()
"""
VERSION = """set(PACKAGE_VERSION {version})
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
"""


def installed() -> Path | None:
    """The CMake folder of the pybind11 package of this interpreter."""
    if importlib.util.find_spec("pybind11") is None:
        return None
    import pybind11

    folder = Path(pybind11.get_cmake_dir())
    return folder if folder.is_dir() else None


def headers() -> Path | None:
    """A folder with pybind11/pybind11.h: $KANTOR_PYBIND11, or the copy that PyTorch carries."""
    places = [Path(os.environ["KANTOR_PYBIND11"]) / "include"] if os.environ.get("KANTOR_PYBIND11") else []
    torch = importlib.util.find_spec("torch")
    if torch is not None and torch.origin:
        places.append(Path(torch.origin).parent / "include")
    return next((place for place in places if (place / "pybind11" / "pybind11.h").is_file()), None)


def version_of(include: Path) -> str:
    """Major.minor of the headers, as they define it."""
    text = (include / "pybind11" / "detail" / "common.h").read_text()
    major, minor = (re.search(rf"define PYBIND11_VERSION_{part} (\d+)", text) for part in ("MAJOR", "MINOR"))
    assert major is not None
    assert minor is not None
    return f"{major.group(1)}.{minor.group(1)}"


def main() -> int:
    """Print the folder; 1 if there is none."""
    folder = None if os.environ.get("KANTOR_PYBIND11") else installed()
    if folder is None:
        include = headers()
        if include is None:
            print("no pybind11: install it, or set KANTOR_PYBIND11 to a folder with include/pybind11", file=sys.stderr)
            return 1
        folder = Path(sys.argv[1]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pybind11Config.cmake").write_text(CONFIG.format(include=include.resolve()))
        (folder / "pybind11ConfigVersion.cmake").write_text(VERSION.format(version=version_of(include)))
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
