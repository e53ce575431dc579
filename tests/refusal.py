"""What a refusal is: an error that says what is wrong, and an account that is as it was."""

import pytest


def state(account):
    """All that an account holds, to be compared."""
    pools = [(p.name, p.positions, dict(p.collateral), dict(p.marks)) for p in account.pools]
    flows = [dict(event.flows) for event in account.events]
    return repr(account), account.balances(), account.events, flows, dict(account.marks), pools


def refused(error, words, action, account=None):
    """`action` raises just `error`, its message holds all `words`, and the account is as it was.

    `Refused` is what the venue says; bad input is a ValueError, TypeError or KeyError of its own.
    """
    before = state(account) if account else None
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        action()
    assert caught.type is error, caught.value
    for word in words:
        assert word in str(caught.value)
    assert account is None or state(account) == before
