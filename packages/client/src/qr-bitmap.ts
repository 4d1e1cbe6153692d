/** A drawn QR code: true is dark, row by row, with its quiet zone. */
export type QrBitmap = readonly (readonly boolean[])[];
