#!/usr/bin/env python3
"""A venue behind docs/link.md, standard library only: accepts every order, fills it at its limit.

  scripts/link_gateway.py unix:PATH | HOST:PORT        then: ijk live --venue link:unix:PATH

It keeps its orders in memory: an example to start from, not a broker."""
import os
import socket
import struct
import sys
import time

ORDER = struct.Struct("<QqqIHBBB7x")  # id qty px parent instrument side type tif
REPORT = struct.Struct("<QQQQqqqqHHBBBx")
ITEM = struct.Struct("<QQQQQqqqqqHBBBB2x")
orders, executions, positions = {}, [], {}  # by symbol: numbers belong to one connection


def receive(conn, count):
    data = b""
    while len(data) < count:
        part = conn.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def serve(conn):
    symbols, expected = [], 0

    def send(kind, payload):
        conn.sendall(struct.pack("<IB3x", 4 + len(payload), kind) + payload)

    def report(kind, o, exec_id=0, px=0, qty=0, leaves=0, reason=0):
        send(66, REPORT.pack(time.time_ns(), o["id"], o["venue"], exec_id, px, qty, leaves, 0,
                             symbols.index(o["symbol"]), reason, kind, o["side"], 0))

    def item(request, kind, o=None, exec_id=0, px=0, qty=0, filled=0, symbol=None, status=0):
        o = o or {"id": 0, "venue": 0, "side": 0, "symbol": symbol}
        number = symbols.index(o["symbol"]) if o["symbol"] in symbols else 0
        send(67, ITEM.pack(request, o["id"], o["venue"], exec_id, time.time_ns(), px, qty, filled,
                           0, 0, number, kind, status, o["side"], 0))

    while True:
        length, kind = struct.unpack("<IB3x", receive(conn, 8))
        body = receive(conn, length - 4)
        if kind == 1:
            expected = struct.unpack_from("<H", body, 32)[0]
        elif kind == 2:
            symbols.append(body[8:24].rstrip(b"\0").decode())
            if len(symbols) == expected:
                send(65, struct.pack("<IIQQ", 1, 0, time.time_ns(), max(orders, default=0)))
        elif kind == 3:
            number, qty, px, _, instrument, side, _, _ = ORDER.unpack(body)
            o = {"id": number, "venue": len(orders) + 1, "symbol": symbols[instrument],
                 "side": side, "px": px, "qty": qty}
            if number in orders or px <= 0:
                report(1, o | {"venue": 0}, reason=103 if number in orders else 110)
                continue
            orders[number] = o
            executions.append((len(executions) + 1, o))
            positions[o["symbol"]] = positions.get(o["symbol"], 0) + (-qty if side else qty)
            report(0, o, leaves=qty)
            report(2, o, exec_id=len(executions), px=px, qty=qty)
        elif kind == 4:
            number = struct.unpack_from("<Q", body)[0]
            if number in orders:
                report(5, orders[number])
        elif kind == 5:
            request = struct.unpack("<Q", body)[0]
            item(request, 0)
            for exec_id, o in executions:
                item(request, 1, o, exec_id=exec_id, px=o["px"], qty=o["qty"])
            for o in orders.values():
                item(request, 2, o, px=o["px"], qty=o["qty"], filled=o["qty"], status=1)
            for symbol, qty in positions.items():
                item(request, 3, symbol=symbol, qty=qty)
            item(request, 4, qty=len(executions) + len(orders) + len(positions))
        elif kind == 6:
            send(68, body)


def main():
    where = sys.argv[1]
    if where.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(where[5:]):
            os.unlink(where[5:])  # left by an earlier run
        listener.bind(where[5:])
    else:
        host, port = where.rsplit(":", 1)
        listener = socket.create_server((host, int(port)))
    listener.listen()
    while True:
        conn, _ = listener.accept()
        try:
            serve(conn)
        except (EOFError, ConnectionError):
            conn.close()


if __name__ == "__main__":
    main()
