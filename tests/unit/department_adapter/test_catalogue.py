"""The catalogue: a version that follows the specifications, and a header that must still speak of the same columns."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import rfc8785

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import HeaderDepartment
from consentgate.statements import Custody
from department_adapter.catalogue import Catalogue
from department_adapter.mapping import MappedColumn
from paillier.columns import BinnedColumn, NumericColumn

MARGIN = MappedColumn(BinnedColumn("margin", 4, (-500, 0, 2500)), "tax.declarations", "net_margin", False)
TURNOVER = MappedColumn(NumericColumn("turnover", 2, 0, 10**7), "tax.declarations", "turnover", False)
ARREARS = MappedColumn(BinnedColumn("arrears", 0, (1,)), "tax.payments", "arrears", True)
CATALOGUE = Catalogue("tax", (MARGIN, TURNOVER, ARREARS))


def asked(*columns: MappedColumn) -> HeaderDepartment:
    return HeaderDepartment.model_validate(
        {
            "id": "tax",
            "missing": "fail",
            "columns": [{"category": entry.category, "spec": entry.column.to_json()} for entry in columns],
        }
    )


def refused(*columns: MappedColumn) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        CATALOGUE.releasable(asked(*columns), Custody.RECIPIENT)
    return caught.value


def test_version_is_the_digest_of_the_canonical_specifications() -> None:
    specifications = [entry.column.to_json() for entry in CATALOGUE.columns]
    assert CATALOGUE.version == hashlib.sha256(rfc8785.dumps(specifications)).hexdigest()


def test_version_changes_with_every_specification() -> None:
    changed = [
        (MARGIN, TURNOVER),
        (TURNOVER, MARGIN, ARREARS),
        (replace(MARGIN, column=BinnedColumn("margin", 4, (-500, 0, 2501))), TURNOVER, ARREARS),
        (MARGIN, replace(TURNOVER, column=NumericColumn("turnover", 2, 0, 10**7, log=True)), ARREARS),
    ]
    versions = {Catalogue("tax", columns).version for columns in changed}
    assert len(versions | {CATALOGUE.version}) == len(changed) + 1


def test_columns_come_in_the_order_of_the_header() -> None:
    assert CATALOGUE.releasable(asked(TURNOVER, MARGIN), Custody.RECIPIENT) == [TURNOVER, MARGIN]


def test_column_that_is_not_offered() -> None:
    error = refused(MARGIN, replace(MARGIN, column=BinnedColumn("profit", 0, (1,))))
    assert error.code == ErrorCode.COLUMN_NOT_RELEASABLE
    assert error.field == "scorecard_header.departments.columns.profit"


def test_column_of_another_category() -> None:
    assert refused(replace(MARGIN, category="tax.public")).code == ErrorCode.COLUMN_NOT_RELEASABLE


@pytest.mark.parametrize(
    "column",
    [
        BinnedColumn("margin", 4, (-500, 0, 2501)),
        BinnedColumn("margin", 4, (-500, 0)),
        BinnedColumn("margin", 3, (-500, 0, 2500)),
        NumericColumn("margin", 4, -500, 2500),
    ],
)
def test_column_whose_specification_changed(column: BinnedColumn | NumericColumn) -> None:
    error = refused(replace(MARGIN, column=column))
    assert (error.code, error.field) == (
        ErrorCode.CATALOGUE_CHANGED,
        "scorecard_header.departments.columns.margin",
    )


def test_high_risk_column_stays_in_recipient_custody() -> None:
    assert refused(ARREARS).code == ErrorCode.CUSTODY_NOT_ALLOWED
