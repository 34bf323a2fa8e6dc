"""The write-ahead log: records that are durable once synced, read back after any loss of power."""
