#!/usr/bin/env bash
# Draws the pictures of the README and of the documents from real runs:
#   docs/pictures.sh RUN STUDY FAMILY [FOLDER]
# RUN is a run with spatial attention, STUDY is the directory of a study, and FAMILY that of configs/attention-family.yaml.
# The pictures are written to FOLDER (default: docs/pictures).
set -euo pipefail
run=$1 study=$2 family=${3:?usage: docs/pictures.sh RUN STUDY FAMILY [FOLDER]}
folder=${4:-$(dirname "${BASH_SOURCE[0]}")/pictures}
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT

mkdir -p "$folder"
attnae walk "$run" -o "$folder/walk.png"
attnae attention "$run" "$(sed -n 's/^dataset: //p' "$run/config.yaml")" -n 12 -o "$folder/attention.png"
attnae analyze "$study" --out "$report" >"$report/terminal"
# Two seeds of each module that has maps, and the first block, whose map is as large as the image.
maps=()
for attention in spatial cbam simam coordinate; do
    maps+=("$family/attention=$attention,seed=768" "$family/attention=$attention,seed=769")
done
attnae attention "${maps[0]}" digits -n 10 --block encoder.stage0.block0 --beside "${maps[@]:1}" \
    -o "$folder/attention-family.png"
cp "$report/figures/forest.svg" "$report/figures/marginal_means.svg" "$folder"
