"""What an account of the simulated Kling has bought, as the account query tells it."""

from typing import Any

from kolors_mcp.sandbox.codes import success

_DAY_SECONDS = 86400.0
_PACK_DAYS = 365
_BOUGHT_DAYS_AGO, _TRIAL_BOUGHT_DAYS_AGO = 100, 390
"""Before the sandbox opened; the trial pack has expired since."""
_TRIAL_UNITS, _TRIAL_UNITS_LEFT = 100, 37


def costs(units: int, units_left: int, opened_at: float, now: float, window: tuple[float, float]) -> dict[str, Any]:
    """Return the answer with the packs that were bought within a window.

    Args:
        units: How many the account bought.
        units_left: How many of them are left.
        opened_at: Since when the sandbox exists, in seconds since 1970, like the other times.
        now: The sandbox's time.
        window: Its two ends.
    """
    packs = [
        _pack("Kolors Virtual Try-On", units, units_left, opened_at - _BOUGHT_DAYS_AGO * _DAY_SECONDS, now),
        # What is left of an expired pack cannot be used, and must not be counted.
        _pack(
            "Kolors Virtual Try-On trial",
            _TRIAL_UNITS,
            _TRIAL_UNITS_LEFT,
            opened_at - _TRIAL_BOUGHT_DAYS_AGO * _DAY_SECONDS,
            now,
        ),
    ]
    first, last = window
    shown = [pack for pack in packs if first * 1000 <= pack["effective_time"] <= last * 1000]
    return success({"code": 0, "msg": "success", "resource_pack_subscribe_infos": shown})


def _pack(name: str, total: int, remaining: int, bought_at: float, now: float) -> dict[str, Any]:
    invalid_at = bought_at + _PACK_DAYS * _DAY_SECONDS
    status = "expired" if invalid_at <= now else "online" if remaining > 0 else "runOut"
    return {
        "resource_pack_name": name,
        "resource_pack_type": "decreasing_total",
        "total_quantity": total,
        "remaining_quantity": remaining,
        "effective_time": int(bought_at * 1000),
        "invalid_time": int(invalid_at * 1000),
        "status": status,
    }
