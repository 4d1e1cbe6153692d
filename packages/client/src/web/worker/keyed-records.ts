import { clientError } from "../../errors.ts";

/** Records of one kind in IndexedDB, by their `name`. Everything throws STORE_FAILED where a browser keeps none. */
export interface KeyedRecords<R extends { readonly name: string }> {
  get(name: string): Promise<R | undefined>;
  /** On disk when it resolves. */
  put(record: R): Promise<void>;
}

const TABLE = "records";

function failed(cause: unknown): Error {
  const text = "this browser does not let this site keep its keys; allow it to, and try again";
  return clientError("STORE_FAILED", text, { cause });
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failed(request.error));
  });
}

/** The records of a database of that name, which is made when it is not there. */
export function keyedRecords<R extends { readonly name: string }>(database: string): KeyedRecords<R> {
  const withDatabase = async <T>(use: (database: IDBDatabase) => Promise<T>): Promise<T> => {
    const request = indexedDB.open(database, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "name" });
    const open = await settled(request);
    try {
      return await use(open);
    } finally {
      open.close();
    }
  };
  return {
    get: (name) =>
      withDatabase(async (open) => {
        const records = open.transaction(TABLE).objectStore(TABLE);
        return (await settled<unknown>(records.get(name))) as R | undefined;
      }),
    put: (record) =>
      withDatabase(
        (open) =>
          new Promise<void>((resolve, reject) => {
            const transaction = open.transaction(TABLE, "readwrite", { durability: "strict" });
            transaction.oncomplete = () => resolve();
            transaction.onabort = () => reject(failed(transaction.error));
            transaction.objectStore(TABLE).put(record);
          }),
      ),
  };
}
