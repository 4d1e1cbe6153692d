import type { ContentCodec } from "./codec.ts";
import { textCodec } from "./text.ts";

/** Text in Markdown (content type `xmtp.org/markdown:1.0`). A program sanitizes it before it shows it as HTML. */
export const markdownCodec: ContentCodec<string> = { ...textCodec, type: "xmtp.org/markdown:1.0" };
