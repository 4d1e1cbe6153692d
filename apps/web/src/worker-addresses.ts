/** Addresses of the workers' scripts; the build fills them in. */
declare const CLIENT_WORKER: string;
declare const LOOK_WORKER: string;
declare const SCAN_WORKER: string;

/** The part of Trusted Types that is used; not every browser has them. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (address: string) => string },
  ): { createScriptURL(address: string): string };
}

const ADDRESSES = { client: CLIENT_WORKER, look: LOOK_WORKER, scan: SCAN_WORKER } as const;

const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };

/** The one policy of the page: addresses of its own workers and nothing else. */
const policy = trustedTypes?.createPolicy("latchkey", {
  createScriptURL(address) {
    if (Object.values<string>(ADDRESSES).includes(address)) return address;
    throw new TypeError("this page starts its own workers only");
  },
});

/** Starts one of the page's workers. */
export function startWorker(name: keyof typeof ADDRESSES): Worker {
  const address = ADDRESSES[name];
  return new Worker(policy === undefined ? address : policy.createScriptURL(address), { type: "module" });
}

/** Address of a worker's script, whose headers the page looks at. */
export function workerAddress(name: keyof typeof ADDRESSES): string {
  return ADDRESSES[name];
}
