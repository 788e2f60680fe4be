#!/usr/bin/env python3
"""Closed weekdays and half days of the New York Stock Exchange by the package
`exchange_calendars`, for data's calendar.

Requires: exchange_calendars==4.13.2
Run: python3 scripts/golden/us_sessions.py > scripts/golden/us_sessions.json

The package keeps the exchange's published holidays by hand; nothing of it is copied but the dates.
Times are minutes after midnight in New York; `opens` holds the UTC second of the open on the
first session of each month, so that the change of summer time is checked too.
"""

import json

import exchange_calendars as xc
import pandas as pd

FIRST, LAST = "2000-01-01", "2035-12-31"
cal = xc.get_calendar("XNYS", start=FIRST, end=LAST)
schedule = cal.schedule
sessions = set(schedule.index.date)

closed, half, opens = [], [], {}
for day in pd.date_range(FIRST, LAST):
    d = day.date()
    if d not in sessions:
        if day.weekday() < 5:
            closed.append(str(d))
        continue
    row = schedule.loc[day]
    close = row["close"].tz_convert("America/New_York")
    minutes = close.hour * 60 + close.minute
    if minutes != 16 * 60:
        half.append([str(d), minutes])
    opens.setdefault(str(d)[:7], [str(d), int(row["open"].timestamp()),
                                  int(row["close"].timestamp())])
parts = {"first": FIRST, "last": LAST, "closed": closed, "half": half, "opens": list(opens.values())}
print("{" + ",\n".join('"%s": %s' % (k, json.dumps(v)) for k, v in parts.items()) + "}")
