"""Which margin carries a book through many paths: every margin, in both modes, from one pass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..contracts import Position
from .runs import asked, rows, survive
from .troughs import why_no_loss

ROUNDING = 1e-12  # a pool whose margin is so little above what it needs is at its line


def survival(
    venue, book, paths, rates=None, together=None, margin=None, horizons=1, executor=None, chunk=4_000, skip=()
):
    """What a book of positions needs on each of many paths, with a pool for each position and with one for all.

        survival(venues.TEACHING, [Position(perp, 1, 50_000)], Brownian({"BTC": 50_000}, ...))

    The slack of a pool is its margin plus pnl - funding - requirement. The least of that sum on a path is the pool's
    *trough*, and the margin is not in it: a pool is liquidated on a path if its margin is at most -trough. So one pass
    answers for every margin (see `Survival`), as long as

    - the requirement does not depend on leverage or margin (not at HTX, and not with a fee at the bankruptcy price);
    - funding is paid by the pool itself;
    - sizes stay as they are: nothing is added, taken out or closed before the pool is liquidated;
    - the margin is one currency, with one haircut for every amount.

    That is checked, and refused with the reason; then `outcomes` steps through the paths for one margin. Whether a book
    could have been opened (initial margin, the end of a schedule) is not checked: `Account.trade` does that.

    Parameters
    ----------
    venue : Venue
    book : sequence of Position
    paths : Paths
        With the index of every position, and the margin's currency if it has a price.
    rates : mapping of instrument or symbol to float or array of shape (steps,), optional
        Funding rate paid after each step, 0 where nothing is due; one number is paid after every step. The venue looks
        before and after a payment.
    together : sequence of str, optional
        Labels of the positions in the shared pool, such as "long BTC-USDT"; all of them if absent.
    margin : str, optional
        Currency of the margin in the shared pool of a multi-currency account.
    horizons : int or sequence of int
        Steps up to which troughs are kept: so many, equally spaced, or the steps themselves. The last is always one.
    executor : concurrent.futures.Executor, optional
        Where the work is done: a ProcessPoolExecutor, `Client.get_executor()` of Dask. The answer is the same to the
        bit; absent, it is done here.
    chunk : int
        Paths for each task, in whole blocks (see `Paths`). It has no part in the answer; what is held of the paths
        themselves is a few slabs of a block, whatever it is.
    skip : sequence of int
        Numbers of paths that are known already; see `Survival.joined`.

    Interrupted (Ctrl-C), it returns what is complete, with a line that says how many paths these are.

    Returns a `Survival`. TypeError or ValueError for what cannot be meant, or where a condition fails.
    """
    positions = (book,) if isinstance(book, Position) else tuple(book) if isinstance(book, Iterable) else ()
    if not positions or not all(isinstance(p, Position) for p in positions):
        raise TypeError(f"book must be a sequence of Position values, at least one, not {book!r}")
    rates = rows(rates or {}, positions, paths)
    made, names = asked(venue, positions, paths, rates, together, margin, horizons)
    return Survival(*survive(made, names, executor, chunk, skip))


@dataclass(frozen=True, eq=False, repr=False)
class Survival:
    """What a book needs on each path, for every margin. Made by `survival`.

    A *split* says which pools hold the book: the name of one ("cross USDT"), or a mapping of pools to their shares of
    the capital, {"long BTC-USDT": 0.5, "short ETH-USDT": 0.3}. What the shares leave is idle, in no pool; a position of
    no pool is not held. `isolated` and `shared` are such splits. Capital is in the currency of the margin.

    Attributes
    ----------
    pools : mapping of name to Pool
        Without collateral; of each position alone, under its label, and the shared ones.
    currency : mapping of name to str
        In which the margin of each is held.
    horizons : tuple of int
    number : ndarray of shape (paths,)
        Which paths these are.
    trough, when : mapping of name to ndarray of shape (horizons, paths)
        The least of pnl - funding - requirement up to each horizon, and the step at which it was first reached.
    gain : mapping of name to ndarray of shape (paths,)
        pnl - funding at the last step, if the pool lives to see it.
    """

    pools: Mapping
    currency: Mapping
    horizons: tuple
    number: np.ndarray
    trough: Mapping
    when: Mapping
    gain: Mapping
    _unknown: Mapping = field(init=False)

    def __post_init__(self):
        unknown = {name: why_no_loss(pool, self.currency[name]) for name, pool in self.pools.items()}
        object.__setattr__(self, "_unknown", unknown)

    @property
    def isolated(self):
        """The split with a pool for each position, by notional: one leverage for all, and one currency."""
        sizes = {name: abs(pool.positions[0].notional(pool.positions[0].entry)) for name, pool in self._single.items()}
        return {name: size / sum(sizes.values()) for name, size in self._one_currency(sizes).items()}

    @property
    def shared(self):
        """The name of the shared pool; ValueError unless there is exactly one."""
        names = [name for name in self.pools if name not in self._single]
        if len(names) != 1:
            raise ValueError(f"there must be one shared pool, not {len(names)}: {', '.join(names) or 'none'}")
        return names[0]

    @property
    def _single(self):
        return {name: pool for name, pool in self.pools.items() if name == pool.positions[0].label}

    def needed(self, split, horizon=None):
        """On each path, the capital at which a pool of the split is just liquidated: more of it, and none is. An array
        of shape (paths,); up to a horizon, the last if None."""
        at = len(self.horizons) - 1 if horizon is None else self._horizon(horizon)
        return np.max([-self.trough[name][at] / share for name, share in self._split(split).items()], axis=0)

    def survived(self, capital, split, horizon=None):
        """Share of the paths on which no pool of the split is liquidated, for a capital or an array of them.

        It is the searchsorted of the capital in the sorted `needed`. Its standard error is that of a share:
        sqrt(share * (1 - share) / paths).
        """
        needed = np.sort(self.needed(split, horizon))
        capital = checks.positive("capital", capital)
        share = np.searchsorted(needed, np.asarray(capital) * (1 - ROUNDING), side="left") / len(needed)
        return share if np.ndim(share) else float(share)

    def capital_for(self, share, split, horizon=None):
        """The capital above which at least this share of the paths (0 to 1) is survived, for a share or an array."""
        share, needed = checks.finite("share", share), np.sort(self.needed(split, horizon))
        if np.min(share) <= 0 or np.max(share) > 1:
            raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
        found = needed[np.ceil(np.asarray(share) * len(needed) - 1e-9).astype(int) - 1]
        return found if np.ndim(found) else float(found)

    def liquidated_by(self, capital, split):
        """On each path, the horizon by which the first pool of the split is liquidated, -1 if none is. With every step
        a horizon it is the step itself (and 1 for what is at its line at the start)."""
        capital = checks.number("capital", capital, above=0)
        gone = self._gone(capital, split).any(axis=0)
        return np.where(gone[-1], np.array(self.horizons)[gone.argmax(axis=0)], -1)

    def _gone(self, capital, split):
        """Whether each pool of a split is liquidated, of shape (pools, horizons, paths)."""
        needs = [-self.trough[name] / share for name, share in self._split(split).items()]
        return np.stack(needs) >= capital * (1 - ROUNDING)

    def worth(self, capital, split):
        """What the capital has become at the last step on each path: what is idle, and of every pool that lives its
        margin and gain. Of a liquidated pool nothing is left. ValueError where the venue would leave something."""
        capital, split = checks.number("capital", capital, above=0), self._split(split)
        total, gone = np.full(len(self.number), capital * (1 - sum(split.values()))), self._gone(capital, split)[:, -1]
        for (name, share), lost in zip(split.items(), gone, strict=True):
            if self._unknown[name]:
                raise ValueError(
                    f"a trough does not say what of {name!r} is lost: {self._unknown[name]}; see outcomes()"
                )
            total += np.where(lost, 0.0, share * capital + self.gain[name])
        return total

    def summary(self, capital, splits, worst=0.05):
        """Splits side by side, as a DataFrame: a row for each of a mapping of words to splits.

        `liquidated`: share of the paths on which a pool was, with its standard `error` (where none of n paths was, the
        true share may still be up to about 3 / n); `all lost`: share on which every pool was; `worst`: the
        expected shortfall, which is the mean of the largest 5 % (or another share `worst`) of the losses, unrealised
        ones and funding included; `at risk`: capital in pools; `idle`: the rest.
        """
        import pandas as pd

        made, paths = {}, len(self.number)
        checks.number("worst", worst, above=0, most=1)
        if not isinstance(splits, Mapping):
            raise TypeError(f"splits must map words to splits, such as {{'cross': 'cross USDT'}}, not {splits!r}")
        for words, split in splits.items():
            lost, gone = capital - self.worth(capital, split), self._gone(capital, split)[:, -1]
            share, risked = float(gone.any(axis=0).mean()), capital * sum(self._split(split).values())
            made[words] = {
                "liquidated": share,
                "error": np.sqrt(share * (1 - share) / paths),
                "all lost": float(gone.all(axis=0).mean()),
                "worst": np.sort(lost)[-max(1, round(worst * paths)) :].mean(),
                "at risk": risked,
                "idle": capital - risked,
            }
        return pd.DataFrame.from_dict(made, orient="index")

    def joined(self, other):
        """The answers of two runs on different numbers of the same `Paths` as one; ValueError if they do not fit.

        more = survival(..., skip=part.number)
        part.joined(more)
        """
        if not isinstance(other, Survival):
            raise TypeError(f"other must be a Survival, not {other!r}")
        asked = ({n: (vars(p.venue), p.positions) for n, p in one.pools.items()} for one in (self, other))
        if next(asked) != next(asked) or (self.currency, self.horizons) != (other.currency, other.horizons):
            raise ValueError("other must have the same pools, at the same venue, and the same horizons")
        number = np.r_[self.number, other.number]
        order = np.argsort(number)
        if len(np.unique(number)) < len(number):
            raise ValueError("other must be of other paths: some are in both")
        made = [
            {n: np.concatenate([mine[n], yours[n]], axis=-1)[..., order] for n in self.pools}
            for mine, yours in ((self.trough, other.trough), (self.when, other.when), (self.gain, other.gain))
        ]
        return Survival(self.pools, self.currency, self.horizons, number[order], *made)

    def _split(self, split):
        """{name of a pool: share of the capital}, checked."""
        split = {split: 1.0} if isinstance(split, str) else split
        if not isinstance(split, Mapping) or not split:
            raise TypeError(f"split must be the name of a pool, or a mapping of names to shares, not {split!r}")
        if unknown := split.keys() - self.pools.keys():
            raise ValueError(f"split must be of {', '.join(self.pools)}: not {', '.join(map(str, unknown))}")
        split = {name: checks.number(f"the share of {name}", share, above=0) for name, share in split.items()}
        held = [p.label for name in split for p in self.pools[name].positions]
        if len(set(held)) < len(held):
            raise ValueError(f"split must hold each position once, not {', '.join(held)}")
        if sum(split.values()) > 1 + 1e-9:
            raise ValueError(f"split must have shares of at most 1 together, not {sum(split.values()):g}")
        return self._one_currency(split)

    def _one_currency(self, split):
        if len({self.currency[name] for name in split}) > 1:
            raise ValueError(f"the pools {', '.join(split)} hold margin in different currencies: ask for each")
        return split

    def _horizon(self, horizon):
        if horizon not in self.horizons:
            raise ValueError(f"horizon must be one of {', '.join(map(str, self.horizons))}, not {horizon!r}")
        return self.horizons.index(horizon)

    def __repr__(self):
        pools = ", ".join(f"{name} ({self.currency[name]})" for name in self.pools)
        return f"Survival on {len(self.number):,} paths of {self.horizons[-1]:,} steps: {pools}"
