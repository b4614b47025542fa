"""What Prometheus reads at /metrics; each application counts for itself."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Counts:
    """The counters, by name as in docs/server.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lift_requests", "requests answered", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "lift_request_seconds",
            "time to the end of the answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.verdicts = Counter("lift_verdicts", "verdicts given", ["decision"], registry=self.registry)
        self.photos = Counter(
            "lift_photos_changed",
            "photos added, updated, set aside, deleted",
            ["what"],
            registry=self.registry,
        )
        self.depth = Gauge(
            "lift_queue_depth", "pieces of work that wait or run", ["lane"], registry=self.registry
        )
        self.held = Gauge("lift_photos", "photos in the INDEX", registry=self.registry)

    def watch_lane(self, name: str, held: Callable[[], float]) -> None:
        """Read the depth of a lane when asked."""
        self.depth.labels(name).set_function(held)

    def text(self) -> bytes:
        """The page."""
        return generate_latest(self.registry)
