"""A local server that answers as OKX, Binance and Bybit do where ccxt asks for perpetuals. Its numbers are made up.

A price is a smooth function of time, `price`, and so is a funding rate, `rate`: what was loaded can be compared with
them at every hour. Limits, bounds and order of an answer are those of the exchanges' own documents.
"""

import json
import math
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import ccxt

HOUR = 3_600_000
IDS = ("okx", "binance", "bybit")
SYMBOL, INVERSE, SPOT = "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT"
LATE = 3  # milliseconds by which Binance's payments come after the hour
SECRETS = ("authorization", "ok-access", "x-mbx", "x-bapi", "signature", "apikey", "cookie")

OKX_PRICES = re.compile(r"/api/v5/market/(history-)?(mark-price|index)-candles")
BINANCE_PRICES = re.compile(r"/[fd]api/v1/(mark|index)PriceKlines")
BYBIT_PRICES = re.compile(r"/v5/market/(mark|index)-price-kline")
FUNDING = ("/funding-rate-history", "/fundingRate", "/funding/history")


def price(stamp, kind="mark", inverse=False):
    """The price at a time in milliseconds."""
    hours = stamp / HOUR
    mark = 40_000 + 5_000 * math.sin(hours / 70) + 300 * math.sin(hours * 1.7)
    return round(mark * (1 if kind == "mark" else 0.999) * (1.002 if inverse else 1), 2)


def candle(stamp, kind="mark", inverse=False):
    """[time, open, high, low, close] of an hour."""
    first, last = price(stamp, kind, inverse), price(stamp + HOUR, kind, inverse)
    return [stamp, first, round(max(first, last) + 12.5, 2), round(min(first, last) - 7.25, 2), last]


def rate(stamp, inverse=False):
    """The funding rate paid at a time in milliseconds; of both signs."""
    return round(0.0003 * math.sin(stamp / HOUR / 11) + (0.00001 if inverse else 0), 8)


@dataclass
class Trouble:
    """What goes wrong with the requests of which the number is in `numbers`; asking for markets is not counted."""

    kind: str
    numbers: range
    markets: bool = False


