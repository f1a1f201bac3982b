-- Ids and hashes are as the crate has them; times are seconds since the Unix epoch. Links outlive what they name, since
-- records of ended keys are removed, so they refer to nothing.
CREATE TABLE api_keys (
    id bytea PRIMARY KEY CHECK (octet_length(id) = 10),
    hash text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    key_grant text NOT NULL,
    created_at bigint NOT NULL,
    not_before bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint,
    revoked_reason text,
    successor bytea,
    predecessor bytea,
    last_used bigint,
    verifying_key text,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);

-- For the removal of what ended.
CREATE INDEX api_keys_expire ON api_keys (expires_at);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
