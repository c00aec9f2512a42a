#!/usr/bin/env bash
# Draws the pictures of the README and of docs/findings.md from real runs:
#   docs/pictures.sh RUN STUDY [FOLDER]
# RUN is a run with spatial attention, and STUDY is the directory of a study. The pictures are written to FOLDER
# (default: docs/pictures).
set -euo pipefail
run=$1 study=${2:?usage: docs/pictures.sh RUN STUDY [FOLDER]}
folder=${3:-$(dirname "${BASH_SOURCE[0]}")/pictures}
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT

mkdir -p "$folder"
attnae walk "$run" -o "$folder/walk.png"
attnae attention "$run" "$(sed -n 's/^dataset: //p' "$run/config.yaml")" -n 12 -o "$folder/attention.png"
attnae analyze "$study" --out "$report" >"$report/terminal"
cp "$report/figures/forest.svg" "$report/figures/marginal_means.svg" "$folder"
