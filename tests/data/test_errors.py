import threading

import pytest

from jaxvision.data.errors import DataError, FaultLog, on_fault


def test_counts_and_lists_the_most_frequent_first():
    faults = FaultLog()
    for name in ("a.jpg", "b.jpg", "b.jpg"):
        faults(DataError(f"{name}: truncated"))
    assert faults.report().splitlines() == [
        "3 examples dropped, 2 different faults:",
        "  2 x b.jpg: truncated",
        "  1 x a.jpg: truncated",
    ]


def test_a_report_starts_anew():
    faults = FaultLog()
    assert faults.report() == ""
    faults(DataError("a.jpg"))
    assert faults.report() and faults.report() == ""


def test_long_lists_are_cut():
    faults = FaultLog()
    for i in range(13):
        faults(DataError(f"{i}.jpg"))
    lines = faults.report().splitlines()
    assert len(lines) == 12 and lines[-1] == "  and 3 more"


def test_no_fault_of_any_thread_is_lost():
    faults = FaultLog()

    def work():
        for _ in range(2_000):
            faults(DataError("a.jpg"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "  8000 x a.jpg" in faults.report()


def test_rules_of_a_config():
    on_fault("drop")(DataError("a.jpg"))
    with pytest.raises(DataError, match=r"a\.jpg"):
        on_fault("error")(DataError("a.jpg"))
    with pytest.raises(ValueError, match="expected error or drop for faulty examples, got skip"):
        on_fault("skip")
