/** The rows that have to go so that `max` are left, of rows with the oldest first. */
export function surplus<R>(rows: readonly R[], max: number): readonly R[] {
  return rows.slice(0, Math.max(0, rows.length - max));
}
