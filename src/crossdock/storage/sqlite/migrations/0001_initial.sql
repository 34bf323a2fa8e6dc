-- The first schema. All times are ms since the epoch; 0 means "none".
--
-- A message is stored once, under a key made of its queue, its class and its id (see keys.py). Most messages stand in
-- the lane of their queue: due at once, priority 0, no expiry, no ordering key. A group reads the lane in order of id and
-- remembers in `cursor` how far it came, so a send writes one row whatever the number of groups. Every other message
-- stands apart, and each group has an entry for it from the start; a lane message gets its entry when it is handed out.

-- `generation` is drawn once and names this file in every receipt.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL
) STRICT;

INSERT INTO store (id, generation) VALUES (1, random() & 0x7fffffffffffffff);

CREATE TABLE queues (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 131071),
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,                   -- JSON of core.model.Settings
    UNIQUE (namespace, name)
) STRICT;

-- A queue (not a topic) without groups keeps its messages for a group with an empty name, which the first group becomes.
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (queue_id, name)
) STRICT;

-- What nearly every transaction changes, side by side, so that it touches one page: the counters of the store, and of
-- each queue with its groups (see keys.py for the numbers), as JSON arrays of whole numbers.
--   store  last id, last epoch
--   queue  stored, bytes,
--          lane_sent (messages that ever entered the lane), lane_stored (those of them that are stored),
--          lane_due (deliver_at of the last of them), floor (every stored message with a lower id is leased),
--          and core.model.Totals in its order
--   group  cursor (the group has an entry for, or is done with, lane messages up to this id),
--          passed (lane_sent - passed: lane messages beyond the cursor),
--          waiting (entries that are not leased), leased
CREATE TABLE counters (
    number INTEGER PRIMARY KEY,
    counts TEXT NOT NULL
) STRICT;

CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    headers TEXT,                             -- JSON object
    priority INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    deliver_at INTEGER NOT NULL,              -- as sent; a retry moves that of the entry
    expires_at INTEGER NOT NULL,
    ordering_key TEXT,
    dedup_id TEXT
) STRICT;

-- Where a message stands in a group. `size`, `priority`, `expires_at` and `ordering_key` repeat the message's, so that
-- neither the indexes nor an ack need its row.
CREATE TABLE entries (
    group_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    key INTEGER NOT NULL,
    size INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    deliver_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ordering_key TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,   -- 0: not leased
    delayed INTEGER NOT NULL DEFAULT 0,       -- 1: deliver_at lay ahead when it was set, and no hand-out since
    parked INTEGER NOT NULL DEFAULT 0,        -- 1: ready, but another message holds its ordering key
    consumer TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (group_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_waiting ON entries (group_id, priority, deliver_at, id) WHERE lease_until = 0 AND parked = 0;
CREATE INDEX entries_parked ON entries (group_id, ordering_key, priority, deliver_at, id) WHERE parked = 1;
CREATE INDEX entries_leased ON entries (lease_until) WHERE lease_until > 0;
CREATE INDEX entries_expiring ON entries (expires_at, id) WHERE expires_at > 0 AND lease_until = 0;
CREATE INDEX entries_delayed ON entries (deliver_at) WHERE delayed = 1;

-- Ordering keys in use: handed out and not yet done with, retries included; or free again while others are parked.
CREATE TABLE held_keys (
    group_id INTEGER NOT NULL,
    ordering_key TEXT NOT NULL,
    holder INTEGER NOT NULL,                  -- id of the message that has the key, 0 when it is free
    next INTEGER NOT NULL DEFAULT 0,          -- id of the message that was parked and may come next
    PRIMARY KEY (group_id, ordering_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE dedup (
    queue_id INTEGER NOT NULL,
    dedup_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    id INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (queue_id, dedup_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dedup_until ON dedup (until);