@dataclass
class Exchange:
    """The server; its settings may be changed at any time."""

    every: int = 8  # hours between payments
    hole: range = range(0)  # times of which it has neither prices nor rates
    listed: int = 0  # the time from which it has any
    edit: object = None  # a function of (kind, rows) that spoils an answer
    troubles: list = field(default_factory=list)
    requests: list = field(default_factory=list)  # (path, query) of all but the markets
    times: list = field(default_factory=list)  # when each of them came
    markets: int = 0  # how often the markets were asked for
    secrets: list = field(default_factory=list)  # headers or query parameters that look like a key
    lock: object = field(default_factory=threading.Lock)

    def __enter__(self):
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or the body waits for the head to be acknowledged

            def do_GET(self):
                exchange.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # the client went away
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def trouble(self, kind, numbers=None, markets=False):
        """From now on: 429, 451, 403, 500, silence, cut, slow, text, busy or error, at some requests."""
        self.troubles.append(Trouble(kind, range(10**9) if numbers is None else numbers, markets))

    def mend(self):
        self.troubles.clear()
        self.edit = None

    def forget(self):
        self.requests.clear()
        self.times.clear()
        self.markets = 0

    def asked(self, kind):
        """The queries for "price" or "funding" so far."""
        return [query for path, query in self.requests if path.endswith(FUNDING) == (kind == "funding")]

    # ---------------------------------------------------------------- over HTTP

    def answer(self, handler):
        url = urlsplit(handler.path)
        query = dict(parse_qsl(url.query))
        names = [name.lower() for name in (*handler.headers, *query)]
        with self.lock:
            self.secrets += [name for name in names if name.startswith(SECRETS)]
            markets = MARKETS.get(url.path)
            if markets:
                self.markets += 1
            else:
                self.times.append(time.monotonic())
                self.requests.append((url.path, query))
            number = len(self.requests) - 1
            kinds = [t.kind for t in self.troubles if (t.markets if markets else number in t.numbers)]
        kind = kinds[0] if kinds else None
        if kind == "silence":
            handler.close_connection = True
            return
        if kind == "slow":
            time.sleep(1.5)
        status, text = TROUBLES.get(kind, (200, None))
        if kind in WORDS:
            status, text = WORDS[kind][url.path.split("/")[1]]
        if text is None:
            text = json.dumps(markets(query) if markets else self.data(url.path, query))
        body = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html" if text.startswith("<") else "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if kind == "cut" else body)
        handler.close_connection |= kind == "cut"

    def data(self, path, query):
        number = {name: int(value) for name, value in query.items() if value.isdigit()}
        if match := OKX_PRICES.fullmatch(path):
            kind, inverse = (
                match[2].split("-")[0],
                query["instId"].startswith("BTC-USD") and "USDT" not in query["instId"],
            )
            stamps = okx(self.stamps(1)[::-1][: None if match[1] else 1440], number, 100)
            rows = [candle(stamp, kind, inverse) for stamp in stamps]
            return {"code": "0", "msg": "", "data": self.spoilt(kind, rows, as_text)}
        if path == "/api/v5/public/funding-rate-history":
            rows = [
                [s, rate(s, query["instId"] == "BTC-USD-SWAP")] for s in okx(self.stamps(self.every)[::-1], number, 100)
            ]
            known = {"instId": query["instId"], "instType": "SWAP", "fundingRate": "0.9"}  # what had been foreseen
            rows = [known | {"fundingTime": s, "realizedRate": r} for s, r in self.spoilt("funding", rows, as_text)]
            return {"code": "0", "msg": "", "data": rows}
        if match := BINANCE_PRICES.fullmatch(path):
            stamps = binance(self.stamps(1), number, 500, 1500)
            rows = self.spoilt(
                match[1], [candle(s, match[1], path.startswith("/dapi")) for s in stamps], values_as_text
            )
            return [[*row, "0", HOUR, "0", 60, "0", "0", "0"] for row in rows]
        if path.endswith("/fundingRate"):
            stamps = binance([s + LATE for s in self.stamps(self.every)], number, 100, 1000)
            rows = [[s, rate(s - LATE, path.startswith("/dapi"))] for s in stamps]
            known = {"symbol": query["symbol"], "markPrice": "1"}
            rows = self.spoilt("funding", rows, values_as_text)
            return [known | {"fundingTime": s, "fundingRate": r} for s, r in rows]
        known, inverse = {"symbol": query.get("symbol")}, query.get("category") == "inverse"
        if match := BYBIT_PRICES.fullmatch(path):
            stamps = bybit(self.stamps(1), number.get("start"), number.get("end"), number.get("limit", 200), 1000)
            rows = self.spoilt(match[1], [candle(s, match[1], inverse) for s in stamps], as_text)
            return said(list=rows, category=query["category"], **known)
        if path == "/v5/market/funding/history":
            if "startTime" in query and "endTime" not in query:
                return {"retCode": 10001, "retMsg": "endTime is missing"}
            bounds = number.get("startTime"), number.get("endTime"), number.get("limit", 200)
            rows = self.spoilt(
                "funding", [[s, rate(s, inverse)] for s in bybit(self.stamps(self.every), *bounds, 200)], as_text
            )
            rows = [known | {"fundingRateTimestamp": s, "fundingRate": r} for s, r in rows]
            return said(list=rows, category=query["category"])
        return {"code": "404", "retCode": 404, "msg": f"no such path: {path}"}

    def stamps(self, hours):
        """The times of which there is something: from 2024, or the listing, until now."""
        step = hours * HOUR
        first = -(-max(START, self.listed) // step) * step
        return [s for s in range(first, int(time.time() * 1000) + 1, step) if s not in self.hole]

    def spoilt(self, kind, rows, encode):
        rows = [encode(row) for row in rows]
        return self.edit(kind, rows) if self.edit else rows

    # ------------------------------------------------------------------ clients

    def client(self, name, **settings):
        """A ccxt client of an exchange that asks this server; without pauses unless they are asked for."""
        options = {"fetchMarkets": {"types": KINDS[name]}}
        client = getattr(ccxt, name)({"enableRateLimit": False, "options": options} | settings)
        client.urls["api"] = redirected(client.urls["api"], self.address)
        return client


START = 1_704_067_200_000  # 1 January 2024
KINDS = {"okx": ["swap"], "binance": ["linear", "inverse"], "bybit": ["linear", "inverse"]}


def redirected(urls, address):
    if isinstance(urls, dict):
        return {name: redirected(url, address) for name, url in urls.items()}
    return re.sub(r"https?://[^/]+", address, urls)


def okx(stamps, number, most):
    """Newest first, both bounds exclusive, the newest `limit` of what the bounds leave."""
    before, after = number.get("before", -1), number.get("after", math.inf)
    return [stamp for stamp in stamps if before < stamp < after][: min(number.get("limit", most), most)]


def binance(stamps, number, usual, most):
    """Ascending, both bounds inclusive; the first `limit` from a start, else the last."""
    first, last = number.get("startTime", 0), number.get("endTime", math.inf)
    stamps, many = [s for s in stamps if first <= s <= last], min(number.get("limit", usual), most)
    return stamps[:many] if "startTime" in number else stamps[-many:]


def bybit(stamps, first, last, many, most):
    """Newest first, both bounds inclusive, the last `limit` of the window."""
    first, last = first or 0, last or math.inf
    return [stamp for stamp in stamps[::-1] if first <= stamp <= last][: min(many, most)]


def values_as_text(row):
    return [row[0], *(f"{value:.8f}" for value in row[1:])]


def as_text(row):
    return [str(row[0]), *values_as_text(row)[1:]]


def said(**result):
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": int(time.time() * 1000)}


# ---------------------------------------------------------------------- markets


def okx_markets(query):
    swap = {"instType": "SWAP", "state": "live", "lever": "100", "lotSz": "1", "minSz": "1", "tickSz": "0.1"}
    linear = {"instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "settleCcy": "USDT", "ctType": "linear", "ctVal": "0.01"}
    inverse = {"instId": "BTC-USD-SWAP", "uly": "BTC-USD", "settleCcy": "BTC", "ctType": "inverse", "ctVal": "100"}
    spot = {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live"}
    swaps = [swap | market | {"instFamily": market["uly"]} for market in (linear, inverse)]
    return {"code": "0", "msg": "", "data": swaps if query["instType"] == "SWAP" else [spot]}


def binance_markets(quote, settle, name):
    market = {"symbol": name, "pair": name.split("_")[0], "contractType": "PERPETUAL", "deliveryDate": 4133404800000}
    market |= {"status": "TRADING", "contractStatus": "TRADING", "baseAsset": "BTC", "quoteAsset": quote}
    market |= {"marginAsset": settle, "pricePrecision": 2, "quantityPrecision": 3, "contractSize": 100, "filters": []}
    return lambda query: {"timezone": "UTC", "symbols": [market]}


def bybit_markets(query):
    linear = query["category"] == "linear"
    market = {"symbol": "BTCUSDT" if linear else "BTCUSD", "status": "Trading", "baseCoin": "BTC", "deliveryTime": "0"}
    market |= {"contractType": "LinearPerpetual" if linear else "InversePerpetual", "fundingInterval": 480}
    market |= {"quoteCoin": "USDT" if linear else "USD", "settleCoin": "USDT" if linear else "BTC"}
    market |= {"priceFilter": {"tickSize": "0.5"}, "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001"}}
    found = [] if query.get("status") == "PreLaunch" else [market]
    return said(category=query["category"], list=found, nextPageCursor="")


MARKETS = {
    "/api/v5/public/instruments": okx_markets,
    "/fapi/v1/exchangeInfo": binance_markets("USDT", "USDT", "BTCUSDT"),
    "/dapi/v1/exchangeInfo": binance_markets("USD", "BTC", "BTCUSD_PERP"),
    "/v5/market/instruments-info": bybit_markets,
}
PAGE = "<html><body>This page is not about prices.</body></html>"
TROUBLES = {"403": (403, PAGE), "500": (500, PAGE), "text": (200, PAGE)}
# In each exchange's own words: too many requests, not from your country, try again later, and an unknown reason.
LAW, CODE = "Service unavailable from a restricted location", '{"code": "%s", "msg": "%s", "data": []}'
WORDS = {
    "429": {"api": (429, CODE % (50011, "Too Many Requests")), "v5": (200, '{"retCode": 10006, "retMsg": "Too many"}')},
    "451": {"api": (451, PAGE), "v5": (451, PAGE)},
    "busy": {"api": (200, CODE % (50013, "Systems are busy")), "v5": (500, PAGE)},
    "error": {"api": (200, CODE % (59999, "No")), "v5": (200, '{"retCode": 59999, "retMsg": "No"}')},
}
for name, answer in {
    "429": (429, '{"code": -1003, "msg": "Too many requests"}'),
    "451": (451, f'{{"code": 0, "msg": "{LAW}"}}'),
    "busy": (400, '{"code": -1000, "msg": "An unknown error occurred while processing the request."}'),
    "error": (400, '{"code": -59999, "msg": "No"}'),
}.items():
    WORDS[name] |= {"fapi": answer, "dapi": answer}

# ------------------------------------------------- ways to spoil a row (edits)

MALFORMED = {
    "null": lambda row: [row[0], None, *row[2:]],
    "word": lambda row: [row[0], "abc", *row[2:]],
    "nan": lambda row: [row[0], math.nan, *row[2:]],
    "endless": lambda row: [row[0], math.inf, *row[2:]],
    "negative": lambda row: [*row[:3], "-1.5", *row[4:]],
    "zero": lambda row: [*row[:3], "0", *row[4:]],
    "high below low": lambda row: [row[0], row[1], row[3], row[2], row[4]],
    "high below open": lambda row: [row[0], row[1], row[3], row[3], row[3]],
    "low above close": lambda row: [row[0], row[1], row[2], row[1], str(float(row[1]) - 1)],
}


def spoil(change, place=5, only=None):
    """An edit that changes one row of each answer."""

    def edit(kind, rows):
        return [change(row) if n == place and kind in (only or kind) else row for n, row in enumerate(rows)]

    return edit
