"""The OpenAPI document is true: schemathesis sends what it allows and what it does not."""

from __future__ import annotations

import json
import urllib.request

import pytest
from live_server import fitted, served

pytest.importorskip("starlette", reason="the extra 'live' is not installed")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra: dev)")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

CHECKS = [
    *(schemathesis.checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance),
    *(checks.response_schema_conformance, checks.response_headers_conformance, checks.unsupported_method),
    checks.negative_data_rejection,
]
OPERATIONS = [("GET", "/health"), ("GET", "/v1/model"), ("POST", "/v1/predict")]
SLOW = {"max_examples": 25, "deadline": None, "database": None, "derandomize": True}


@pytest.fixture(scope="module")
def address(small_study, tmp_path_factory):
    bundle = fitted(small_study).save(tmp_path_factory.mktemp("bundle") / "small.npz")
    with served(bundle, limits={"requests": 1_000_000, "deadline": 20.0}) as (url, _):
        yield url


@pytest.fixture(scope="module")
def api(address):
    with urllib.request.urlopen(f"{address}openapi.json") as answer:
        return schemathesis.openapi.from_dict(json.load(answer))


def test_all_operations_are_tested(api):
    assert sorted((one.ok().method.upper(), one.ok().path) for one in api.get_all_operations()) == OPERATIONS


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_random_requests_are_answered_as_documented(api, address, method, path, mode):
    statuses = set()

    @settings(suppress_health_check=list(HealthCheck), **SLOW)
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def send(case):
        statuses.add(case.call_and_validate(base_url=address.rstrip("/"), checks=CHECKS).status_code)

    try:
        send()
    except Exception as error:
        if "negative" not in mode.value or "Unsatisfiable" not in type(error).__name__:
            raise  # an operation without parameters has no request that is not allowed
    assert not {status for status in statuses if status >= 500}
