"""What the user names with --factors and --response counts as that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attnae.analysis.audit.audit import Audit, audit_runs
from attnae.errors import UserError
from attnae.reading.read import read_logs


def audit(path: Path, text: str, **options: object) -> Audit:
    path = path / "runs.csv"
    path.write_text(text)
    return audit_runs(read_logs(path), **options)  # type: ignore[arg-type]


GRID = "lr,act,f1,loss\n" + "".join(
    f"{(0.1, 0.2)[row % 2]},{('elu', 'relu')[row // 4]},{1 + row % 4 // 2},{1 + row / 8}\n" for row in range(8)
)


def test_a_result_is_a_setting_if_the_user_says_so(tmp_path: Path) -> None:
    assert audit(tmp_path, GRID, response="loss").settings == ("lr", "act")
    found = audit(tmp_path, GRID, response="loss", factors=["lr,f1"])
    assert found.factors == ("lr", "f1")
    assert found.table["f1"].tolist() == [1, 1, 2, 2, 1, 1, 2, 2]


def test_a_setting_is_the_response_if_the_user_says_so(tmp_path: Path) -> None:
    text = "run_id,status,params.size,params.bn\n" + "".join(
        f"r{row},FINISHED,{3.5 + row},{row % 2}\n" for row in range(6)
    )
    with pytest.raises(UserError, match=r"no scalar values \(no column looks like a result\).* --response"):
        audit(tmp_path, text)
    found = audit(tmp_path, text, response="params.size")
    assert (found.response, found.factors) == ("size", ("bn",))
    assert found.table["response"].tolist() == [3.5, 4.5, 5.5, 6.5, 7.5, 8.5]
    with pytest.raises(UserError, match="--response act: no run has this tag"):
        audit(tmp_path, GRID, response="act")


def test_a_table_in_which_nothing_was_measured(tmp_path: Path) -> None:
    """No setting becomes the response by itself, whatever stands last."""
    with pytest.raises(UserError, match="no column looks like a result"):
        audit(tmp_path, "bn,lr\nTrue,0.1\nTrue,0.2\nFalse,0.1\nFalse,0.2\n")
    with pytest.raises(UserError, match="loss has no values"):
        audit(tmp_path, "bn,lr,loss\nTrue,0.1,\nTrue,0.2,\nFalse,0.1,\nFalse,0.2,\n")


def test_runs_that_logged_another_result(tmp_path: Path) -> None:
    text = "lr,val_acc,val_f1\n" + "".join(f"{(0.1, 0.2)[row % 2]},0.{row + 1},\n" for row in range(8))
    found = audit(tmp_path, text + "0.1,,0.5\n0.2,,0.75\n")
    line = "2 of 10 runs logged no val_acc and are not compared; what was logged there is val_f1"
    assert line in found.warnings


def test_more_settings_than_can_be_compared(tmp_path: Path) -> None:
    names = [f"x{number}" for number in range(120)]
    levels = np.random.default_rng(0).integers(0, 2, (60, 120)).astype(str).tolist()
    rows = [["", *row[1:]] if place == 0 else row for place, row in enumerate(levels)]
    text = "\n".join(
        [",".join([*names, "loss"]), *(",".join([*row, str(place / 7)]) for place, row in enumerate(rows))]
    )
    found = audit(tmp_path, text)
    crowd = [name for name, reason in found.identifiers.items() if reason.startswith("not among the first 100")]
    assert crowd == [*names[101:], "x0"]
    assert any(line.startswith("120 settings vary, of which the 100 that most runs record") for line in found.warnings)
    assert audit(tmp_path, text, factors=["x0", "x119"]).settings == ("x0", "x119")


def test_settings_set_aside_for_one_reason_are_one_line(tmp_path: Path) -> None:
    rows = [f"a{row % 5},b{row * 7 % 5},c{row * 3 % 4},d{row * 5 % 3},{row / 7}" for row in range(9)]
    found = audit(tmp_path, "\n".join(["a,b,c,d,loss", *rows]), design="factorial")
    aside = [line for line in found.warnings if "cannot be told apart" in line]
    assert len(aside) == 1
    assert aside[0].startswith(" and ".join([", ".join([*found.set_aside][:-1]), [*found.set_aside][-1]]))
    assert len(found.set_aside) > 1


def test_the_only_setting_stays_although_half_of_the_runs_lack_it(tmp_path: Path) -> None:
    rows = [f"0.1,{momentum},0.{row}" for row, momentum in enumerate(["0.9", "0.5", "", "", ""], start=1)]
    found = audit(tmp_path, "\n".join(["lr,momentum,valid_acc", *rows]))
    assert (found.factors, found.unrecorded) == (("momentum",), {"momentum": 3})


def test_a_setting_that_half_of_the_runs_lack_keeps_all_runs(tmp_path: Path) -> None:
    rows = [f"{(0.1, 0.2)[row % 2]},{1 + row // 2 % 2 if row < 8 else ''},{row / 8}" for row in range(16)]
    found = audit(tmp_path, "\n".join(["lr,extra,loss", *rows]))
    assert found.factors == ("lr",)
    assert found.set_aside == {"extra": "8 runs of 16 do not record it"}


def test_data_sets_that_are_compared(tmp_path: Path) -> None:
    rows = [f"{('mnist', 'digits')[row % 2]},{(0.1, 0.2)[row // 2 % 2]},{row / 8}" for row in range(16)]
    found = audit(tmp_path, "\n".join(["dataset,lr,loss", *rows]))
    assert found.factors == ("dataset", "lr")
    assert any(line.startswith("dataset names the data or the task") for line in found.warnings)


def test_words_of_many_values_are_no_alternatives(tmp_path: Path) -> None:
    """25,000 words would take 5 GB to compare."""
    rows = [f"{(0.1, 0.2)[row % 2]},word {row // 2 * 7 % 101},{row / 8}" for row in range(202)]
    found = audit(tmp_path, "\n".join(["lr,prompt,loss", *rows]))
    assert (found.settings, found.doubtful) == (("lr",), ("prompt",))
    assert found.identifiers == {"prompt": "has more than 100 values, among them words"}
    assert audit(tmp_path, "\n".join(["lr,prompt,loss", *rows[:200]])).settings == ("lr", "prompt")
