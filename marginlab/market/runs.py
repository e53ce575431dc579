"""The work behind `survival`: a book checked, its paths shared out in tasks, and the answers put together."""

from collections.abc import Iterable, Mapping
from concurrent.futures import as_completed

import numpy as np

from .. import checks
from ..pool import Pool
from ..rules import Venue
from .paths import Paths
from .troughs import Book, troughs, why_not


def asked(venue, book, paths, rates, together, margin, horizons):
    """(`Book`, {name of a pool: its number}), checked."""
    if not isinstance(venue, Venue) or not isinstance(paths, Paths):
        raise TypeError(f"venue must be a Venue and paths must be Paths, not {venue!r} and {paths!r}")
    labels = [p.label for p in book]
    if len(set(labels)) < len(book):
        raise ValueError(f"book must hold each side of a contract once, not {', '.join(labels)}")
    if not venue.hedge_mode and len({p.instrument.symbol for p in book}) < len(book):
        raise ValueError(f"book must hold each contract once: {venue.name} has no hedge mode, not {', '.join(labels)}")
    listed = isinstance(together, Iterable) and not isinstance(together, str)
    chosen = labels if together is None else list(together) if listed else [together]
    if not all(label in labels for label in chosen) or not (listed or together is None):
        raise ValueError(f"together must be a list of labels, of {', '.join(labels)}: not {together!r}")
    if not isinstance(margin, str | None):
        raise TypeError(f"margin must be the name of a currency, not {margin!r}")
    pools = [(Pool(p.instrument.settle, {}, [p], venue, {}, p.label, True), p.instrument.settle) for p in book]
    shared = [p for p in book if p.label in chosen]
    if venue.multi_currency:
        if shared and margin is None:
            raise ValueError("margin must name the currency in which a multi-currency account holds it, such as 'BTC'")
        pools += [(Pool("USD", {margin: 0.0}, shared, venue, {}, "cross"), margin)] if shared else []
    elif margin is not None:
        raise ValueError(f"margin={margin!r}: at {venue.name} a pool is in its contracts' settlement currency")
    else:
        for settle in dict.fromkeys(p.instrument.settle for p in shared):
            members = [p for p in shared if p.instrument.settle == settle]
            pools.append((Pool(settle, {}, members, venue, {}, f"cross {settle}"), settle))
    kept, names = {}, {}
    for pool, currency in pools:  # one position alone is the same pool in both modes
        check_prices(pool, currency, paths)
        if reason := why_not(pool, currency, rates):
            raise ValueError(f"the trough of {pool.name!r} would not hold for every margin: {reason}; see outcomes()")
        key = (pool.positions, pool.own_in_full)
        names[pool.name] = kept.setdefault(key, (len(kept), pool, currency))[0]
    _, unique, currencies = zip(*kept.values(), strict=True)
    return Book(unique, currencies, rates, paths, _horizons(horizons, paths.steps)), names


def check_prices(pool, currency, paths):
    """ValueError if there is no path of a price that a pool follows, or one of a contract's own mark."""
    if own := [p.instrument.symbol for p in pool.positions if p.instrument.symbol in paths.start]:
        raise ValueError(f"paths must be of indices and coins, not of contracts: {', '.join(own)}")
    needs = {currency, *(p.instrument.index for p in pool.positions), *(p.instrument.settle for p in pool.positions)}
    if unknown := sorted(needs - paths.start.keys() - set(pool.venue.quotes)):
        raise ValueError(
            f"paths must have a price of {', '.join(unknown)}, for {pool.name!r}: they are of {', '.join(paths.start)}"
        )


def rows(rates, book, paths):
    """A row of funding rates, one for each step, for each contract that pays any; checked."""
    if not isinstance(rates, Mapping):
        raise TypeError(f"rates must be a mapping, such as {{'BTC-USDT': 0.0001}}, not {rates!r}")
    made, symbols = {}, {p.instrument.symbol for p in book}
    for name, row in rates.items():
        symbol = getattr(name, "symbol", name)
        if symbol not in symbols:
            raise ValueError(f"rates must be of the book, {', '.join(sorted(symbols))}: not {symbol!r}")
        row = np.asarray(checks.finite(f"the rates of {symbol}", row), dtype=float)
        if row.shape not in ((), (paths.steps,)):
            raise ValueError(f"the rates of {symbol} must be one number or {paths.steps}, not of shape {row.shape}")
        if row.any():
            made[symbol] = np.broadcast_to(row, paths.steps)
    return made


def _horizons(horizons, steps):
    if np.ndim(horizons) == 0:
        count = checks.whole("horizons", horizons, most=steps)
        horizons = [-(-n * steps // count) for n in range(1, count + 1)]
    return tuple(sorted({*(checks.whole("horizons", step, most=steps) for step in horizons), steps}))


def survive(book, names, executor=None, chunk=4_000, skip=()):
    """The troughs of a `Book` on all its paths, as the fields of a `Survival`.

    `names` maps names to the numbers of pools in the book; other arguments as in `survival`.
    """
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {executor!r}")
    if isinstance(skip, str) or not isinstance(skip, Iterable):
        raise TypeError(f"skip must be numbers of paths, not {skip!r}")
    skip = np.unique([checks.whole("skip", n, least=0, most=book.paths.count - 1) for n in skip]).astype(int)
    width = book.paths.width
    every = np.setdiff1d(np.arange(book.paths.count), skip, assume_unique=True)
    if not len(every):
        raise ValueError(f"skip must leave some of the {book.paths.count} paths")
    blocks, size = np.unique(every // width), max(1, checks.whole("chunk", chunk) // width)
    tasks = [(book, blocks[n : n + size]) for n in range(0, len(blocks), size)]
    shape = len(book.pools), len(book.horizons), len(every)
    kept, done = (np.empty(shape), np.empty(shape, np.int32), np.empty(shape[::2])), np.zeros(len(every), dtype=bool)
    try:
        for block, found in _found(tasks, executor, len(every), width):
            here = slice(*np.searchsorted(every, (block * width, (block + 1) * width)))
            for array, new in zip(kept, found, strict=True):
                array[..., here] = new[..., every[here] - block * width]
            done[here] = True
    except KeyboardInterrupt:
        if not done.any():
            raise
        print(f"Interrupted: this is the answer of {done.sum():,} of {len(every):,} paths.")
    if not done.all():
        every, kept = every[done], [array[..., done] for array in kept]
    pools, currency = ({name: what[k] for name, k in names.items()} for what in (book.pools, book.margins))
    return pools, currency, book.horizons, every, *({n: array[k] for n, k in names.items()} for array in kept)


def _work(task):
    """Troughs of the blocks of a task: what a worker does."""
    book, blocks = task
    return [(int(block), troughs(book, int(block))) for block in blocks]


def _found(tasks, executor, room, width):
    """(block, its troughs) as they come, with a bar that shows how far it is."""
    from tqdm.auto import tqdm

    with tqdm(total=room, desc="survival", unit="path", leave=False, delay=2) as bar:
        waiting = [] if executor is None else [executor.submit(_work, task) for task in tasks]
        try:
            for found in map(_work, tasks) if executor is None else (f.result() for f in as_completed(waiting)):
                for pair in found:
                    yield pair
                    bar.update(min(width, room - bar.n))
        finally:
            for future in waiting:
                future.cancel()
