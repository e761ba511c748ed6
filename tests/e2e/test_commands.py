"""The command line on a platform that runs, and goes on running."""

from contracts.topology import SERVICES
from tests.platform_process import Platform


def test_all_of_it_is_ready_and_named_by_the_topology(platform: Platform) -> None:
    status = platform.wait_ready()

    assert [process["name"] for process in status["processes"] if process["kind"] in ("api", "worker")] == [
        *(service.api for service in SERVICES),
        *(service.worker for service in SERVICES),
    ]
    assert {process["name"] for process in status["processes"]} >= {
        "temporal",
        "postgres",
        "valkey-carts",
        "valkey-bus",
        "mongo",
        "psp",
        "mail",
        "gateway",
    }


def test_a_platform_that_runs_already_is_used_and_left_running(platform: Platform) -> None:
    for _ in range(2):
        run = platform.run("demo", "--exit")
        assert run.returncode == 0, run.stdout + run.stderr

    platform.wait_ready()
