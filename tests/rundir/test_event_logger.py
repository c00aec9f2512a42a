"""The logger's files, as readers find them."""

import time

from attnae.rundir.event_logger import EventLogger


def test_a_resumed_run_sorts_behind_what_it_goes_on_with_even_within_a_second(tmp_path):
    """Readers take the files by name: second, host, process. `~` sorts behind every host."""
    earlier = tmp_path / f"events.out.tfevents.{int(time.time()):010d}.~.1.0"
    earlier.touch()
    logger = EventLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.close()
    first, second = sorted(tmp_path.iterdir())
    assert first == earlier
    assert second.stat().st_size > 0
