"""A conformance suite for providers: `CHECKS` hold what `Provider` promises.

    import pytest
    from convergio_mlx.testing import CHECKS, Subject

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_provider(check):
        check(Subject(create=MyProvider, model="my-model"))

Needs no pytest: `report(subject)` runs all of them and tells of each.
"""

from convergio_mlx.testing.conformance import CHECKS, Check, Result, report
from convergio_mlx.testing.subject import Subject

__all__ = ["CHECKS", "Check", "Result", "Subject", "report"]
