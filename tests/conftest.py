"""What all tests share: hypothesis runs the same examples every time, and the laws' assertions explain themselves."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("laws")

settings.register_profile("suite", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
