/// Published steps never change; new ones are added at the end.
pub(super) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE nodes (
    node BLOB PRIMARY KEY CHECK (length(node) = 16),
    device_key BLOB NOT NULL CHECK (length(device_key) = 32),
    chain BLOB NOT NULL,
    invitation BLOB NOT NULL,
    name TEXT NOT NULL,
    member_of TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '',
    first_seen_s INTEGER NOT NULL,
    last_seen_s INTEGER NOT NULL,
    certificate_until_s INTEGER NOT NULL,
    revoked_s INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation_uses (
    invitation BLOB NOT NULL,
    node BLOB NOT NULL,
    used_s INTEGER NOT NULL,
    PRIMARY KEY (invitation, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    name TEXT PRIMARY KEY,
    first_seen_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    job BLOB NOT NULL CHECK (length(job) = 16),
    epoch INTEGER NOT NULL,
    submitter BLOB NOT NULL,
    lender BLOB NOT NULL,
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    hash BLOB NOT NULL,
    granted_s INTEGER NOT NULL,
    settled_by TEXT CHECK (settled_by IN ('submitter', 'lender')),
    disputed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (granted_s);

CREATE TABLE receipts (
    job BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('submitter', 'lender')),
    outcome TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    document BLOB NOT NULL,
    received_s INTEGER NOT NULL,
    PRIMARY KEY (job, epoch, side),
    FOREIGN KEY (job, epoch) REFERENCES runs (job, epoch) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_by_day (
    day INTEGER NOT NULL,
    node BLOB NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('asked', 'lent')),
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, node, role, team, model)
) STRICT, WITHOUT ROWID;
",
    "
CREATE INDEX nodes_revoked ON nodes (revoked_s) WHERE revoked_s IS NOT NULL;
",
    "
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at_s INTEGER NOT NULL,
    actor TEXT NOT NULL,
    deed TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only ever added to'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only ever added to'); END;
",
    "
ALTER TABLE nodes ADD COLUMN user TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN member BLOB;
ALTER TABLE nodes ADD COLUMN quarantined_s INTEGER;
ALTER TABLE nodes ADD COLUMN quarantined_why TEXT;
CREATE TABLE logins (
    node BLOB PRIMARY KEY CHECK (length(node) = 16),
    user TEXT NOT NULL,
    groups TEXT NOT NULL,
    until_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    document BLOB NOT NULL,
    pushed_s INTEGER NOT NULL
) STRICT;
",
];
