"""The program of test_schedule_ticker.py: a schedule of every minute."""

import os

import crossdock

worker = crossdock.Worker(os.environ["REPORTS_URL"])
worker.cron("* * * * *", "reports", "go", name="every minute")
