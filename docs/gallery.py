"""Makes docs/gallery.md again: runs its commands, and puts in what they print and the figures that it shows.

Each `sh` block of the page is run in an empty folder with the commands' scripts. The `text` block after it becomes the
output of its last command, and each figure `gallery/NAME-FIGURE.svg` is taken from the report of logs/NAME. It needs
access to the Python package index.

    python docs/gallery.py
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
BLOCKS = re.compile(r"```sh\n(?P<commands>.*?)```\n\n```text\n(?P<output>.*?)```", re.S)
FIGURES = re.compile(r"\]\(gallery/(\w+)-(\w+)\.svg\)")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in ("train.py", "analyze.py", "attnae", "configs", "docs"):
            Path(folder, name).symlink_to(ROOT / name)
        page = BLOCKS.sub(lambda block: run_again(block, folder), PAGE.read_text())
        for name, figure in FIGURES.findall(page):
            drawn = Path(folder, "logs", name, "analysis", "figures", f"{figure}.svg")
            shutil.copy(drawn, PAGE.with_suffix("") / f"{name}-{figure}.svg")
        PAGE.write_text(page)


def run_again(block, folder):
    """The block with what its last command prints now."""
    tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    printed = ""
    for command in block["commands"].splitlines():
        done = subprocess.run(
            ["bash", "-ec", command], cwd=folder, env=tools, stdout=subprocess.PIPE, text=True, check=True
        )
        printed = done.stdout
    kept = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return f"```sh\n{block['commands']}```\n\n```text\n{kept}\n```"


if __name__ == "__main__":
    main()
