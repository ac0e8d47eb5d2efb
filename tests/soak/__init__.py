"""Grants wishes through real servers, kills and faults, and counts what was paid twice, lost or misnamed."""
