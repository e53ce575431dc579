"""Stylised episodes: lines drawn through figures that were published. They are no recordings.

A turn is a time, a value and where the value was published. What the source does not say (most often the time of day)
is marked as assumed. Between two turns the price moves in a straight line. A coin of which only a move in per cent was
published starts at 100.
"""

from typing import NamedTuple


class Turn(NamedTuple):
    """A price in USD, or a funding rate paid, at a time (UTC), and its source."""

    time: str
    value: float
    source: str


class Episode(NamedTuple):
    """Turns of prices and funding payments by coin, and what of it is assumed."""

    title: str
    prices: dict
    funding: dict
    assumed: str


LEDGERPRIME = "research.ledgerprime.com, Crypto's Black Thursday"
BTCMEX = "blog.btcmex.com, citing Kaiko"
CRYPTOSLATE = "cryptoslate.com, BitMEX freezes as XBTUSD crashes"
DAY_2021 = "beincrypto.com, 19 May 2021"
ARCANE = "arcane.no, Zooming out: May 19th vs December 4th (an average of venues)"
FTX = "coindcx.com and binance.bh, the FTX story in dates"
SOCIALBITES = "socialbites.ca, citing CoinGlass"
COINDESK = "CoinDesk, 9 January 2023"
JELLY = "coinfomania.com and republikdao.io, March 2025"
LPT = "en.bitcoinsistemi.com, Short-Squeezed Altcoin Soars 48 Percent"
BLOCKSCOPE = "binance.bh and research.blockscope.co, October 2025"
NONE_FOUND = "no figure was found: the interest component alone, 0.01 %"

