import { encode, Reader } from "@latchkey/mls";
import { expectBytes, expectSame } from "../expect.ts";
import { bytesField, numberField, type Fields } from "../fields.ts";
import type { VectorKind } from "../kind.ts";

function verify(vector: Fields): void {
  const header = bytesField(vector, "vlbytes_header");
  const length = numberField(vector, "length");
  const reader = new Reader(header);
  expectSame("the length", reader.varint(), length);
  expectSame("the number of bytes after the header", reader.remaining, 0);
  expectBytes(
    "the header written again",
    encode(length, (writer, value) => writer.varint(value)),
    header,
  );
}

/** "Vector Deserialization": the variable-length header of RFC 9420 §2.1.2, read and written. */
export const deserialization: VectorKind = {
  files: ["deserialization"],
  shape: ["vlbytes_header", "length"],
  verify,
};
