"""The one Prefect harness of the whole test run."""

import pytest

import flows  # noqa: F401  (sets Prefect's environment before prefect is imported)


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory):
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        with prefect_test_harness(server_startup_timeout=120):
            yield
