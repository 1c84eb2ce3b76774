#!/usr/bin/env bash
# Build for the GPU, test on it, time on it; results under the folder given first. See README.md beside this file.
set -uo pipefail

if [ $# -lt 1 ]; then
  echo "usage: $0 OUT [scale]" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
scale=${2:-1}
python=${PYTHON:-python3}
build="$root/build/gpu"
export here root build python PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$root/python${PYTHONPATH:+:$PYTHONPATH}"
failed=0

# step NAME SECONDS COMMAND...: runs it with a limit, its output into NAME.log, one line here.
step() {
  local name=$1 limit=$2 begin=$SECONDS code
  shift 2
  timeout "$limit" bash -c '"$@"' step "$@" >"$out/$name.log" 2>&1
  code=$?
  printf '%-12s %s in %d s\n' "$name" "$([ $code = 0 ] && echo "done" || echo "FAILED with $code")" $((SECONDS - begin))
  if [ $code != 0 ]; then
    tail -n 15 "$out/$name.log" | sed 's/^/    /'
    failed=1
  fi
  return $code
}

configure() {
  local folder
  folder=$("$python" "$here/find_pybind11.py" "$build/pybind11") || return 1
  local generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  cmake -S "$root" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DKANTOR_CUDA=ON -DKANTOR_INPLACE=ON \
    -DCMAKE_CUDA_ARCHITECTURES="${KANTOR_ARCHITECTURE:-90}" -DPython_EXECUTABLE="$(command -v "$python")" \
    -Dpybind11_DIR="$folder" &&
    cmake --build "$build" --parallel
}

tests() {
  "$python" -m pytest -q -p no:cacheprovider "$@"
}

sanitize() {
  local tool=$1
  shift
  compute-sanitizer --tool "$tool" --error-exitcode 9 --target-processes all "$python" -m pytest -q \
    -p no:cacheprovider "$@"
}

export -f configure tests sanitize

cd "$root"
step build 240 configure || exit 1
step environment 60 "$python" "$here/environment.py" "$out/environment.json" || exit 1
kernels=tests/test_kernels.py
step test-kernels 150 tests "$kernels" -k "cuda or cupy"
step test-device 90 tests tests/test_cuda.py -k "device or driver"
if command -v compute-sanitizer >/dev/null; then
  small="cuda and not 1000003 and not large and not giant and not repeatable"
  step memcheck 150 sanitize memcheck "$kernels" -k "$small and (products or block or dot or axpby or prox)"
  step racecheck 120 sanitize racecheck "$kernels" -k "$small and (heavy or block or dot)"
else
  echo "compute-sanitizer is not here: no memcheck, no racecheck"
fi
step kernels 120 "$python" "$here/kernels.py" "$out/kernels.json" --scale "$scale"
step pdhg 120 "$python" "$here/pdhg.py" "$out/pdhg.json" --scale "$scale"
cat "$out/kernels.log" "$out/pdhg.log"
exit $failed
