/**
 * Why a picture is not read, with the next step; the caller of the worker gets it as INVITE_NO_QR. Nothing here imports
 * more than the limits, so that a worker starts fast.
 */
export class PictureRefusal extends Error {}

/** Refuses a file whose structure is broken. */
export function damaged(kind: string, cause?: unknown): PictureRefusal {
  return new PictureRefusal(`the ${kind} picture is damaged; send the file once more, or a screenshot of it`, {
    cause,
  });
}

/** Refuses a picture by its size. */
export function tooLarge(what: string): PictureRefusal {
  return new PictureRefusal(`${what}; cut the picture down to the code, or make a screenshot of it`);
}
