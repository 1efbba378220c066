"""Functions are short enough to be read at once."""

from tests.architecture.source_tree import SCRIPTS, body_lines, functions_in, name_of, package_modules

LONGEST_BODY_LINES = 60
USUAL_BODY_LINES = 30
USUAL_SHARE = 0.95


def _sizes() -> list[tuple[int, str]]:
    modules = [*package_modules(), *sorted(SCRIPTS.rglob("*.py"))]
    return sorted(
        (body_lines(function), f"{name_of(module)}:{function.lineno} {function.name}")
        for module in modules
        for function in functions_in(module)
    )


def test_no_function_body_is_longer_than_a_screen() -> None:
    too_long = [f"{where}: {lines} lines" for lines, where in _sizes() if lines > LONGEST_BODY_LINES]
    assert too_long == []


def test_nineteen_of_twenty_function_bodies_are_short() -> None:
    sizes = _sizes()
    assert sizes, "no function found: the test looks in the wrong place"
    usual, _ = sizes[int(len(sizes) * USUAL_SHARE)]
    longest = [f"{where}: {lines} lines" for lines, where in sizes if lines > USUAL_BODY_LINES]
    assert usual <= USUAL_BODY_LINES, f"the 95th percentile is {usual} lines: {longest}"
