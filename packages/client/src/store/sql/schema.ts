/**
 * The steps that bring a database from version n to n + 1; the version is SQLite's `user_version`. A step that was
 * released is never changed. Without an encryption key private keys stand in the clear: the file is then as secret as the
 * device's user account.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE identity (
    name TEXT NOT NULL PRIMARY KEY,
    inbox_id TEXT NOT NULL,
    address TEXT NOT NULL,
    signature_private_key BLOB NOT NULL,
    signature_public_key BLOB NOT NULL,
    hmac_root BLOB NOT NULL,
    welcome_cursor INTEGER NOT NULL,
    registered INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE key_packages (
    reference BLOB NOT NULL PRIMARY KEY,
    init_key BLOB NOT NULL,
    bundle BLOB NOT NULL,
    uploaded INTEGER NOT NULL,
    retired_at_ns INTEGER
  ) STRICT;
  CREATE TABLE groups (
    group_id BLOB NOT NULL PRIMARY KEY,
    cursor INTEGER NOT NULL,
    epoch_entered_at_ns INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL,
    status TEXT NOT NULL,
    active INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE group_rows (
    group_id BLOB NOT NULL,
    row_key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (group_id, row_key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE messages (
    group_id BLOB NOT NULL,
    id INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender_inbox_id TEXT NOT NULL,
    sender_installation_id TEXT NOT NULL,
    sent_at_ns INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    text TEXT,
    content BLOB NOT NULL,
    PRIMARY KEY (group_id, id)
  ) STRICT;
  CREATE TABLE outbox (
    group_id BLOB NOT NULL,
    queue_id INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    message BLOB NOT NULL,
    message_hash BLOB NOT NULL,
    plaintext BLOB NOT NULL,
    PRIMARY KEY (group_id, queue_id)
  ) STRICT;
  CREATE TABLE pending_commits (
    group_id BLOB NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    message BLOB NOT NULL,
    message_hash BLOB NOT NULL,
    rows BLOB NOT NULL,
    welcome BLOB,
    recipients BLOB NOT NULL
  ) STRICT;
  CREATE TABLE joins (
    group_id BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    invite BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    log_cursor INTEGER NOT NULL,
    message BLOB NOT NULL,
    message_hash BLOB NOT NULL,
    rows BLOB NOT NULL,
    welcome BLOB,
    recipients BLOB NOT NULL,
    commit_id INTEGER,
    commit_created_ns INTEGER,
    started_at_ns INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE follow_ups (
    group_id BLOB NOT NULL,
    follow_up_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (group_id, follow_up_id)
  ) STRICT;
  CREATE TABLE identity_updates (
    inbox_id TEXT NOT NULL,
    sequence_id INTEGER NOT NULL,
    server_timestamp_ns INTEGER NOT NULL,
    "update" BLOB NOT NULL,
    PRIMARY KEY (inbox_id, sequence_id)
  ) STRICT;
  CREATE TABLE rejections (
    group_id BLOB NOT NULL,
    id INTEGER NOT NULL,
    code TEXT NOT NULL,
    rule TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (group_id, id)
  ) STRICT;
  `,
  `
  CREATE TABLE admissions (
    group_id BLOB NOT NULL,
    id INTEGER NOT NULL,
    inbox_id TEXT NOT NULL,
    external_group_id BLOB NOT NULL,
    admitted_at_ns INTEGER NOT NULL,
    PRIMARY KEY (group_id, id)
  ) STRICT;
  `,
  `
  ALTER TABLE key_packages ADD COLUMN wrapper_private_key BLOB NOT NULL DEFAULT x'';
  CREATE TABLE waiting_welcomes (
    id INTEGER NOT NULL PRIMARY KEY,
    created_ns INTEGER NOT NULL,
    hpke_public_key BLOB NOT NULL,
    welcome_pointer BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE leave_requests (
    group_id BLOB NOT NULL,
    inbox_id TEXT NOT NULL,
    PRIMARY KEY (group_id, inbox_id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE unsupported_groups (
    group_id BLOB NOT NULL PRIMARY KEY,
    added_at_ns INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE expiries (
    group_id BLOB NOT NULL,
    expires_at_ns INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (group_id, expires_at_ns, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE encryption (
    name TEXT NOT NULL PRIMARY KEY,
    salt BLOB NOT NULL,
    "check" BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE slot_credentials (
    group_id BLOB NOT NULL PRIMARY KEY,
    external_group_id BLOB NOT NULL,
    credentials BLOB NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE groups ADD COLUMN contested_id INTEGER NOT NULL DEFAULT 0;
  `,
  `
  CREATE TABLE identity_verdicts (
    inbox_id TEXT NOT NULL,
    sequence_id INTEGER NOT NULL,
    verdict BLOB NOT NULL,
    PRIMARY KEY (inbox_id, sequence_id)
  ) STRICT;
  `,
  `
  CREATE TABLE defects (
    group_id BLOB NOT NULL,
    id INTEGER NOT NULL,
    syncs INTEGER NOT NULL,
    counted_at_ns INTEGER NOT NULL,
    PRIMARY KEY (group_id, id)
  ) STRICT;
  `,
  `
  ALTER TABLE groups ADD COLUMN mls_group_id BLOB NOT NULL DEFAULT x'';
  ALTER TABLE groups ADD COLUMN role TEXT NOT NULL DEFAULT 'shown';
  ALTER TABLE groups ADD COLUMN last_commit_id INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE groups ADD COLUMN proven INTEGER NOT NULL DEFAULT 1;
  UPDATE groups SET mls_group_id = group_id;
  UPDATE groups SET status = 'removed' WHERE active = 0 AND status <> 'refused';
  CREATE TABLE histories (
    group_id BLOB NOT NULL PRIMARY KEY,
    welcomed_by BLOB NOT NULL,
    signer_key BLOB NOT NULL,
    trusted INTEGER NOT NULL,
    proof TEXT,
    asked_at_ns INTEGER NOT NULL,
    requested_at_ns INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE hints (
    group_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    count INTEGER NOT NULL,
    committer BLOB NOT NULL,
    PRIMARY KEY (group_id, kind)
  ) STRICT;
  CREATE TABLE gaps (
    group_id BLOB NOT NULL,
    from_id INTEGER NOT NULL,
    to_id INTEGER NOT NULL,
    PRIMARY KEY (group_id, from_id)
  ) STRICT;
  CREATE TABLE readds (
    group_id BLOB NOT NULL,
    installation_key BLOB NOT NULL,
    inbox_id BLOB NOT NULL,
    requested_at_ns INTEGER NOT NULL,
    done_at_ns INTEGER NOT NULL,
    PRIMARY KEY (group_id, installation_key)
  ) STRICT;
  CREATE TABLE forgotten_groups (
    group_id BLOB NOT NULL PRIMARY KEY,
    cursor INTEGER NOT NULL,
    forgotten_at_ns INTEGER NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE pending_commits ADD COLUMN renewal BLOB;
  CREATE TABLE invite_renewals (
    group_id BLOB NOT NULL PRIMARY KEY,
    policy BLOB NOT NULL,
    template BLOB NOT NULL,
    due_ns INTEGER NOT NULL
  ) STRICT;
  ALTER TABLE slot_credentials ADD COLUMN secrets BLOB NOT NULL DEFAULT x'';
  `,
  `
  ALTER TABLE pending_commits ADD COLUMN identities BLOB NOT NULL DEFAULT x'';
  ALTER TABLE joins ADD COLUMN identity_id INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE joins ADD COLUMN stale_at_ns INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE groups ADD COLUMN checked_id INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE identity ADD COLUMN welcome_checked_id INTEGER NOT NULL DEFAULT 0;
  UPDATE groups SET checked_id = cursor;
  UPDATE identity SET welcome_checked_id = welcome_cursor;
  `,
  `
  ALTER TABLE outbox ADD COLUMN should_push INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE outbox ADD COLUMN queued_at_ns INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE outbox ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';
  ALTER TABLE outbox ADD COLUMN error_code TEXT;
  ALTER TABLE outbox ADD COLUMN may_have_left INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE outbox ADD COLUMN copies BLOB NOT NULL DEFAULT x'';
  ALTER TABLE outbox ADD COLUMN key_mark BLOB NOT NULL DEFAULT x'';
  ALTER TABLE outbox ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE identity ADD COLUMN messages_marked INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE message_ids (
    group_id BLOB NOT NULL,
    mark BLOB NOT NULL,
    message_id BLOB NOT NULL,
    id INTEGER NOT NULL,
    sent_at_ns INTEGER NOT NULL,
    PRIMARY KEY (group_id, mark)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE device_links (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    inbox_id TEXT NOT NULL,
    installation_key BLOB NOT NULL,
    "update" BLOB NOT NULL,
    deadline_ns INTEGER NOT NULL
  ) STRICT;
  ALTER TABLE messages ADD COLUMN brought_by TEXT;
  `,
];

/** The version this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;