EPISODES = {
    "2020-03-12": Episode(
        "12-13 March 2020: bitcoin falls by half in sixteen hours",
        {
            "BTC": [
                Turn("2020-03-12 10:00", 7_353, LEDGERPRIME),
                Turn("2020-03-12 10:45", 5_678, LEDGERPRIME),
                Turn("2020-03-12 23:00", 5_800, BTCMEX),
                Turn("2020-03-13 01:45", 3_596, f"{LEDGERPRIME}: shortly before 02:00"),
                Turn("2020-03-13 02:00", 3_978, LEDGERPRIME),
                Turn("2020-03-13 04:00", 3_978, "assumed: unchanged to the payment"),
            ]
        },
        {
            "BTC": [
                Turn("2020-03-12 12:00", 0.0001, NONE_FOUND),
                Turn("2020-03-12 20:00", 0.0001, NONE_FOUND),
                Turn("2020-03-13 04:00", -0.00375, f"{CRYPTOSLATE}; the time is assumed"),
            ]
        },
        "Prices are trades at BitMEX, but 5,800 is of the wider market; none is a mark: at the low, spot was about 400 "
        "USD higher. The rate of -0.375 %, BitMEX's cap, was seen about 02:30; whether it was paid at 04:00 or 12:00 "
        "the source does not say. With +0.01 % before it, the step would be beyond BitMEX's limit of 0.375 %.",
    ),
    "2021-05-19": Episode(
        "19 May 2021: bitcoin from above 40,000 to about 30,000",
        {
            "BTC": [
                Turn("2021-05-19 00:00", 40_000, f"{DAY_2021}: above 40,000; the time is assumed"),
                Turn("2021-05-19 13:00", 30_000, f"{DAY_2021}: 30,000 to 31,100 by venue; the time is assumed"),
                Turn("2021-05-19 16:00", 30_000, "assumed: unchanged to the payment"),
            ]
        },
        {
            "BTC": [
                Turn("2021-05-19 08:00", 0.0001, NONE_FOUND),
                Turn("2021-05-19 16:00", -0.0006, f"{ARCANE}; the time is assumed"),
            ]
        },
        "Only the day, the two prices and the lowest rate were published.",
    ),
    "2022-11-08": Episode(
        "6-10 November 2022: FTX fails, and its token with it",
        {
            "BTC": [
                Turn("2022-11-06 00:00", 21_000, f"{FTX}: above 21,000 the week before; the time is assumed"),
                Turn("2022-11-08 00:00", 20_147, f"derived from the next two days' moves, {SOCIALBITES}"),
                Turn("2022-11-09 00:00", 17_931, f"-11 % on the 8th, {SOCIALBITES}"),
                Turn("2022-11-10 00:00", 15_600, f"-13 % on the 9th, and the low of that night, {SOCIALBITES}"),
            ],
            "FTT": [
                Turn("2022-11-06 00:00", 22, f"{FTX}; the time is assumed"),
                Turn("2022-11-10 00:00", 2.2, f"{FTX}: -90 %; the time is assumed"),
            ],
        },
        {
            coin: [
                Turn(f"2022-11-{day:02} {hour:02}:00", 0.0001, NONE_FOUND)
                for day in range(6, 10)
                for hour in (0, 8, 16)
                if (day, hour) != (6, 0)
            ]
            for coin in ("BTC", "FTT")
        },
        "The token's fall is drawn as one line; it went in steps. Of funding no figure was found.",
    ),
    "2023-01-09": Episode(
        "9 January 2023: altcoin shorts are squeezed",
        {
            coin: [
                Turn("2023-01-08 12:00", 100, "the level is ours, the time is assumed"),
                Turn("2023-01-09 12:00", 100 + rise, f"{COINDESK}: +{rise} % in 24 hours; the time is assumed"),
            ]
            for coin, rise in (("FTT", 55), ("ZIL", 37), ("APT", 30), ("SRM", 28))
        },
        {
            coin: [
                Turn(time, 0.0001, NONE_FOUND) for time in ("2023-01-08 16:00", "2023-01-09 00:00", "2023-01-09 08:00")
            ]
            for coin in ("FTT", "ZIL", "APT", "SRM")
        },
        "Only the rises in a day were published; each is drawn as one line, and all end together. Of funding no "
        "figure was found.",
    ),
    "2023-08-14": Episode(
        "August 2023: Livepeer's shorts pay about 2,000 % a year",
        {
            "LPT": [
                Turn("2023-08-13 00:00", 100, "the level is ours, the time is assumed"),
                Turn("2023-08-14 00:00", 148, f"{LPT}: +48 % in 24 hours; the time is assumed"),
            ]
        },
        {
            "LPT": [
                Turn(time, -20 / 1_095, f"{LPT}: -2,000 % a year, here as payments every eight hours")
                for time in ("2023-08-13 08:00", "2023-08-13 16:00", "2023-08-14 00:00")
            ]
        },
        "The article is undated; others put the squeeze at 13 and 14 August 2023. The rate was published for one "
        "moment; that it held for all three payments is assumed.",
    ),
    "2025-03-26": Episode(
        "26 March 2025: a short of JELLY is handed over, and squeezed",
        {
            "JELLY": [
                Turn("2025-03-26 11:00", 100, "the level is ours, the time is assumed"),
                Turn(
                    "2025-03-26 12:00", 500, f"{JELLY}: +400 to 500 %, over 400 % within an hour; the time is assumed"
                ),
            ]
        },
        {"JELLY": [Turn("2025-03-26 12:00", 0.0001 / 8, "no figure was found: an hour's interest component")]},
        "The venue delisted the contract and settled it at 0.0095 USD, far below the market: longs lost their "
        "gain, which its foundation promised to repay to all but flagged addresses.",
    ),
    "2025-10-10": Episode(
        "10-11 October 2025: 19 billion USD liquidated in a day",
        {
            "BTC": [
                Turn("2025-10-10 16:00", 123_000, "assumed: unchanged since the payment"),
                Turn("2025-10-10 18:00", 123_000, f"{BLOCKSCOPE}: down within three hours; the time is assumed"),
                Turn("2025-10-10 21:00", 102_000, f"{BLOCKSCOPE}: 101,500 to 109,700 by venue; the time is assumed"),
            ],
            "ETH": [
                Turn("2025-10-10 16:00", 4_346, "assumed: unchanged since the payment"),
                Turn("2025-10-10 18:00", 4_346, f"{BLOCKSCOPE}; the time is assumed"),
                Turn("2025-10-10 21:00", 3_574, f"{BLOCKSCOPE}; the time is assumed"),
            ],
            "SOL": [
                Turn("2025-10-10 16:00", 100, "assumed: unchanged since the payment"),
                Turn("2025-10-10 18:00", 100, "the level is ours, the time is assumed"),
                Turn("2025-10-10 21:00", 70, f"{BLOCKSCOPE}: -30 %; the time is assumed"),
            ],
        },
        {coin: [Turn("2025-10-10 16:00", 0.0001, NONE_FOUND)] for coin in ("BTC", "ETH", "SOL")},
        "Most of the fall came within one hour, about which the line says nothing. Of funding no figure was found.",
    ),
}
