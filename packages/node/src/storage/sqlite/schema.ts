/** A topic log: `payload` is behind the columns that are searched, so that walking the table does not read it. */
function topicLog(name: string): string {
  return `
    CREATE TABLE ${name} (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      topic BLOB NOT NULL,
      created_ns INTEGER NOT NULL,
      digest BLOB NOT NULL UNIQUE,
      payload BLOB NOT NULL
    ) STRICT;
    CREATE INDEX ${name}_by_topic ON ${name} (topic, id);
  `;
}

/** Adds the kind of an envelope, and puts all that a head has into the index by topic. */
function withKind(name: string): string {
  return `
    ALTER TABLE ${name} ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
    DROP INDEX ${name}_by_topic;
    CREATE INDEX ${name}_by_topic ON ${name} (topic, id, created_ns, kind);
  `;
}

/**
 * One script per schema version, applied in order; a released script is never changed. Unsigned 64-bit numbers are
 * kept as 8 big-endian bytes, because SQLite's integers are signed and byte order is numeric order.
 */
export const MIGRATIONS: readonly string[] = [
  `
    ${topicLog("group_messages")}
    ${topicLog("welcomes")}
    ${topicLog("identity_updates")}
    ${topicLog("commit_log")}

    CREATE TABLE identifiers (
      kind TEXT NOT NULL,
      identifier TEXT NOT NULL,
      inbox_id TEXT NOT NULL,
      joined_at INTEGER NOT NULL,
      PRIMARY KEY (kind, identifier, inbox_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE key_packages (
      installation_key BLOB PRIMARY KEY,
      key_package BLOB NOT NULL
    ) STRICT;

    CREATE TABLE slot_blobs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      slot_id BLOB NOT NULL,
      epoch BLOB NOT NULL,
      digest BLOB NOT NULL,
      expiry BLOB NOT NULL,
      content_hash BLOB NOT NULL,
      bytes BLOB NOT NULL,
      UNIQUE (slot_id, content_hash)
    ) STRICT;
    CREATE INDEX slot_blobs_by_slot ON slot_blobs (slot_id, id);
    CREATE INDEX slot_blobs_by_expiry ON slot_blobs (expiry);

    CREATE TABLE slot_totals (slots INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
    INSERT INTO slot_totals VALUES (0, 0);
    CREATE TRIGGER slot_blob_added AFTER INSERT ON slot_blobs BEGIN
      UPDATE slot_totals SET
        bytes = bytes + length(new.bytes),
        slots = slots + ((SELECT count(*) FROM (SELECT 1 FROM slot_blobs WHERE slot_id = new.slot_id LIMIT 2)) = 1);
    END;
    CREATE TRIGGER slot_blob_removed AFTER DELETE ON slot_blobs BEGIN
      UPDATE slot_totals SET
        bytes = bytes - length(old.bytes),
        slots = slots - (NOT EXISTS (SELECT 1 FROM slot_blobs WHERE slot_id = old.slot_id));
    END;
  `,
  `
    CREATE TABLE slot_credentials (
      slot_id BLOB PRIMARY KEY,
      credential_hash BLOB NOT NULL,
      written_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX slot_credentials_by_age ON slot_credentials (written_ns);

    ALTER TABLE slot_totals ADD COLUMN credentials INTEGER NOT NULL DEFAULT 0;
    CREATE TRIGGER slot_credential_added AFTER INSERT ON slot_credentials BEGIN
      UPDATE slot_totals SET credentials = credentials + 1;
    END;
    CREATE TRIGGER slot_credential_removed AFTER DELETE ON slot_credentials BEGIN
      UPDATE slot_totals SET credentials = credentials - 1;
    END;
  `,
  // Blobs without an end of their own lived for ever; from now on for 400 days.
  `
    UPDATE slot_blobs
      SET expiry = unhex(printf('%016x', (unixepoch() + 400 * 86400) * 1000000000))
      WHERE expiry = x'ffffffffffffffff';
  `,
  // Heads come from the index alone. Rows from before have kind 0: their payload tells.
  ["group_messages", "welcomes", "identity_updates", "commit_log"].map(withKind).join(""),
];
