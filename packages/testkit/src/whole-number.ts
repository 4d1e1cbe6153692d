/** The value of a command-line option that counts something; throws RangeError for anything else. */
export function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`--${name} takes a whole number`);
  return value;
}
