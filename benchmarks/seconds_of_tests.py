"""A plugin of pytest that lists the processor seconds of the slowest tests and files: `-p benchmarks.seconds_of_tests`.

Processor time (user and system) depends less on other work on the machine than the durations that pytest shows. That of
processes which a test starts is counted when the test has waited for them. Those that are forked from the server of
`tests/faults/processes.py` are not counted.
"""

import resource
import time
from collections import Counter

import pytest

SLOWEST = 10
PROPERTY = "processor_s"

seconds: Counter[str] = Counter()


def now():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measured(item):
    begin = now()
    try:
        return (yield)
    finally:
        item.user_properties.append((PROPERTY, now() - begin))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from measured(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from measured(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    return (yield from measured(item))


def pytest_runtest_logreport(report):
    """In the process that prints the results, also for tests that other processes ran."""
    if report.when == "teardown":
        seconds[report.nodeid] += sum(value for name, value in report.user_properties if name == PROPERTY)


def pytest_terminal_summary(terminalreporter):
    files: Counter[str] = Counter()
    for test, value in seconds.items():
        files[test.partition("::")[0]] += value
    for title, found in (("tests", seconds), ("files", files)):
        terminalreporter.section(f"processor seconds of the slowest {title}, of {found.total():.0f} in total")
        for name, value in found.most_common(SLOWEST):
            terminalreporter.line(f"{value:8.2f}  {name}")
