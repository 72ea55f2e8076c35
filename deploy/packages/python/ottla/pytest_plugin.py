"""The plugin of pytest: `ottla` is the lab of the whole run, `ottla_cluster` a cluster of its own for each test.

    @pytest.mark.ottla(topics=["orders:6"])
    def test_retry(ottla_cluster):
        ottla_cluster.fault(api="Produce", error="NOT_LEADER_OR_FOLLOWER", once=True)
        my_application(ottla_cluster.bootstrap)

A test that fails shows the seed, the rules and the last requests. A rule that never acted fails the test that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generator, Iterator

import pytest

if TYPE_CHECKING:
    from .lab import Cluster, Lab

_CLUSTER = "_ottla_cluster"
_FAILED = "_ottla_failed"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ottla")
    group.addoption("--ottla-seed", type=int, default=None, help="the seed of the lab, as a failed test shows it")


def pytest_configure(config: pytest.Config) -> None:
    words = "topics, configs, faults, seed, ttl of the cluster that ottla_cluster makes"
    config.addinivalue_line("markers", f"ottla(...): {words}")


@pytest.fixture(scope="session")
def ottla(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab of the run. It is started by the first test that asks for it."""
    from .lab import Lab

    with Lab(seed=request.config.getoption("--ottla-seed")) as lab:
        yield lab


@pytest.fixture
def ottla_cluster(request: pytest.FixtureRequest, ottla: Lab) -> Iterator[Cluster]:
    """A cluster of its own, dropped after the test; the mark `ottla` says what it is like."""
    marks: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("ottla"))):
        marks.update(mark.kwargs)
    with ottla.cluster(**marks) as cluster:
        setattr(request.node, _CLUSTER, cluster)
        yield cluster
        # A test that fails already is not told twice.
        if not getattr(request.node, _FAILED, False):
            cluster.check_faults()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, _CLUSTER, None)
    if report.when == "call" and report.failed and cluster is not None:
        setattr(item, _FAILED, True)
        from .lab import LabError

        try:
            story = cluster.story()
        except LabError as error:
            story = str(error)
        report.sections.append(("ottla", story))
    return report
