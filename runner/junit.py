"""Results of stories as JUnit XML, which CI servers show."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET


class Case(NamedTuple):
    """One story that was told."""

    file: str
    title: str
    seconds: float
    failures: Sequence[str]
    """What failed, a line each; none: it holds."""
    timeline: Sequence[str]


def junit(cases: Sequence[Case]) -> bytes:
    """The report, as bytes of an XML file."""
    failed = sum(bool(case.failures) for case in cases)
    suite = ET.Element(
        "testsuite",
        name="crosscurrent test",
        tests=str(len(cases)),
        failures=str(failed),
        errors="0",
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    for case in cases:
        element = ET.SubElement(
            suite, "testcase", classname=case.file, name=case.title, time=f"{case.seconds:.3f}"
        )
        if case.failures:
            failure = ET.SubElement(element, "failure", message=case.failures[0])
            failure.text = "\n".join([*case.failures, "", *case.timeline])
    ET.indent(suite)
    content: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
