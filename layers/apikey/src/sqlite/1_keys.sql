-- Ids and hashes are as the crate has them; times are seconds since the Unix epoch. Links outlive what they name, since
-- records of ended keys are removed, so they refer to nothing.
CREATE TABLE api_keys (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 10),
    hash TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    key_grant TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_reason TEXT,
    successor BLOB,
    predecessor BLOB,
    last_used INTEGER,
    verifying_key TEXT,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
) STRICT;

-- For the removal of what ended.
CREATE INDEX api_keys_expire ON api_keys (expires_at);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

-- "brtz": what the file is, so that nobody else's is taken for it.
PRAGMA application_id = 0x6272747a;
PRAGMA user_version = 1;
