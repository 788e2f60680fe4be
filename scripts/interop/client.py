"""The broker's own Python client through the whole of the simulator: every request there is, every
answer counted. Prints the callbacks and exits 0 if all that are expected came.

  python client.py PORT

The client is used as installed, in this process of its own; nothing of it is copied.
"""

import collections
import json
import sys
import threading
import time

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.order import Order
from ibapi.wrapper import EWrapper

calls = collections.Counter()
details = {}
errors = []
broken = []


def record(name):
    def method(self, *args, **kwargs):
        calls[name] += 1
        details.setdefault(name, []).append(args)

    return method


class App(EWrapper, EClient):
    def __init__(self):
        EClient.__init__(self, self)


# Every callback counts itself; those with a protobuf argument are left to the client.
for name in [n for n in dir(EWrapper) if not n.startswith("_")]:
    if callable(getattr(EWrapper, name)) and not name.endswith("ProtoBuf"):
        setattr(App, name, record(name))


def on_error(self, *args):
    calls["error"] += 1
    numbers = [a for a in args if isinstance(a, int) and not isinstance(a, bool)]
    # (id, time, code, text, json) of newer clients, (id, code, text, json) of older ones.
    code = numbers[2] if len(numbers) > 2 else numbers[1]
    errors.append(code)


App.error = on_error


def stock(symbol="AAPL"):
    c = Contract()
    c.symbol, c.secType, c.exchange, c.currency = symbol, "STK", "SMART", "USD"
    return c


