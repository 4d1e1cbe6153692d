import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { EXTENSION_TYPE, findExtension, type Extension } from "./extension.ts";

/** The app-data dictionary of the extensions draft: component id (16 bits) to opaque value. */
export type AppData = ReadonlyMap<number, Uint8Array>;

/** New values of components as an application computed them from AppDataUpdates; null removes the component. */
export type AppDataChanges = ReadonlyMap<number, Uint8Array | null>;

/** Data of an `app_data_dictionary` extension, entries in ascending order of component id. */
export function encodeAppDataDictionary(dictionary: AppData): Uint8Array {
  const entries = [...dictionary].sort(([a], [b]) => a - b);
  return encode(entries, (writer) =>
    writer.vector(entries, (inner, [componentId, data]) => {
      inner.u16(componentId);
      inner.opaque(data);
    }),
  );
}

/** Throws DecodeError unless the entries are strictly ascending by component id. */
export function decodeAppDataDictionary(data: Uint8Array): Map<number, Uint8Array> {
  const entries = decodeExact(data, (reader) =>
    reader.vector((inner): [number, Uint8Array] => [inner.u16(), inner.opaque()], MLS_LIMITS.maxAppDataEntries),
  );
  entries.forEach(([componentId], index) => {
    const previous = entries[index - 1];
    if (previous !== undefined && previous[0] >= componentId) {
      throw new DecodeError("the app-data dictionary is not in ascending order of component id");
    }
  });
  return new Map(entries);
}

/**
 * Dictionaries by the bytes that they were read from or written to. An epoch that changes no component hands on the
 * same dictionary. An epoch that changes some components hands on the same values of all others. Applications can
 * therefore keep their decoded forms by value.
 */
const dictionaries = new WeakMap<Uint8Array, AppData>();

/** The extension that holds a dictionary. */
export function appDataExtension(dictionary: AppData): Extension {
  const data = encodeAppDataDictionary(dictionary);
  dictionaries.set(data, dictionary);
  return { type: EXTENSION_TYPE.appDataDictionary, data };
}

const NO_APP_DATA: AppData = new Map();

/** The dictionary in a GroupContext's extensions; empty when there is none. Throws DecodeError. */
export function appDataOf(extensions: readonly Extension[]): AppData {
  const data = findExtension(extensions, EXTENSION_TYPE.appDataDictionary);
  if (data === undefined) return NO_APP_DATA;
  const known = dictionaries.get(data);
  if (known !== undefined) return known;
  const dictionary = decodeAppDataDictionary(data);
  dictionaries.set(data, dictionary);
  return dictionary;
}
