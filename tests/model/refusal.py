"""What a refusal is: an error that says what is wrong, and an account that is as it was."""

import pytest

from marginlab import Refused


def state(account):
    """All that an account holds, to be compared."""
    pools = [(p.name, p.positions, dict(p.collateral), dict(p.marks)) for p in account.pools]
    flows = [dict(event.flows) for event in account.events]
    return repr(account), account.balances(), account.events, flows, dict(account.marks), pools


def refused(error, words, action, account=None):
    """`action` raises just `error`, its message holds all `words`, and the account is as it was."""
    before = state(account) if account else None
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        action()
    assert caught.type is (Refused if issubclass(caught.type, Refused) and error is ValueError else error)
    for word in words:
        assert word in str(caught.value)
    assert account is None or state(account) == before
