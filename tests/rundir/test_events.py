"""The event files of the logger, as readers find them."""

import time

from attnae.rundir.events import EventLogger


def test_event_file_of_a_resumed_run_sorts_last_even_within_the_same_second(tmp_path):
    """Readers sort the files by name: second, host, process. `~` sorts after every host name."""
    earlier = tmp_path / f"events.out.tfevents.{int(time.time()):010d}.~.1.0"
    earlier.touch()
    logger = EventLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.close()
    first, second = sorted(tmp_path.iterdir())
    assert first == earlier
    assert second.stat().st_size > 0
