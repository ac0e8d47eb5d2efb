"""Every code of the vendor's table, and those of none: which error it becomes, and whether a create is in doubt."""

import pytest

from kolors_mcp import errors
from kolors_mcp.kling.client import KlingClient
from kolors_mcp.kling.refusals import MEANINGS
from kolors_mcp.sandbox import faults
from kolors_mcp.sandbox.kling import SandboxKling
from tests.support.making import create_request

pytestmark = pytest.mark.anyio

VENDOR_CODES = {
    **dict.fromkeys((1000, 1001, 1002), errors.AuthenticationError),
    **dict.fromkeys((1003, 1004), errors.ClockSkewError),
    **dict.fromkeys((1100, 1101), errors.AccountBlockedError),
    1102: errors.OutOfUnitsError,
    1103: errors.NotPermittedError,
    **dict.fromkeys((1200, 1201), errors.RequestRefusedError),
    **dict.fromkeys((1202, 1203), errors.NoSuchResourceError),
    **dict.fromkeys((1300, 1301), errors.PolicyRefusedError),
    1302: errors.TooFastError,
    1303: errors.AllSlotsBusyError,
    1304: errors.AddressNotAllowedError,
    **dict.fromkeys((5000, 5001, 5002), errors.UnavailableError),
}
"""The vendor's table of codes, and what each has to become."""


def test_the_table_of_meanings_is_the_vendors_table() -> None:
    assert {code: meaning.error for code, meaning in MEANINGS.items()} == VENDOR_CODES


@pytest.mark.parametrize("code", VENDOR_CODES)
async def test_every_code_becomes_its_typed_error_when_creating(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    kling.faults.next_create(faults.Refuse(code), times=None)
    with pytest.raises(errors.KlingError) as caught:
        await client.create(create_request())
    assert kling.tasks_created == 0
    if VENDOR_CODES[code] is errors.UnavailableError:
        assert isinstance(caught.value, errors.UnconfirmedCreateError)
        assert isinstance(caught.value.__cause__, errors.UnavailableError)
        assert 'get_try_on with task_id "k-1"' in str(caught.value)
    else:
        assert type(caught.value) is VENDOR_CODES[code]
        assert "No task was created." in str(caught.value)
    assert f"code {code}" in str(caught.value)
    assert len(kling.requests) == 1, "a create is sent once"


@pytest.mark.parametrize("code", VENDOR_CODES)
async def test_reads_ride_out_what_passes_and_report_what_does_not(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    task = await client.create(create_request())
    kling.faults.next_read(faults.Refuse(code), times=2)
    if VENDOR_CODES[code].retryable:
        assert (await client.read(task.id)).id == task.id
        return
    expected = errors.TaskNotFoundError if code in (1202, 1203) else VENDOR_CODES[code]
    with pytest.raises(expected) as caught:
        await client.read(task.id)
    assert "No task was created" not in str(caught.value)


@pytest.mark.parametrize("code", [-1, 7, 42, 900, 999, 1005, 1099, 1299, 1305, 1999, 2000, 4242, 5003, 10**30])
async def test_a_code_of_no_table_leaves_a_create_in_doubt(kling: SandboxKling, client: KlingClient, code: int) -> None:
    kling.faults.next_create(faults.Refuse(code, "odd\u202e thing\nhere", status=400))
    with pytest.raises(errors.UnconfirmedCreateError, match="may exist and be billed") as caught:
        await client.create(create_request())
    assert f"(code {code}; Kling says " in str(caught.value)
    assert "odd thing here" in str(caught.value), "Kling's words are quoted on one line, without hidden characters"
    assert len(kling.requests) == 1


@pytest.mark.parametrize("code", [code for code in VENDOR_CODES if code < 5000])
@pytest.mark.parametrize("status", [500, 503, 599])
async def test_a_status_of_failure_leaves_a_create_in_doubt_whatever_its_code(
    kling: SandboxKling, client: KlingClient, code: int, status: int
) -> None:
    kling.faults.next_create(faults.Refuse(code, status=status, accepted=True))
    with pytest.raises(errors.UnconfirmedCreateError, match=f"HTTP {status}.*code {code}"):
        await client.create(create_request())
    assert [seen.method for seen in kling.requests] == ["POST"], "nor is it signed anew and sent again"


@pytest.mark.parametrize("code", [999, 1305, 2000])
async def test_a_code_of_no_table_is_shown_to_whoever_reads(
    kling: SandboxKling, client: KlingClient, code: int
) -> None:
    kling.faults.next_read(faults.Refuse(code, "odd", status=400), times=None)
    with pytest.raises(errors.UnexpectedAnswerError, match=f'code {code}; Kling says "odd"'):
        await client.read("842")
