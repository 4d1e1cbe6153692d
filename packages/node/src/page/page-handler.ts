import { sendJson, type HttpRequest, type HttpResponse } from "../http/exchange.ts";
import { pageHeaders, type PageOrigins } from "./headers.ts";
import type { PageFile, PageFiles } from "./page-files.ts";

/**
 * Paths of the page's screens. Below `/i` stand secrets that a mail program or a messenger has moved out of the fragment:
 * they get the page, which says so, and are never logged.
 */
const SCREENS = /^\/(?:(?:i|g|groups|new|scan|devices)(?:\/.*|%23.*)?)?$/;

/** Where the page notes that this browser has an identity, and asks whether it ever had one. */
const KNOWN_PATH = "/v1/page/known";

/** Browsers delete what scripts store long before a cookie of a server; it says one bit and names nobody. */
const KNOWN_COOKIE = "lk=1; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Strict";

/** Serves the page. */
export interface PageHandler {
  /** Whether a path is the page's. */
  has(path: string): boolean;
  /** Whether it understands the method of a request for it. */
  takes(path: string, request: HttpRequest): boolean;
  send(path: string, request: HttpRequest, response: HttpResponse): void;
}

/** A handler for the files of a build, with the headers that the page lives under. */
export function createPageHandler({ document, files }: PageFiles, origins: PageOrigins): PageHandler {
  return {
    has: (path) => path === KNOWN_PATH || files.has(path) || SCREENS.test(path),
    takes: (path, { method }) => method === "GET" || method === "HEAD" || (method === "POST" && path === KNOWN_PATH),
    send(path, request, response) {
      if (path === KNOWN_PATH) sendKnown(request, response);
      else sendFile(files.get(path) ?? document, request, response, origins);
    },
  };
}

function sendKnown(request: HttpRequest, response: HttpResponse): void {
  const isKnown = /(?:^|;\s*)lk=1(?:;|$)/.test(request.headers.cookie ?? "");
  response.setHeader("cache-control", "no-store");
  if (request.method === "POST") response.setHeader("set-cookie", KNOWN_COOKIE);
  sendJson(request, response, 200, { known: isKnown || request.method === "POST" });
}

function sendFile(file: PageFile, request: HttpRequest, response: HttpResponse, origins: PageOrigins): void {
  const { type, role, hash, bytes, packed } = file;
  const etag = `"${hash}"`;
  const takesPacked = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  const body = takesPacked && packed !== undefined ? packed : bytes;
  for (const [name, value] of Object.entries(pageHeaders(role, origins))) response.setHeader(name, value);
  response.setHeader("content-type", type);
  response.setHeader("etag", etag);
  response.setHeader("vary", "accept-encoding");
  // All other files have their hash in their name.
  response.setHeader("cache-control", role === "document" ? "no-cache" : "public, max-age=31536000, immutable");
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304);
    response.end();
    return;
  }
  if (body !== bytes) response.setHeader("content-encoding", "gzip");
  response.writeHead(200, { "content-length": String(body.length) });
  if (request.method === "HEAD") response.end();
  else response.end(body);
}
