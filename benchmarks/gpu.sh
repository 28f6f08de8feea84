#!/bin/sh
# Everything that is to be known of a GPU, in under 9 minutes and without a network: tests marked gpu, then measurements.
#   sh benchmarks/gpu.sh [FOLDER] [--tiny]
# FOLDER (default: gpu-results) gets tests.xml, gpu.json and gpu.md. What has not begun after SECONDS_IN_ALL (520) is left
# out. Without a GPU it runs to its end with --tiny, which is how it is tested; its figures mean nothing then.
set -eu
folder=${1:-gpu-results}
[ $# -gt 0 ] && shift
mkdir -p "$folder"
python=${PYTHON:-python}
root=$(cd "$(dirname "$0")/.." && pwd)
begun=$(date +%s)
status=0
folder=$(cd "$folder" && pwd)
(cd "$root" && timeout 150 "$python" -m pytest -q -p no:cacheprovider -m gpu tests/test_jobs_on_gpu.py \
  --junitxml="$folder/tests.xml") || status=$?
left=$((${SECONDS_IN_ALL:-520} - $(date +%s) + begun))
"$python" "$root/benchmarks/speed/gpu.py" --out "$folder" --seconds "$left" --tests "$folder/tests.xml" "$@"
exit "$status"