def option(app):
    expirations, strikes = details["securityDefinitionOptionParameter"][0][5:7]
    c = stock()
    c.secType, c.right = "OPT", "C"
    c.lastTradeDateOrContractMonth = sorted(expirations)[-1]
    c.strike = sorted(strikes)[len(strikes) // 2]
    return c


def order(action, kind, price=None, **more):
    o = Order()
    o.action, o.orderType, o.totalQuantity = action, kind, 100
    if price is not None:
        o.lmtPrice = price
    for key, value in more.items():
        setattr(o, key, value)
    return o


def wait(what, seconds=60):
    end = time.time() + seconds
    while time.time() < end and not what():
        time.sleep(0.02)
    return what()


def came(name, count=1):
    return lambda: calls[name] >= count


app = App()
app.connect("127.0.0.1", int(sys.argv[1]), 7)
threading.Thread(target=app.run, daemon=True).start()
assert wait(came("nextValidId")), "no nextValidId"
version = app.serverVersion()

# Reference.
app.reqContractDetails(1, stock())
app.reqContractDetails(2, stock("NOSUCH"))
app.reqMatchingSymbols(3, "AAP")
app.reqMarketRule(26)
app.reqSecDefOptParams(4, "AAPL", "", "STK", 265598)
app.reqMktDepthExchanges()
app.reqSmartComponents(5, "9c0001")
app.reqUserInfo(6)
app.reqFamilyCodes()
app.reqSoftDollarTiers(8)
app.reqCurrentTime()
if hasattr(app, "reqCurrentTimeInMillis"):
    app.reqCurrentTimeInMillis()
app.reqManagedAccts()
app.reqIds(1)
app.reqNewsProviders()
app.reqNewsArticle(10, "BRFG", "BRFG$00000001", [])
app.reqHistoricalNews(11, 265598, "BRFG+BRFUPDN+DJNL", "", "", 5, [])
app.reqNewsBulletins(True)

# Market.
app.reqMarketDataType(1)
app.reqMktData(20, stock(), "100,101,104,106,165,225,232,233,236,292,293,294,295,318,375,411,456",
               False, False, [])
app.reqMktData(21, stock("MSFT"), "", True, False, [])
for i, kind in enumerate(["Last", "AllLast", "BidAsk", "MidPoint"]):
    app.reqTickByTickData(30 + i, stock(), kind, 0, True)
app.reqMktDepth(40, stock(), 5, True, [])
app.reqMktDepth(41, stock("MSFT"), 5, False, [])
app.reqRealTimeBars(42, stock(), 5, "TRADES", True, [])
app.reqHistoricalData(50, stock(), "", "5 D", "1 hour", "TRADES", 1, 1, False, [])
app.reqHistoricalData(51, stock(), "", "600 S", "5 secs", "TRADES", 1, 2, True, [])
app.reqHistoricalData(52, stock(), "", "5 D", "1 day", "SCHEDULE", 1, 1, False, [])
app.reqHeadTimeStamp(53, stock(), "TRADES", 1, 1)
app.reqHistogramData(54, stock(), True, "3 days")
for i, kind in enumerate(["TRADES", "BID_ASK", "MIDPOINT"]):
    app.reqHistoricalTicks(55 + i, stock(), "", "20250303 09:31:00 US/Eastern", 10, kind, 1, True, [])
assert wait(came("securityDefinitionOptionParameterEnd")), "no option parameters"
app.reqMktData(22, option(app), "", False, False, [])
app.calculateImpliedVolatility(60, option(app), 5.0, 100.0, [])
app.calculateOptionPrice(61, option(app), 0.3, 100.0, [])

# Account.
app.reqAccountSummary(70, "All", "NetLiquidation,TotalCashValue,BuyingPower")
app.reqAccountUpdates(True, "DU0000001")
app.reqPositions()
app.reqPositionsMulti(71, "DU0000001", "")
app.reqAccountUpdatesMulti(72, "DU0000001", "", False)
app.reqPnL(73, "DU0000001", "")
app.reqPnLSingle(74, "DU0000001", "", 265598)

# Orders.
first = details["nextValidId"][-1][0]
app.placeOrder(first, stock(), order("BUY", "MKT", orderRef="interop"))
assert wait(lambda: any("Filled" in a for a in details.get("orderStatus", []))), "no fill"
app.placeOrder(first + 1, stock(), order("BUY", "LMT", 50.0))
app.placeOrder(first + 2, stock(), order("SELL", "STP", auxPrice=40.0, tif="GTC"))
app.placeOrder(first + 3, stock(), order("BUY", "LMT", 51.0, whatIf=True))
parent = first + 4
app.placeOrder(parent, stock(), order("BUY", "LMT", 52.0, transmit=False))
app.placeOrder(parent + 1, stock(), order("SELL", "LMT", 150.0, parentId=parent, transmit=False))
app.placeOrder(parent + 2, stock(), order("SELL", "STP", auxPrice=45.0, parentId=parent))
app.placeOrder(parent + 3, stock(), order("BUY", "LMT", 50.005))
app.placeOrder(parent + 4, stock(), order("BUY", "LMT", 50.0, algoStrategy="Adaptive"))
working = {first + 1, first + 2, parent, parent + 1, parent + 2, parent + 4}
assert wait(lambda: working <= {a[0] for a in details.get("openOrder", [])}), "orders not open"
app.reqOpenOrders()
app.reqAllOpenOrders()
app.reqExecutions(80, __import__("ibapi.execution", fromlist=["x"]).ExecutionFilter())
try:
    from ibapi.order_cancel import OrderCancel

    app.cancelOrder(first + 1, OrderCancel())
    app.reqGlobalCancel(OrderCancel())
except (ImportError, TypeError):
    app.cancelOrder(first + 1, "")
    app.reqGlobalCancel()
done = lambda: {a[0] for a in details.get("orderStatus", []) if "Cancelled" in a}
assert wait(lambda: working <= done()), "not all cancelled: %s" % sorted(working - done())
app.reqCompletedOrders(False)

EXPECTED = """accountSummary accountSummaryEnd accountDownloadEnd accountUpdateMulti
accountUpdateMultiEnd completedOrder completedOrdersEnd contractDetails contractDetailsEnd
currentTime error execDetails execDetailsEnd familyCodes headTimestamp histogramData historicalData
historicalDataEnd historicalDataUpdate historicalNews historicalNewsEnd historicalSchedule
historicalTicks historicalTicksBidAsk historicalTicksLast managedAccounts marketDataType marketRule
mktDepthExchanges newsArticle newsProviders nextValidId openOrder openOrderEnd orderStatus pnl
pnlSingle position positionEnd positionMulti positionMultiEnd realtimeBar
securityDefinitionOptionParameter securityDefinitionOptionParameterEnd smartComponents
softDollarTiers symbolSamples tickByTickAllLast tickByTickBidAsk tickByTickMidPoint tickGeneric
tickNews tickOptionComputation tickPrice tickReqParams tickSize tickSnapshotEnd tickString
updateAccountTime updateAccountValue updateMktDepth updateMktDepthL2 updateNewsBulletin
updatePortfolio userInfo""".split()


def missing():
    lost = [n for n in EXPECTED if not calls[n]]
    if not (calls["commissionReport"] or calls["commissionAndFeesReport"]):
        lost.append("commission")
    return lost


wait(lambda: not missing())
for code in (110, 200, 202, 2104):
    if code not in errors:
        broken.append("no error %d" % code)
unexpected = sorted(set(errors) - {110, 200, 202, 2104, 2106, 2158})
if unexpected:
    broken.append("unexpected errors %s" % unexpected)
executions = [a[2] for a in details["execDetails"]]
if {e.orderRef for e in executions} != {"interop"}:
    broken.append("order references %s" % {e.orderRef for e in executions})
held = [a for a in details["position"] if a[1].symbol == "AAPL"]
if not held or float(held[-1][2]) != 100:
    broken.append("position %s" % held)
app.disconnect()
json.dump({"server_version": version, "missing": missing(), "broken": broken,
           "callbacks": dict(sorted(calls.items()))}, sys.stdout, indent=1)
sys.exit(1 if missing() or broken else 0)
