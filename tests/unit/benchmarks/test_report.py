"""The pages that make bench writes."""

from xml.etree import ElementTree

from scripts.benchmarks.latency_plot import latency_plot
from scripts.benchmarks.limits import check_limits
from scripts.benchmarks.report import markdown
from tests.unit.benchmarks.example_report import example_report, example_run


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    for table in markdown(example_report()).split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_the_page_has_a_row_for_each_run_in_each_table_of_the_live_part() -> None:
    page = markdown(example_report())
    assert page.count("\n| 16 |") == 3
    assert page.count("\n| 12, a partial each 1000 ms |") == 3


def test_the_page_has_a_row_for_each_model() -> None:
    row = "| moonshine-tiny-en | sherpa-onnx | 3 (30.0 s) | en 7.0 % | 60.0 | 55.0 |"
    assert row in markdown(example_report())


def test_limits_are_shown_with_their_verdicts() -> None:
    report = example_report()
    del report["offline"]
    report["live"]["runs"][1]["lost"] = 2
    page = markdown(report | {"limits": check_limits(report)})
    assert "| ≥ 3 x | – | not measured |" in page
    assert "| ≤ 0 | 2 | **fail** |" in page
    assert "| < 1200 ms | 320 | pass |" in page
    assert "beside faster-whisper" not in page


def test_the_plot_has_a_point_for_each_run_at_the_own_interval() -> None:
    image = ElementTree.fromstring(latency_plot(example_report()["live"]["runs"]))
    curves = [element for element in image if element.tag.endswith("polyline")]
    assert [len(curve.attrib["points"].split()) for curve in curves] == [3, 3, 3, 3]


def test_the_plot_leaves_out_what_was_not_measured() -> None:
    refused = example_run(64)
    refused["partial_lag_ms"] = {"count": 0, "p50": None, "p95": None, "p99": None}
    image = ElementTree.fromstring(latency_plot([example_run(1), refused]))
    curves = [element for element in image if element.tag.endswith("polyline")]
    assert [len(curve.attrib["points"].split()) for curve in curves] == [2, 2, 1, 1]


def test_the_plot_fits_the_slowest_of_runs() -> None:
    slow = example_run(32)
    slow["final_after_speech_ms"]["p95"] = 14_000
    image = ElementTree.fromstring(latency_plot([slow]))
    tops = [float(line.attrib["y1"]) for line in image if line.tag.endswith("line") and "points" not in line.attrib]
    dots = [float(dot.attrib["cy"]) for dot in image.iter() if dot.tag.endswith("circle")]
    assert min(dots) >= min(tops)
